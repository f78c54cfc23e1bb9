using TuneSharp.Backend;
using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Llama;

/// <summary>The structure that Llama 2 to 3.3 share: pre-norm, rotary attention with shared key heads, SwiGLU.</summary>
/// <remarks>Papers: https://arxiv.org/abs/2307.09288 (Llama 2), https://arxiv.org/abs/2407.21783 (Llama 3). The releases differ only in numbers.</remarks>
internal static class LlamaDecoder
{
    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora)
    {
        shape.Checked();
        TorchBackend.EnsureLoaded();
        LinearFactory linear = new(lora);
        IReadOnlyList<LayerKind> kinds = shape.Kinds();
        return new TransformerDecoder(
            shape,
            LlamaWeights.Map(shape),
            tokEmbeddings: linear.Embedding(shape.VocabSize, shape.EmbedDim),
            layers: Enumerable.Range(0, shape.NumLayers).Select(i => Layer(i, kinds[i], shape, linear)),
            norm: new RmsNorm(shape.EmbedDim, shape.NormEps),
            output: shape.NumClasses > 0
                ? linear.Output(shape.EmbedDim, shape.NumClasses, tied: false)
                : linear.Output(shape.EmbedDim, shape.VocabSize, shape.TieWordEmbeddings))
        {
            Lora = lora,
        };
    }

    private static TransformerLayer Layer(int i, LayerKind kind, DecoderConfig s, LinearFactory linear) => new(
        kind,
        attn: new MultiHeadAttention(
            layer: i,
            headDim: s.HeadDim,
            qProj: linear.Attention(LoraModule.QProj, s.EmbedDim, s.NumHeads * s.HeadDim, s.AttentionBias),
            kProj: linear.Attention(LoraModule.KProj, s.EmbedDim, s.NumKvHeads * s.HeadDim, s.AttentionBias),
            vProj: linear.Attention(LoraModule.VProj, s.EmbedDim, s.NumKvHeads * s.HeadDim, s.AttentionBias),
            outputProj: linear.Attention(LoraModule.OutputProj, s.NumHeads * s.HeadDim, s.EmbedDim, s.AttentionBias),
            options: s.AttentionOptions()),
        mlp: new FeedForward(
            w1: linear.Mlp(LoraMlpModule.W1, s.EmbedDim, s.HiddenDim, s.MlpBias),
            w2: linear.Mlp(LoraMlpModule.W2, s.HiddenDim, s.EmbedDim, s.MlpBias),
            w3: linear.Mlp(LoraMlpModule.W3, s.EmbedDim, s.HiddenDim, s.MlpBias)),
        saNorm: new RmsNorm(s.EmbedDim, s.NormEps),
        mlpNorm: new RmsNorm(s.EmbedDim, s.NormEps));
}

/// <summary>Hugging Face's weight names of the Llama family, and ours.</summary>
internal static class LlamaWeights
{
    /// <summary>The table for one shape. Query and key rows go from half-split to interleaved pairs.</summary>
    public static WeightMap Map(DecoderConfig s) => new(
        new("model.embed_tokens", "tok_embeddings"),
        new("model.layers.{}.self_attn.q_proj", "layers.{}.attn.q_proj", RowOrder.InterleavedPairs(s.NumHeads)),
        new("model.layers.{}.self_attn.k_proj", "layers.{}.attn.k_proj", RowOrder.InterleavedPairs(s.NumKvHeads)),
        new("model.layers.{}.self_attn.v_proj", "layers.{}.attn.v_proj"),
        new("model.layers.{}.self_attn.o_proj", "layers.{}.attn.output_proj"),
        new("model.layers.{}.self_attn.rotary_emb.inv_freq", null),
        new("model.layers.{}.mlp.gate_proj", "layers.{}.mlp.w1"),
        new("model.layers.{}.mlp.down_proj", "layers.{}.mlp.w2"),
        new("model.layers.{}.mlp.up_proj", "layers.{}.mlp.w3"),
        new("model.layers.{}.input_layernorm", "layers.{}.sa_norm", WeightName: "scale"),
        new("model.layers.{}.post_attention_layernorm", "layers.{}.mlp_norm", WeightName: "scale"),
        new("model.norm", "norm", WeightName: "scale"),
        s.NumClasses > 0 ? new("score", "output") : s.TieWordEmbeddings ? new("lm_head", null) : new("lm_head", "output"));
}
