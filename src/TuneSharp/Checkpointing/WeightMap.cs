using System.Globalization;

namespace TuneSharp.Checkpointing;

/// <summary>How the rows (first dimension) of a weight are reordered between a file and the model.</summary>
/// <param name="ToModel">From the file's order to the model's; returns a new tensor or a view.</param>
/// <param name="ToFile">The inverse.</param>
public sealed record RowOrder(Func<Tensor, Tensor> ToModel, Func<Tensor, Tensor> ToFile)
{
    /// <summary>Hugging Face's half-split rotary layout in the file, Meta's interleaved pairs in the model.</summary>
    /// <remarks>
    /// Within each head, file rows (0 … H/2−1, H/2 … H−1) are the first and second members of the pairs; the model holds the
    /// pairs side by side. Works on anything whose rows are a projection's outputs: weight, bias, LoRA B, DoRA magnitude.
    /// </remarks>
    /// <param name="numHeads">Heads in the projection's output.</param>
    public static RowOrder InterleavedPairs(long numHeads) => new(
        w => Regroup(w, numHeads, 2, w.shape[0] / numHeads / 2),
        w => Regroup(w, numHeads, w.shape[0] / numHeads / 2, 2));

    /// <summary>The same where only the first rows of each head turn, and the rest stay where they are.</summary>
    /// <param name="numHeads">Heads in the projection's output.</param>
    /// <param name="headDim">Rows of a head.</param>
    /// <param name="rotaryDim">Rows of it that turn.</param>
    public static RowOrder InterleavedPairs(long numHeads, long headDim, long rotaryDim)
    {
        if (headDim == rotaryDim)
        {
            return InterleavedPairs(numHeads);
        }

        Tensor First(Tensor w, Func<long, Tensor, Tensor> order)
        {
            long[] shape = w.shape;
            Tensor heads = w.reshape([numHeads, headDim, .. shape[1..]]);
            Tensor turned = heads.narrow(1, 0, rotaryDim).reshape([numHeads * rotaryDim, .. shape[1..]]);
            turned = order(numHeads, turned).reshape([numHeads, rotaryDim, .. shape[1..]]);
            return cat([turned, heads.narrow(1, rotaryDim, headDim - rotaryDim)], 1).reshape(shape);
        }

        return new(
            w => First(w, (n, t) => Regroup(t, n, 2, rotaryDim / 2)),
            w => First(w, (n, t) => Regroup(t, n, rotaryDim / 2, 2)));
    }

    private static Tensor Regroup(Tensor w, long heads, long outer, long inner)
    {
        long[] shape = w.shape;
        return w.reshape([heads, outer, inner, .. shape[1..]]).transpose(1, 2).reshape(shape);
    }
}

/// <summary>One line of a family's weight table.</summary>
/// <param name="File">Module or tensor name in the file, <c>{}</c> for the layer number, without <c>.weight</c> or <c>.bias</c>.</param>
/// <param name="Model">Our name for it; null when the tensor is known and dropped.</param>
/// <param name="Rows">Reordering, or null.</param>
/// <param name="WeightName">Last part of our name when the file says <c>weight</c>: <c>scale</c> for norms; empty when the names are whole.</param>
/// <param name="Transposed">The file holds the weight as [in, out] (GPT-2's Conv1D).</param>
/// <param name="IsOlderName">Read, but never written: another line has the name that is written.</param>
/// <remarks>A dropped name that ends with <c>.*</c> drops all that begin so.</remarks>
public sealed record WeightRule(
    string File, string? Model, RowOrder? Rows = null, string WeightName = "weight", bool Transposed = false,
    bool IsOlderName = false);

/// <summary>A name in the other naming, with the reordering that goes with it.</summary>
/// <param name="Name">The name.</param>
/// <param name="Transform">To the other side's row order; null when the rows keep theirs.</param>
/// <param name="Transposed">Rows and columns change places.</param>
public readonly record struct MappedName(string Name, Func<Tensor, Tensor>? Transform, bool Transposed = false)
{
    /// <summary>The shape on the other side.</summary>
    /// <param name="shape">The shape on this side.</param>
    public long[] ShapeOf(long[] shape) => Transposed ? [shape[1], shape[0]] : shape;

    /// <summary>The tensor in the other side's row order: itself where nothing changes.</summary>
    /// <param name="t">The tensor.</param>
    public Tensor Apply(Tensor t) => Transform is null ? t : Transform(t);
}

/// <summary>A family's table between Hugging Face's weight names and ours (torchtune's), used in both directions.</summary>
/// <remarks>
/// The same table serves weights, biases, gradients and adapters: <c>lora_A</c>/<c>lora_B</c>/<c>lora_magnitude_vector</c> of a
/// module follow the module's own line. Names that no line knows give null: the caller says so to the user.
/// </remarks>
public sealed class WeightMap
{
    private const string PeftPrefix = "base_model.model.";

    private readonly Dictionary<string, WeightRule> _byFile;
    private readonly Dictionary<string, WeightRule> _byModel;
    private readonly List<string> _droppedPrefixes;

    /// <summary>Creates a map.</summary>
    /// <param name="rules">The lines.</param>
    public WeightMap(params IEnumerable<WeightRule> rules)
    {
        Rules = [.. rules];
        _byFile = Rules.ToDictionary(r => r.File, StringComparer.Ordinal);
        _droppedPrefixes = [.. Rules.Where(r => r.Model is null && r.File.EndsWith(".*", StringComparison.Ordinal)).Select(r => r.File[..^1])];
        _byModel = Rules.Where(r => r is { Model: not null, IsOlderName: false }).ToDictionary(r => r.Model!, StringComparer.Ordinal);
    }

    /// <summary>The lines.</summary>
    public IReadOnlyList<WeightRule> Rules { get; }

    /// <summary>Weights that are one in the file and several in the model.</summary>
    public IReadOnlyList<FusedRule> Fused { get; init; } = [];

    /// <summary>Whether a file may have fewer token embeddings than the model: those added start as the mean of the others.</summary>
    public bool Grows { get; private init; }

    /// <summary>The same table for a model with added token embeddings.</summary>
    public WeightMap Growing() => new(Rules) { Fused = Fused, Grows = true };

    /// <summary>The parts of a tensor that the model holds in several; null when it is no such tensor.</summary>
    /// <param name="modelName">Our name of the whole.</param>
    public IReadOnlyList<FusedSlice>? PartsOf(string modelName)
    {
        (string pattern, string[] layer) = Number(modelName);
        FusedRule? rule = Fused.FirstOrDefault(f => pattern.StartsWith(f.Model + ".", StringComparison.Ordinal));
        return rule is null ? null : Slices(rule, layer, pattern[rule.Model.Length..]);
    }

    /// <summary>The place of a tensor in a whole of the file; null when it has a name of its own there.</summary>
    /// <param name="modelName">Our name of the part.</param>
    public FusedSlice? SliceOf(string modelName)
    {
        (string pattern, string[] layer) = Number(modelName);
        foreach (FusedRule rule in Fused)
        {
            for (int i = 0; i < rule.Parts.Count; i++)
            {
                if (pattern.StartsWith(rule.Parts[i].Model + ".", StringComparison.Ordinal))
                {
                    return Slices(rule, layer, pattern[rule.Parts[i].Model.Length..])[i];
                }
            }
        }

        return null;
    }

    private static FusedSlice[] Slices(FusedRule rule, string[] layer, string tail)
    {
        FusedSlice[] slices = new FusedSlice[rule.Parts.Count];
        long start = 0;
        for (int i = 0; i < slices.Length; i++)
        {
            FusedPart part = rule.Parts[i];
            slices[i] = new FusedSlice(Fill(rule.Model, layer) + tail, Fill(part.Model, layer) + tail, part, start, i);
            start += part.Rows;
        }

        return slices;
    }

    /// <summary>The lines that a PEFT target means: a module's name, its end, or its full path with layer numbers.</summary>
    /// <param name="target">An entry of <c>target_modules</c>.</param>
    public IEnumerable<WeightRule> RulesOf(string target)
    {
        string pattern = Number(target).Pattern;
        return Rules.Where(r => r.Model is not null && r.WeightName == "weight"
            && (r.File == pattern || r.File.EndsWith("." + pattern, StringComparison.Ordinal)));
    }

    /// <summary>The line of one of our modules.</summary>
    /// <param name="module">As in <c>layers.3.attn.q_proj</c>.</param>
    public WeightRule? RuleOf(string module) => _byModel.GetValueOrDefault(Number(module).Pattern);

    /// <summary>True for a name that the family knows and drops (a stored rotary table, say).</summary>
    /// <param name="fileName">Tensor name in the file.</param>
    public bool IsDropped(string fileName)
    {
        (string pattern, _) = Number(fileName);
        return _droppedPrefixes.Exists(p => fileName.StartsWith(p, StringComparison.Ordinal)) ? true
            : _byFile.TryGetValue(pattern, out WeightRule? whole) ? whole.Model is null
            : _byFile.TryGetValue(Stem(pattern).Stem, out WeightRule? rule) && rule.Model is null;
    }

    /// <summary>Our name of a Hugging Face or PEFT tensor; null when the family does not know it or drops it.</summary>
    /// <param name="fileName">As in <c>model.layers.3.self_attn.q_proj.weight</c> or <c>base_model.model.….lora_A.weight</c>.</param>
    public MappedName? ToModel(string fileName)
    {
        bool adapter = fileName.StartsWith(PeftPrefix, StringComparison.Ordinal);
        string name = adapter ? fileName[PeftPrefix.Length..] : fileName;
        (string pattern, string[] numbers) = Number(name);
        if (!adapter && _byFile.TryGetValue(pattern, out WeightRule? whole) && whole is { Model: not null, WeightName: "" })
        {
            return new MappedName(Fill(whole.Model, numbers), whole.Rows?.ToModel);
        }

        (string stem, string tail) = Stem(pattern);
        if (!_byFile.TryGetValue(stem, out WeightRule? rule) || rule.Model is null)
        {
            return null;
        }

        (string Tail, bool Rows)? ours = tail switch
        {
            "weight" => (rule.WeightName, true),
            "base_layer.weight" => (rule.WeightName, true),
            "bias" => ("bias", true),
            "gamma" => (rule.WeightName, true), // TensorFlow's names, in the first BERT files
            "beta" => ("bias", true),
            "lora_A.weight" or "lora_A.default.weight" => ("lora_a.weight", false),
            "lora_B.weight" or "lora_B.default.weight" => ("lora_b.weight", true),
            "lora_magnitude_vector" or "lora_magnitude_vector.weight" or "lora_magnitude_vector.default.weight" => ("magnitude", true),
            _ => null,
        };
        if (ours is not { } o)
        {
            return null;
        }

        string model = Fill($"{rule.Model}.{o.Tail}", numbers);
        return rule.Transposed && o.Tail == rule.WeightName ? new MappedName(model, Transpose, Transposed: true)
            : new MappedName(model, o.Rows ? rule.Rows?.ToModel : null);
    }

    /// <summary>
    /// Hugging Face's name of one of our tensors (PEFT's for <c>lora_a</c>, <c>lora_b</c>, <c>magnitude</c>); the whole's for a part of a
    /// fused one; null when unknown.
    /// </summary>
    /// <param name="modelName">As in <c>layers.3.attn.q_proj.weight</c>.</param>
    public MappedName? ToFile(string modelName)
    {
        (string pattern, string[] numbers) = Number(modelName);
        if (_byModel.TryGetValue(pattern, out WeightRule? named) && named.WeightName.Length == 0)
        {
            return new MappedName(Fill(named.File, numbers), named.Rows?.ToFile);
        }

        foreach ((string ours, string theirs, bool rows, bool adapter) in Tails)
        {
            if (!pattern.EndsWith("." + ours, StringComparison.Ordinal)
                || !_byModel.TryGetValue(pattern[..^(ours.Length + 1)], out WeightRule? rule)
                || (theirs == "weight" && rule.WeightName != ours))
            {
                continue;
            }

            string name = Fill($"{rule.File}.{theirs}", numbers);
            if (rule.Transposed && theirs == "weight")
            {
                return new MappedName(name, Transpose, Transposed: true);
            }

            return new MappedName(adapter ? PeftPrefix + name : name, rows ? rule.Rows?.ToFile : null);
        }

        return SliceOf(modelName) is { } slice ? ToFile(slice.Whole) : null;
    }

    private static readonly (string Ours, string Theirs, bool Rows, bool Adapter)[] Tails =
    [
        ("lora_a.weight", "lora_A.weight", false, true),
        ("lora_b.weight", "lora_B.weight", true, true),
        ("magnitude", "lora_magnitude_vector", true, true),
        ("weight", "weight", true, false),
        ("scale", "weight", true, false),
        ("bias", "bias", true, false),
    ];

    /// <summary>Splits a tensor's name into its module and what follows.</summary>
    private static (string Stem, string Tail) Stem(string name)
    {
        foreach (string tail in FileTails)
        {
            if (name.EndsWith("." + tail, StringComparison.Ordinal))
            {
                return (name[..^(tail.Length + 1)], tail);
            }
        }

        return (name, "");
    }

    private static readonly string[] FileTails =
    [
        "lora_A.default.weight", "lora_B.default.weight", "lora_magnitude_vector.default.weight", "lora_magnitude_vector.weight",
        "lora_A.weight", "lora_B.weight", "lora_magnitude_vector", "base_layer.weight", "weight", "bias", "gamma", "beta",
    ];

    /// <summary>Replaces the parts that are numbers by <c>{}</c>.</summary>
    private static (string Pattern, string[] Numbers) Number(string name)
    {
        string[] parts = name.Split('.');
        List<string> numbers = [];
        for (int i = 0; i < parts.Length; i++)
        {
            if (int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out _))
            {
                numbers.Add(parts[i]);
                parts[i] = "{}";
            }
        }

        return numbers.Count == 0 ? (name, []) : (string.Join('.', parts), [.. numbers]);
    }

    private static string Fill(string pattern, string[] numbers)
    {
        foreach (string number in numbers)
        {
            int at = pattern.IndexOf("{}", StringComparison.Ordinal);
            pattern = at < 0 ? pattern : string.Concat(pattern.AsSpan(0, at), number, pattern.AsSpan(at + 2));
        }

        return pattern;
    }

    private static Tensor Transpose(Tensor w) => w.t();
}
