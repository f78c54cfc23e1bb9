using System.Globalization;
using System.Text.Json.Nodes;
using TuneSharp.Hub;

namespace TuneSharp.Checkpointing;

/// <summary>Rotary settings of a <c>config.json</c>, from either spelling.</summary>
/// <param name="Theta">Base of the frequencies.</param>
/// <param name="Type"><c>default</c>, <c>linear</c>, <c>dynamic</c>, <c>yarn</c>, <c>longrope</c> or <c>llama3</c>; what the file says.</param>
/// <param name="Settings">All other settings of the scaling by name (<c>factor</c>, <c>low_freq_factor</c> …).</param>
public sealed record RopeSettings(double Theta, string Type, IReadOnlyDictionary<string, JsonNode?> Settings)
{
    /// <summary>A setting that must be there.</summary>
    /// <param name="key">As in <c>factor</c>.</param>
    /// <exception cref="CheckpointException">It is missing or no number.</exception>
    public double Number(string key) => Settings.TryGetValue(key, out JsonNode? node) && node is JsonValue v
        && v.TryGetValue(out double value)
        ? value
        : throw new CheckpointException($"config.json: rope type {Type} needs the number {key}. Download the file again.");

    /// <summary>A setting, or its default.</summary>
    /// <param name="key">As in <c>beta_fast</c>.</param>
    /// <param name="otherwise">Used when it is absent or null.</param>
    public double Number(string key, double otherwise) =>
        Settings.TryGetValue(key, out JsonNode? node) && node is not null ? Number(key) : otherwise;
}

/// <summary>A model's <c>config.json</c>: typed access, both spellings, and a record of which keys nobody asked for.</summary>
/// <remarks>A family reads what it knows, then checks <see cref="UnreadKeys"/> against its list of keys without effect.</remarks>
public sealed class HfConfig
{
    private readonly JsonObject _json;
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    /// <summary>Wraps parsed JSON.</summary>
    /// <param name="json">The object; not changed.</param>
    /// <param name="file">Its file, for messages.</param>
    public HfConfig(JsonObject json, string file = "config.json")
    {
        _json = (JsonObject)JsonNode.Parse(json.ToJsonString())!; // a number set by code keeps its C# type, and reads as no other
        File = file;
    }

    /// <summary>The file.</summary>
    public string File { get; }

    /// <summary>The family, as in <c>llama</c>.</summary>
    public string ModelType => Text("model_type");

    /// <summary>The classes, as in <c>LlamaForCausalLM</c>; empty when not stated.</summary>
    public IReadOnlyList<string> Architectures => Get("architectures") is JsonArray list
        ? [.. list.Select(n => n?.GetValue<string>() ?? "")] : [];

    /// <summary>All keys at the top.</summary>
    public IReadOnlyCollection<string> Keys => [.. _json.Select(p => p.Key)];

    /// <summary>Keys that no accessor has been asked for so far.</summary>
    public IReadOnlyCollection<string> UnreadKeys => [.. Keys.Where(k => !_read.Contains(k))];

    /// <summary>Element type of the weights, from <c>dtype</c> or <c>torch_dtype</c>; null when not stated.</summary>
    public ScalarType? Dtype
    {
        get
        {
            string? name = TextOrNull("dtype") ?? TextOrNull("torch_dtype");
            return name?.Split('.')[^1] switch
            {
                null or "auto" => null,
                "float32" or "float" => ScalarType.Float32,
                "bfloat16" => ScalarType.BFloat16,
                "float16" or "half" => ScalarType.Float16,
                "float64" or "double" => ScalarType.Float64,
                { } other => throw new CheckpointException($"{File}: dtype {other} is not supported. Use float32, bfloat16 or float16."),
            };
        }
    }

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file, or a folder that holds <c>config.json</c>.</param>
    /// <exception cref="CheckpointException">It is missing or no JSON object.</exception>
    public static HfConfig Read(string path)
    {
        path = HubCache.Local(path);
        string file = Directory.Exists(path) ? Path.Combine(path, "config.json") : path;
        return !System.IO.File.Exists(file)
            ? throw new CheckpointException($"{file}: no such file. A Hugging Face model folder has a config.json; download it.{HubCache.Hint(path)}")
            : new HfConfig(JsonText.ReadObject(file), file);
    }

    /// <summary>True when the key is there and not null. Counts as reading it.</summary>
    /// <param name="key">The key.</param>
    public bool Has(string key) => Get(key) is not null;

    /// <summary>The raw value, null when absent. Counts as reading it.</summary>
    /// <param name="key">The key.</param>
    public JsonNode? Get(string key)
    {
        _read.Add(key);
        return _json[key];
    }

    /// <summary>A whole number that must be there.</summary>
    /// <param name="key">The key.</param>
    public int Int(string key) => IntOrNull(key) ?? throw Missing(key, "whole number");

    /// <summary>A whole number, or its default.</summary>
    /// <param name="key">The key.</param>
    /// <param name="otherwise">Used when absent or null.</param>
    public int Int(string key, int otherwise) => IntOrNull(key) ?? otherwise;

    /// <summary>A whole number; null when absent or null.</summary>
    /// <param name="key">The key.</param>
    public int? IntOrNull(string key) => Get(key) is not { } node ? null
        : node is JsonValue v && v.TryGetValue(out int value) ? value
        : node is JsonValue d && d.TryGetValue(out double real) && real == Math.Floor(real) && Math.Abs(real) <= int.MaxValue ? (int)real
        : throw Wrong(key, node, "a whole number");

    /// <summary>A number that must be there.</summary>
    /// <param name="key">The key.</param>
    public double Number(string key) => NumberOrNull(key) ?? throw Missing(key, "number");

    /// <summary>A number, or its default.</summary>
    /// <param name="key">The key.</param>
    /// <param name="otherwise">Used when absent or null.</param>
    public double Number(string key, double otherwise) => NumberOrNull(key) ?? otherwise;

    /// <summary>A number; null when absent or null.</summary>
    /// <param name="key">The key.</param>
    public double? NumberOrNull(string key) => Get(key) is not { } node ? null
        : node is JsonValue v && v.TryGetValue(out double value) ? value : throw Wrong(key, node, "a number");

    /// <summary>True or false, or its default.</summary>
    /// <param name="key">The key.</param>
    /// <param name="otherwise">Used when absent or null.</param>
    public bool Flag(string key, bool otherwise) => Get(key) is not { } node ? otherwise
        : node is JsonValue v && v.TryGetValue(out bool value) ? value : throw Wrong(key, node, "true or false");

    /// <summary>A text that must be there.</summary>
    /// <param name="key">The key.</param>
    public string Text(string key) => TextOrNull(key) ?? throw Missing(key, "text");

    /// <summary>A text, or its default.</summary>
    /// <param name="key">The key.</param>
    /// <param name="otherwise">Used when absent or null.</param>
    public string Text(string key, string otherwise) => TextOrNull(key) ?? otherwise;

    /// <summary>A text; null when absent or null.</summary>
    /// <param name="key">The key.</param>
    public string? TextOrNull(string key) => Get(key) is not { } node ? null
        : node is JsonValue v && v.TryGetValue(out string? value) ? value : throw Wrong(key, node, "a text");

    /// <summary>Whole numbers from a number or a list (<c>eos_token_id</c> is either); empty when absent.</summary>
    /// <param name="key">The key.</param>
    public IReadOnlyList<int> Ints(string key) => Get(key) switch
    {
        null => [],
        JsonArray list => [.. list.Select(n => n is JsonValue v && v.TryGetValue(out int i) ? i : throw Wrong(key, list, "whole numbers"))],
        _ => [Int(key)],
    };

    /// <summary>Texts of a list; empty when absent.</summary>
    /// <param name="key">The key.</param>
    public IReadOnlyList<string> Texts(string key) => Get(key) switch
    {
        null => [],
        JsonArray list => [.. list.Select(n => n is JsonValue v && v.TryGetValue(out string? s) ? s : throw Wrong(key, list, "texts"))],
        { } node => throw Wrong(key, node, "a list of texts"),
    };

    /// <summary>A config inside this one (<c>text_config</c>).</summary>
    /// <param name="key">The key.</param>
    public HfConfig? Section(string key) => Get(key) switch
    {
        null => null,
        JsonObject section => new HfConfig(section, $"{File}: {key}"),
        { } node => throw Wrong(key, node, "an object"),
    };

    /// <summary>
    /// Rotary settings: <c>rope_parameters</c> (transformers 5), or <c>rope_theta</c> with <c>rope_scaling</c> (before), whose type
    /// is <c>rope_type</c> or <c>type</c>.
    /// </summary>
    /// <param name="defaultTheta">Base when the file states none.</param>
    /// <param name="layerType">For families whose settings differ by layer (<c>full_attention</c>, <c>sliding_attention</c>), which.</param>
    public RopeSettings Rope(double defaultTheta = 10_000, string? layerType = null)
    {
        JsonObject? both = Get("rope_parameters") as JsonObject;
        JsonObject? scaling = Get("rope_scaling") as JsonObject;
        if (layerType is not null && both?[layerType] is JsonObject ofLayer)
        {
            both = ofLayer;
        }

        if (layerType == "sliding_attention" && both is null && NumberOrNull("rope_local_base_freq") is { } local)
        {
            return new RopeSettings(local, "default", new Dictionary<string, JsonNode?>(StringComparer.Ordinal)); // Gemma 3 before transformers 5
        }

        double theta = Number("rope_theta", defaultTheta);
        string type = "default";
        Dictionary<string, JsonNode?> rest = new(StringComparer.Ordinal);
        foreach ((string key, JsonNode? value) in both ?? scaling ?? [])
        {
            switch (key)
            {
                case "rope_theta":
                    theta = value is JsonValue v && v.TryGetValue(out double t) ? t : throw Wrong("rope_theta", value!, "a number");
                    break;
                case "rope_type" or "type":
                    type = value is JsonValue s && s.TryGetValue(out string? text) ? text : throw Wrong(key, value!, "a text");
                    break;
                default:
                    rest[key] = value;
                    break;
            }
        }

        // The hub's older Phi-3 files say su for what is now longrope.
        return new RopeSettings(theta, type == "su" ? "longrope" : type, rest);
    }

    /// <summary>Writes all keys back, untouched ones as they were read.</summary>
    /// <param name="path">The file.</param>
    /// <param name="changes">Values to set; null removes a key.</param>
    public void Write(string path, IReadOnlyDictionary<string, JsonNode?>? changes = null)
    {
        JsonObject json = (JsonObject)_json.DeepClone();
        foreach ((string key, JsonNode? value) in changes ?? new Dictionary<string, JsonNode?>(StringComparer.Ordinal))
        {
            if (value is null)
            {
                json.Remove(key);
            }
            else if (json.ContainsKey(key) || !IsSorted(json))
            {
                json[key] = value.DeepClone();
            }
            else
            {
                int before = json.Count(p => string.CompareOrdinal(p.Key, key) < 0);
                json.Insert(before, key, value.DeepClone());
            }
        }

        AtomicFile.WriteText(path, JsonText.Format(json));
    }

    /// <summary>transformers writes keys by the alphabet; a new one then takes its place among them.</summary>
    private static bool IsSorted(JsonObject json)
    {
        string[] keys = [.. json.Select(p => p.Key)];
        return keys.AsSpan().SequenceEqual(keys.Order(StringComparer.Ordinal).ToArray());
    }

    private CheckpointException Missing(string key, string kind) =>
        new($"{File}: has no {key} (a {kind}). The file is of another family, or incomplete; download it again.");

    private CheckpointException Wrong(string key, JsonNode? value, string kind) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{File}: {key} is {value?.ToJsonString() ?? "null"}, and {kind} was expected."));
}
