using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Olmo2;

/// <summary>OLMo 2: norms after the blocks instead of before, and over the whole of queries and keys.</summary>
/// <remarks>Paper: https://arxiv.org/abs/2501.00656.</remarks>
internal static class Olmo2Decoder
{
    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora) =>
        DecoderParts.Decoder(shape, lora, Map(shape), (i, kind, linear) => new(
            kind,
            DecoderParts.Attention(
                i, shape, linear,
                qNorm: new RmsNorm(shape.NumHeads * shape.HeadDim, shape.NormEps),
                kNorm: new RmsNorm(shape.NumKvHeads * shape.HeadDim, shape.NormEps)),
            DecoderParts.FeedForward(shape, linear),
            saScale: new RmsNorm(shape.EmbedDim, shape.NormEps),
            mlpScale: new RmsNorm(shape.EmbedDim, shape.NormEps)));

    /// <summary>Hugging Face's weight names, and ours.</summary>
    public static WeightMap Map(DecoderConfig s) => new(
    [
        .. HfNames.Ends(s), .. HfNames.Attention(s), .. HfNames.FeedForward(),
        new("model.layers.{}.self_attn.q_norm", "layers.{}.attn.q_norm", HfNames.Queries(s), "scale"),
        new("model.layers.{}.self_attn.k_norm", "layers.{}.attn.k_norm", HfNames.Keys(s), "scale"),
        new("model.layers.{}.post_attention_layernorm", "layers.{}.sa_scale", WeightName: "scale"),
        new("model.layers.{}.post_feedforward_layernorm", "layers.{}.mlp_scale", WeightName: "scale"),
    ]);

    /// <summary>Reads a <c>config.json</c>.</summary>
    public static DecoderConfig Shape(HfConfig c) => HfDecoder.Read(c);
}
