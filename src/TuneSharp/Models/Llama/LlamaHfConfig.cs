using TuneSharp.Checkpointing;
using TuneSharp.Modules;

namespace TuneSharp.Models.Llama;

/// <summary>Reads Hugging Face's <c>config.json</c> of the Llama family, in both spellings of its rotary settings.</summary>
internal static class LlamaHfConfig
{
    /// <summary>The shape that the file describes.</summary>
    /// <exception cref="CheckpointException">A field has a value that this family does not compute.</exception>
    public static DecoderConfig Shape(HfConfig c)
    {
        Require(c, "hidden_act", c.Text("hidden_act", "silu"), "silu");
        if (c.Has("quantization_config"))
        {
            throw new CheckpointException(
                $"{c.File}: the weights are quantised (quantization_config), which this version does not read. Use the unquantised checkpoint.");
        }

        int heads = c.Int("num_attention_heads");
        int layers = c.Int("num_hidden_layers");
        bool tied = c.Flag("tie_word_embeddings", false);
        bool classifier = c.Architectures.Any(a => a.EndsWith("ForSequenceClassification", StringComparison.Ordinal));
        return new DecoderConfig
        {
            VocabSize = c.Int("vocab_size"),
            NumLayers = layers,
            NumHeads = heads,
            NumKvHeads = c.Int("num_key_value_heads", heads),
            EmbedDim = c.Int("hidden_size"),
            HiddenDim = c.Int("intermediate_size"),
            HeadDim = c.Int("head_dim", c.Int("hidden_size") / heads),
            MaxSeqLen = c.Int("max_position_embeddings", 2048),
            NormEps = c.Number("rms_norm_eps", 1e-6),
            RopeBase = c.Rope().Theta,
            RopeScaling = Scaling(c),
            AttnDropout = c.Number("attention_dropout", 0),
            AttentionBias = c.Flag("attention_bias", false),
            MlpBias = c.Flag("mlp_bias", false),
            TieWordEmbeddings = tied && !classifier,
            NumClasses = classifier ? c.IntOrNull("num_labels") ?? Labels(c) : 0,
        }.Checked();
    }

    private static int Labels(HfConfig c) => c.Get("id2label") is System.Text.Json.Nodes.JsonObject labels ? labels.Count : 2;

    private static RopeScaling? Scaling(HfConfig c)
    {
        RopeSettings rope = c.Rope();
        return rope.Type switch
        {
            "default" => null,
            "linear" => new RopeScaling("linear", rope.Number("factor")),
            "llama3" => new RopeScaling(
                "llama3", rope.Number("factor"), rope.Number("low_freq_factor"), rope.Number("high_freq_factor"),
                (long)rope.Number("original_max_position_embeddings")),
            _ => throw new CheckpointException(
                $"{c.File}: rope_type {rope.Type} is not supported for model_type llama. Supported: {string.Join(", ", RopeScaling.KnownTypes)}."),
        };
    }

    private static void Require(HfConfig c, string key, string value, string wanted)
    {
        if (value != wanted)
        {
            throw new CheckpointException($"{c.File}: {key} is {value}; this family computes {wanted} only.");
        }
    }
}
