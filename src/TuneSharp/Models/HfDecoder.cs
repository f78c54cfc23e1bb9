using System.Text.Json.Nodes;
using TuneSharp.Checkpointing;
using TuneSharp.Modules;

namespace TuneSharp.Models;

/// <summary>Reads what the <c>config.json</c> files of all decoders have in common, in both of transformers' spellings.</summary>
internal static class HfDecoder
{
    private static readonly HashSet<string> RopeKeys = new(StringComparer.Ordinal)
    {
        "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow",
        "truncate", "mscale", "mscale_all_dim", "short_factor", "long_factor", "partial_rotary_factor", "finetuned", "llama_4_scaling_beta",
    };

    /// <summary>The numbers that every decoder has. A family adds its own with <c>with</c>.</summary>
    /// <param name="c">The file.</param>
    /// <param name="activations">Values of <c>hidden_act</c> that the family computes.</param>
    /// <param name="tied">What <c>tie_word_embeddings</c> means when absent.</param>
    /// <param name="theta">What <c>rope_theta</c> means when absent.</param>
    /// <param name="activationKey">Where the file names its activation.</param>
    /// <param name="ropeOf">Layers whose rotary settings are the model's, where these differ by layer.</param>
    /// <exception cref="CheckpointException">A field has a value that the family does not compute.</exception>
    public static DecoderConfig Read(
        HfConfig c, IReadOnlyList<string>? activations = null, bool tied = false, double theta = 10_000, string activationKey = "hidden_act",
        string? ropeOf = null)
    {
        activations ??= ["silu"];
        OneOf(c, activationKey, c.Text(activationKey, activations[0]), activations);
        RefuseQuantised(c);
        int heads = c.Int("num_attention_heads");
        bool classifier = IsClassifier(c);
        RopeSettings rope = c.Rope(theta, ropeOf);
        return new DecoderConfig
        {
            VocabSize = c.Int("vocab_size"),
            NumLayers = c.Int("num_hidden_layers"),
            NumHeads = heads,
            NumKvHeads = c.Int("num_key_value_heads", heads),
            EmbedDim = c.Int("hidden_size"),
            HiddenDim = c.Int("intermediate_size"),
            HeadDim = c.Int("head_dim", c.Int("hidden_size") / heads),
            MaxSeqLen = c.Int("max_position_embeddings", 2048),
            NormEps = c.Number("rms_norm_eps", 1e-6),
            RopeBase = rope.Theta,
            RopeScaling = Scaling(c, rope),
            PartialRotaryFactor = rope.Number("partial_rotary_factor", c.Number("partial_rotary_factor", 1)),
            AttnDropout = c.Number("attention_dropout", 0),
            AttentionBias = c.Flag("attention_bias", false),
            TieWordEmbeddings = c.Flag("tie_word_embeddings", tied) && !classifier,
            NumClasses = classifier ? NumLabels(c) : 0,
        };
    }

    /// <summary>Whether the file is of a model that answers with class scores.</summary>
    public static bool IsClassifier(HfConfig c) =>
        c.Architectures.Any(a => a.EndsWith("ForSequenceClassification", StringComparison.Ordinal));

    /// <summary>How the file's frequencies are stretched, or null.</summary>
    /// <param name="c">The file.</param>
    /// <param name="rope">Its rotary settings.</param>
    public static RopeScaling? Scaling(HfConfig c, RopeSettings rope)
    {
        string[] unknown = [.. rope.Settings.Keys.Where(k => !RopeKeys.Contains(k)).Order(StringComparer.Ordinal)];
        if (unknown.Length > 0)
        {
            throw new CheckpointException(
                $"{c.File}: the rotary settings have {string.Join(", ", unknown)}, which is not understood; ignoring it could change what the model computes.");
        }

        double longest = c.Int("max_position_embeddings", 2048);
        double original = rope.Number("original_max_position_embeddings", c.Number("original_max_position_embeddings", longest));
        double? Optional(string key) => rope.Settings.GetValueOrDefault(key) is null ? null : rope.Number(key);
        return rope.Type switch
        {
            "default" => null,
            "linear" or "dynamic" => new RopeScaling(rope.Type, rope.Number("factor")),
            "llama3" => new RopeScaling(
                "llama3", rope.Number("factor"), rope.Number("low_freq_factor"), rope.Number("high_freq_factor"),
                (long)rope.Number("original_max_position_embeddings")),
            "yarn" => new RopeScaling("yarn", rope.Number("factor", longest / original), OriginalMaxSeqLen: (long)original)
            {
                AttentionFactor = Optional("attention_factor"),
                BetaFast = rope.Number("beta_fast", 32),
                BetaSlow = rope.Number("beta_slow", 1),
                Truncate = rope.Settings.GetValueOrDefault("truncate")?.GetValue<bool>() ?? true,
                Mscale = Optional("mscale"),
                MscaleAllDim = Optional("mscale_all_dim"),
            },
            "longrope" => new RopeScaling("longrope", rope.Number("factor", longest / original), OriginalMaxSeqLen: (long)original)
            {
                AttentionFactor = Optional("attention_factor"),
                ShortFactors = Factors(c, rope, "short_factor"),
                LongFactors = Factors(c, rope, "long_factor"),
            },
            _ => throw new CheckpointException(
                $"{c.File}: rope_type {rope.Type} is not supported. Supported: {string.Join(", ", RopeScaling.KnownTypes)}."),
        };
    }

    /// <summary>Layers with a sliding window, by number, from <c>layer_types</c>; null when the file does not say.</summary>
    public static IReadOnlyList<int>? SlidingLayers(HfConfig c)
    {
        IReadOnlyList<string> types = c.Texts("layer_types");
        foreach (string type in types)
        {
            OneOf(c, "layer_types", type, ["full_attention", "sliding_attention"]);
        }

        return types.Count == 0 ? null
            : types.Count == c.Int("num_hidden_layers") ? [.. Enumerable.Range(0, types.Count).Where(i => types[i] == "sliding_attention")]
            : throw new CheckpointException(
                $"{c.File}: layer_types has {types.Count} entries for {c.Int("num_hidden_layers")} layers. Each layer needs one.");
    }

    /// <summary>A number whose absence and whose null mean different things to transformers.</summary>
    /// <param name="c">The file.</param>
    /// <param name="key">The key.</param>
    /// <param name="absent">What absence means; null means none.</param>
    public static double? NumberOrAbsent(HfConfig c, string key, double absent) => c.Keys.Contains(key, StringComparer.Ordinal) ? c.NumberOrNull(key) : absent;

    /// <summary>A sliding window in tokens; null for none.</summary>
    /// <param name="c">The file.</param>
    /// <param name="absent">What absence means.</param>
    public static long? Window(HfConfig c, int? absent = null) => c.Keys.Contains("sliding_window", StringComparer.Ordinal) ? c.IntOrNull("sliding_window") : absent;

    /// <summary>Refuses a rate of dropout in a place that is not computed.</summary>
    public static void NoDropout(HfConfig c, params IReadOnlyList<string> keys)
    {
        foreach (string key in keys)
        {
            if (c.Number(key, 0) != 0)
            {
                throw new CheckpointException($"{c.File}: {key} is not 0, and dropout is computed on attention weights and adapters only. Set it to 0.");
            }
        }
    }

    /// <summary>Refuses attention that looks ahead.</summary>
    public static void Causal(HfConfig c)
    {
        if (c.Flag("use_bidirectional_attention", false))
        {
            throw new CheckpointException($"{c.File}: use_bidirectional_attention is true; this family is computed with causal attention only.");
        }
    }

    /// <summary>Refuses a value that the family does not compute.</summary>
    public static void OneOf(HfConfig c, string key, string value, IReadOnlyList<string> wanted)
    {
        if (!wanted.Contains(value, StringComparer.Ordinal))
        {
            throw new CheckpointException($"{c.File}: {key} is {value}; model_type {c.ModelType} computes {string.Join(" or ", wanted)} only.");
        }
    }

    /// <summary>Refuses weights that are stored in fewer bits, except bitsandbytes'.</summary>
    public static void RefuseQuantised(HfConfig c) => BnbConfig.Check(c);

    private static IReadOnlyList<double> Factors(HfConfig c, RopeSettings rope, string key) =>
        rope.Settings.GetValueOrDefault(key) is JsonArray list && list.All(n => n is JsonValue v && v.TryGetValue(out double _))
            ? [.. list.Select(n => n!.GetValue<double>())]
            : throw new CheckpointException($"{c.File}: rope type longrope needs {key}, a list of numbers. Download the file again.");

    /// <summary>Classes of a classifier.</summary>
    public static int NumLabels(HfConfig c) => c.IntOrNull("num_labels") ?? (c.Get("id2label") is JsonObject labels ? labels.Count : 2);
}
