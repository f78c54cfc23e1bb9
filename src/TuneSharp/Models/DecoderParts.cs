using TuneSharp.Backend;
using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models;

/// <summary>The parts that dense decoders are put together from. What a family puts where stands in its own Build.</summary>
internal static class DecoderParts
{
    /// <summary>Embedding table, layers, last norm and head.</summary>
    /// <param name="s">The shape.</param>
    /// <param name="lora">Adapters, or null.</param>
    /// <param name="weights">The family's weight names.</param>
    /// <param name="layer">Makes the layer of a number.</param>
    /// <param name="offsetNorm">The last norm is of Gemma's kind.</param>
    public static TransformerDecoder Decoder(
        DecoderConfig s, LoraConfig? lora, WeightMap weights, Func<int, LayerKind, LinearFactory, TransformerLayer> layer,
        bool offsetNorm = false)
    {
        (s, weights) = BuildScope.Resized(s.Checked(), weights);
        TorchBackend.EnsureLoaded();
        LinearFactory linear = new(lora);
        IReadOnlyList<LayerKind> kinds = s.Kinds();
        return new TransformerDecoder(
            s,
            weights,
            tokEmbeddings: linear.Embedding(s.VocabSize, s.EmbedDim),
            layers: Enumerable.Range(0, s.NumLayers).Select(i => layer(i, kinds[i], linear)),
            norm: new RmsNorm(s.EmbedDim, s.NormEps, offsetNorm),
            output: s.NumClasses > 0
                ? linear.Output(s.EmbedDim, s.NumClasses, tied: false)
                : linear.Output(s.EmbedDim, s.VocabSize, s.TieWordEmbeddings))
        {
            Lora = lora,
        };
    }

    /// <summary>Attention with the shape's heads, biases and options.</summary>
    public static MultiHeadAttention Attention(int i, DecoderConfig s, LinearFactory linear, RmsNorm? qNorm = null, RmsNorm? kNorm = null) => new(
        layer: i,
        headDim: s.HeadDim,
        qProj: linear.Attention(LoraModule.QProj, s.EmbedDim, s.NumHeads * s.HeadDim, s.AttentionBias),
        kProj: linear.Attention(LoraModule.KProj, s.EmbedDim, s.NumKvHeads * s.HeadDim, s.AttentionBias),
        vProj: linear.Attention(LoraModule.VProj, s.EmbedDim, s.NumKvHeads * s.HeadDim, s.AttentionBias),
        outputProj: linear.Attention(LoraModule.OutputProj, s.NumHeads * s.HeadDim, s.EmbedDim, s.AttentionOutputBias ?? s.AttentionBias),
        qNorm,
        kNorm,
        options: s.AttentionOptions());

    /// <summary>A gated feed-forward block.</summary>
    public static FeedForward FeedForward(DecoderConfig s, LinearFactory linear) => new(
        w1: linear.Mlp(LoraMlpModule.W1, s.EmbedDim, s.HiddenDim, s.MlpBias),
        w2: linear.Mlp(LoraMlpModule.W2, s.HiddenDim, s.EmbedDim, s.MlpBias),
        w3: linear.Mlp(LoraMlpModule.W3, s.EmbedDim, s.HiddenDim, s.MlpBias),
        s.Activation);
}

/// <summary>Lines of a weight table that most of Hugging Face's decoders have.</summary>
internal static class HfNames
{
    /// <summary>Query rows: rotary halves in the file, pairs side by side here.</summary>
    public static RowOrder Queries(DecoderConfig s) => Pairs(s, s.NumHeads);

    /// <summary>Key rows.</summary>
    public static RowOrder Keys(DecoderConfig s) => Pairs(s, s.NumKvHeads);

    /// <summary>Embedding table, last norm and head.</summary>
    public static IEnumerable<WeightRule> Ends(DecoderConfig s) =>
    [
        new("model.embed_tokens", "tok_embeddings"),
        new("model.norm", "norm", WeightName: "scale"),
        s.NumClasses > 0 ? new("score", "output") : s.TieWordEmbeddings ? new("lm_head", null) : new("lm_head", "output"),
    ];

    /// <summary>Attention in four linears.</summary>
    public static IEnumerable<WeightRule> Attention(DecoderConfig s) =>
    [
        new("model.layers.{}.self_attn.q_proj", "layers.{}.attn.q_proj", Queries(s)),
        new("model.layers.{}.self_attn.k_proj", "layers.{}.attn.k_proj", Keys(s)),
        new("model.layers.{}.self_attn.v_proj", "layers.{}.attn.v_proj"),
        new("model.layers.{}.self_attn.o_proj", "layers.{}.attn.output_proj"),
        new("model.layers.{}.self_attn.rotary_emb.inv_freq", null),
    ];

    /// <summary>Norms of queries and keys, each head by itself.</summary>
    public static IEnumerable<WeightRule> HeadNorms(DecoderConfig s) =>
    [
        new("model.layers.{}.self_attn.q_norm", "layers.{}.attn.q_norm", Pairs(s, 1), "scale"),
        new("model.layers.{}.self_attn.k_norm", "layers.{}.attn.k_norm", Pairs(s, 1), "scale"),
    ];

    /// <summary>A gated feed-forward block in three linears.</summary>
    public static IEnumerable<WeightRule> FeedForward() =>
    [
        new("model.layers.{}.mlp.gate_proj", "layers.{}.mlp.w1"),
        new("model.layers.{}.mlp.down_proj", "layers.{}.mlp.w2"),
        new("model.layers.{}.mlp.up_proj", "layers.{}.mlp.w3"),
    ];

    /// <summary>Norms before attention and feed-forward block.</summary>
    public static IEnumerable<WeightRule> PreNorms() =>
    [
        new("model.layers.{}.input_layernorm", "layers.{}.sa_norm", WeightName: "scale"),
        new("model.layers.{}.post_attention_layernorm", "layers.{}.mlp_norm", WeightName: "scale"),
    ];

    /// <summary>Gemma's four norms.</summary>
    public static IEnumerable<WeightRule> FourNorms() =>
    [
        new("model.layers.{}.input_layernorm", "layers.{}.sa_norm", WeightName: "scale"),
        new("model.layers.{}.post_attention_layernorm", "layers.{}.sa_scale", WeightName: "scale"),
        new("model.layers.{}.pre_feedforward_layernorm", "layers.{}.mlp_norm", WeightName: "scale"),
        new("model.layers.{}.post_feedforward_layernorm", "layers.{}.mlp_scale", WeightName: "scale"),
    ];

    private static RowOrder Pairs(DecoderConfig s, long heads) =>
        RowOrder.InterleavedPairs(heads, s.HeadDim, Rope.RotaryDim(s.HeadDim, s.PartialRotaryFactor));
}
