using System.Text.Json.Nodes;

namespace TuneSharp.Checkpointing;

/// <summary>Settings of a LoRA adapter in the layout of Hugging Face PEFT: <c>adapter_config.json</c> beside <c>adapter_model.safetensors</c>.</summary>
/// <remarks>Keys that this record does not name are kept as they were read and written back.</remarks>
public sealed record PeftAdapter
{
    internal const string ConfigName = "adapter_config.json";
    internal const string WeightsName = "adapter_model.safetensors";

    private const string Prefix = "base_model.model.";

    // Keys without effect on what the adapter computes, so any value will do.
    private static readonly HashSet<string> NoEffect = new(StringComparer.Ordinal)
    {
        "auto_mapping", "inference_mode", "revision", "peft_version", "megatron_config", "megatron_core", "layers_pattern", "loftq_config",
        "eva_config", "corda_config", "lora_ga_config", "kasa_config", "qalora_group_size", "exclude_modules", "ensure_weight_tying",
        "runtime_config", "init_lora_weights", "monteclora_config", "velora_config",
    };

    private static readonly HashSet<string> Known = new(StringComparer.Ordinal)
    {
        "peft_type", "r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora", "use_dora", "base_model_name_or_path", "task_type",
        "bias", "rank_pattern", "alpha_pattern", "modules_to_save", "fan_in_fan_out", "target_parameters",
    };

    /// <summary>Rank of the update.</summary>
    public required int R { get; init; }

    /// <summary>Numerator of the scale.</summary>
    public required double LoraAlpha { get; init; }

    /// <summary>Dropout rate on the adapter's input while training.</summary>
    public double LoraDropout { get; init; }

    /// <summary>Modules that carry an adapter, in Hugging Face's names (<c>q_proj</c>).</summary>
    public required IReadOnlyList<string> TargetModules { get; init; }

    /// <summary>Parameters that carry an adapter without being a linear's weight, as in <c>mlp.experts.gate_up_proj</c>.</summary>
    public IReadOnlyList<string> TargetParameters { get; init; } = [];

    /// <summary>The base holds its weights as [in, out] (GPT-2's Conv1D).</summary>
    public bool FanInFanOut { get; init; }

    /// <summary>Scale α/√r instead of α/r.</summary>
    public bool UseRslora { get; init; }

    /// <summary>Weight-decomposed: a magnitude per output row.</summary>
    public bool UseDora { get; init; }

    /// <summary>The model that the adapter belongs to: a hub name or a path.</summary>
    public string? BaseModelNameOrPath { get; init; }

    /// <summary>PEFT's task, as in <c>CAUSAL_LM</c> or <c>SEQ_CLS</c>.</summary>
    public string? TaskType { get; init; } = "CAUSAL_LM";

    /// <summary>Ranks of single modules, by the end of their name; others have <see cref="R"/>.</summary>
    public IReadOnlyDictionary<string, double> RankPattern { get; init; } = new Dictionary<string, double>(StringComparer.Ordinal);

    /// <summary>Alphas of single modules, by the end of their name; others have <see cref="LoraAlpha"/>.</summary>
    public IReadOnlyDictionary<string, double> AlphaPattern { get; init; } = new Dictionary<string, double>(StringComparer.Ordinal);

    /// <summary>What was read, with all keys; null for an adapter made here.</summary>
    internal JsonObject? Json { get; init; }

    /// <summary>Reads <c>adapter_config.json</c>.</summary>
    /// <param name="folder">The adapter's folder.</param>
    /// <exception cref="CheckpointException">It is missing, or asks for something that is not supported; the message says what.</exception>
    public static PeftAdapter Read(string folder)
    {
        string file = Path.Combine(folder, ConfigName);
        if (!File.Exists(file))
        {
            throw new CheckpointException($"{file}: no such file. A PEFT adapter is a folder with {ConfigName} and {WeightsName}.");
        }

        JsonObject json = JsonText.ReadObject(file);
        HfConfig config = new(json, file);
        Refuse(config, json);
        int rank = config.Int("r");
        if (rank < 1)
        {
            throw new CheckpointException($"{file}: r is {rank}; a rank is at least 1.");
        }

        return new PeftAdapter
        {
            R = rank,
            LoraAlpha = config.Number("lora_alpha"),
            LoraDropout = config.Number("lora_dropout", 0),
            TargetModules = json["target_modules"] is JsonArray ? config.Texts("target_modules") : TargetsOf(folder),
            TargetParameters = config.Texts("target_parameters"),
            FanInFanOut = config.Flag("fan_in_fan_out", false),
            UseRslora = config.Flag("use_rslora", false),
            UseDora = config.Flag("use_dora", false),
            BaseModelNameOrPath = config.TextOrNull("base_model_name_or_path"),
            TaskType = config.TextOrNull("task_type"),
            RankPattern = Pattern(config, json, "rank_pattern"),
            AlphaPattern = Pattern(config, json, "alpha_pattern"),
            Json = json,
        };
    }

    /// <summary>Opens an adapter's weights: <c>adapter_model.safetensors</c>, or <c>adapter_model.bin</c> or <c>.pt</c>.</summary>
    /// <param name="folder">The adapter's folder.</param>
    /// <exception cref="CheckpointException">They are missing or damaged.</exception>
    public static ITensorSource OpenTensors(string folder)
    {
        string[] names = [WeightsName, "adapter_model.bin", "adapter_model.pt"];
        string name = Array.Find(names, n => File.Exists(Path.Combine(folder, n)))
            ?? throw new CheckpointException($"{folder}: has none of {string.Join(", ", names)}. Download the adapter again.");
        return CheckpointReader.OpenFile(Path.Combine(folder, name));
    }

    /// <summary>What <see cref="TargetModules"/> says for a model's adapters: Hugging Face's names of the modules, without their path.</summary>
    /// <param name="adapterNames">Our names of adapter tensors, as in <c>layers.0.attn.q_proj.lora_a.weight</c>.</param>
    /// <param name="map">The family's table.</param>
    public static IReadOnlyList<string> TargetsFrom(IEnumerable<string> adapterNames, WeightMap map) =>
        Targets(adapterNames.Select(n => map.ToFile(n)?.Name ?? throw new CheckpointException($"{n} has no name in Hugging Face's files.")));

    /// <summary>Rank of a module.</summary>
    /// <param name="module">Hugging Face's name of it.</param>
    public int RankOf(string module) => (int)(Match(RankPattern, module) ?? R);

    /// <summary>The factor on B·A in a module: α/r, or α/√r for rsLoRA.</summary>
    /// <param name="module">Hugging Face's name of it.</param>
    public double ScaleOf(string module)
    {
        double alpha = Match(AlphaPattern, module) ?? LoraAlpha;
        double rank = RankOf(module);
        return alpha / (UseRslora ? Math.Sqrt(rank) : rank);
    }

    /// <summary>Writes both files, as PEFT does.</summary>
    /// <param name="folder">Where; created if need be.</param>
    /// <param name="tensors">
    /// By our names: <c>….lora_a.weight</c>, <c>….lora_b.weight</c>, <c>….magnitude</c>. A plain weight among them (that of an
    /// adapted output head) is written as the module's <c>base_layer</c>.
    /// </param>
    /// <param name="map">The family's table.</param>
    public void Write(string folder, LazyTensors tensors, WeightMap map)
    {
        LazyTensors renamed = tensors.In(SourceNaming.For(Naming.HuggingFace, map), (_, mapped) => PeftName(mapped.Name));
        SafetensorsWriter.Write(Path.Combine(folder, WeightsName), renamed.Infos, renamed.Read);
        AtomicFile.WriteText(Path.Combine(folder, ConfigName), JsonText.Format(ToJson()));
    }

    /// <summary>The module of an adapter's tensor (<c>model.layers.0.self_attn.q_proj</c>) and which of its parts it is.</summary>
    internal static (string Module, string Part)? Split(string peftName)
    {
        string name = peftName.StartsWith(Prefix, StringComparison.Ordinal) ? peftName[Prefix.Length..] : peftName;
        foreach (string part in (string[])["lora_A", "lora_B", "lora_magnitude_vector", "base_layer"])
        {
            int at = name.LastIndexOf($".{part}", StringComparison.Ordinal);
            if (at > 0 && name[(at + 1 + part.Length)..] is "" or ".weight" or ".default" or ".default.weight")
            {
                return (name[..at], part);
            }
        }

        return null;
    }

    /// <summary>The settings as JSON: what was read with this record's values over it, or the keys that PEFT 0.9 and later know.</summary>
    internal JsonObject ToJson()
    {
        JsonObject json = (JsonObject?)Json?.DeepClone() ?? new JsonObject
        {
            ["alpha_pattern"] = new JsonObject(),
            ["auto_mapping"] = null,
            ["base_model_name_or_path"] = null,
            ["bias"] = "none",
            ["fan_in_fan_out"] = false,
            ["inference_mode"] = true,
            ["init_lora_weights"] = true,
            ["layer_replication"] = null,
            ["layers_pattern"] = null,
            ["layers_to_transform"] = null,
            ["loftq_config"] = new JsonObject(),
            ["lora_alpha"] = null,
            ["lora_dropout"] = null,
            ["megatron_config"] = null,
            ["megatron_core"] = "megatron.core",
            ["modules_to_save"] = null,
            ["peft_type"] = "LORA",
            ["r"] = null,
            ["rank_pattern"] = new JsonObject(),
            ["revision"] = null,
            ["target_modules"] = null,
            ["task_type"] = null,
            ["use_dora"] = false,
            ["use_rslora"] = false,
        };
        json["r"] = R;
        Set(json, "lora_alpha", LoraAlpha);
        Set(json, "lora_dropout", LoraDropout);
        if (json["target_modules"] is not JsonValue)
        {
            json["target_modules"] = new JsonArray([.. TargetModules.Select(t => (JsonNode)t)]);
        }

        if (Json is null)
        {
            json["rank_pattern"] = new JsonObject(RankPattern.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)JsonValue.Create((long)p.Value))));
            json["alpha_pattern"] = new JsonObject(AlphaPattern.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)Number(p.Value))));
        }

        if (TargetParameters.Count > 0)
        {
            json["target_parameters"] = new JsonArray([.. TargetParameters.Select(t => (JsonNode)t)]);
        }

        json["fan_in_fan_out"] = FanInFanOut;
        json["use_rslora"] = UseRslora;
        json["use_dora"] = UseDora;
        json["base_model_name_or_path"] = BaseModelNameOrPath;
        json["task_type"] = TaskType;
        return json;
    }

    private static void Set(JsonObject json, string key, double value)
    {
        if (json[key] is not JsonValue old || !old.TryGetValue(out double before) || before != value)
        {
            json[key] = key == "lora_alpha" ? Number(value) : JsonValue.Create(value);
        }
    }

    private static JsonValue Number(double value) => value == Math.Floor(value) ? JsonValue.Create((long)value) : JsonValue.Create(value);

    private static string PeftName(string name) => name.StartsWith(Prefix, StringComparison.Ordinal)
        ? name
        : $"{Prefix}{name[..name.LastIndexOf('.')]}.base_layer{name[name.LastIndexOf('.')..]}";

    /// <summary>When target_modules is an expression, the weights themselves say which modules it matched.</summary>
    private static List<string> TargetsOf(string folder)
    {
        using ITensorSource source = OpenTensors(folder);
        return Targets(source.Tensors.Keys);
    }

    private static List<string> Targets(IEnumerable<string> peftNames) =>
        [.. peftNames.Select(Split).Where(s => s?.Part == "lora_A").Select(s => s!.Value.Module.Split('.')[^1])
            .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    private static double? Match(IReadOnlyDictionary<string, double> pattern, string module)
    {
        foreach ((string key, double value) in pattern)
        {
            if (module == key || module.EndsWith("." + key, StringComparison.Ordinal))
            {
                return value;
            }
        }

        return null;
    }

    private static Dictionary<string, double> Pattern(HfConfig config, JsonObject json, string key)
    {
        Dictionary<string, double> pattern = new(StringComparer.Ordinal);
        foreach ((string module, JsonNode? value) in json[key] as JsonObject ?? [])
        {
            if (!module.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.'))
            {
                throw new CheckpointException(
                    $"{config.File}: {key} has the expression {module}; only module names are supported. Write the names out.");
            }

            pattern[module] = value is JsonValue v && v.TryGetValue(out double number) && number > 0
                ? number
                : throw new CheckpointException($"{config.File}: {key}.{module} is {value?.ToJsonString() ?? "null"}, not a positive number.");
        }

        return pattern;
    }

    private static void Refuse(HfConfig config, JsonObject json)
    {
        string type = config.Text("peft_type");
        if (type != "LORA")
        {
            throw new CheckpointException($"{config.File}: peft_type {type} is not supported; LORA is (with use_dora and use_rslora).");
        }

        string bias = config.Text("bias", "none");
        if (bias != "none")
        {
            throw new CheckpointException($"{config.File}: bias {bias} is not supported: trained biases have no place in a LoRA here. Use bias none.");
        }

        if (json["modules_to_save"] is JsonArray { Count: > 0 } saved)
        {
            throw new CheckpointException(
                $"{config.File}: modules_to_save {saved.ToJsonString()} is not supported: these modules were trained whole. "
                + "Train adapters on them instead, or merge the adapter with PEFT first.");
        }

        if (json["init_lora_weights"] is JsonValue init && init.TryGetValue(out string? how)
            && (how.StartsWith("pissa", StringComparison.Ordinal) || how is "olora" or "loftq" or "corda" or "lora_ga"))
        {
            throw new CheckpointException(
                $"{config.File}: init_lora_weights {how} changes the base weights, which the adapter's file does not hold. "
                + "Merge the adapter with PEFT, or convert it to plain LoRA there.");
        }

        foreach ((string key, JsonNode? value) in json)
        {
            if (!Known.Contains(key) && !NoEffect.Contains(key) && IsOn(value))
            {
                throw new CheckpointException(
                    $"{config.File}: {key} {value!.ToJsonString()} is not supported. Merge the adapter with PEFT, or train one without it.");
            }
        }
    }

    private static bool IsOn(JsonNode? value) => value switch
    {
        null => false,
        JsonArray list => list.Count > 0,
        JsonObject fields => fields.Count > 0,
        JsonValue v => !(v.TryGetValue(out bool flag) && !flag),
        _ => true,
    };
}
