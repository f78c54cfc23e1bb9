using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Llama;

/// <summary>The structure that Llama 2 to 3.3, Mistral and SmolLM2 share: pre-norm, rotary attention with shared key heads, SwiGLU.</summary>
/// <remarks>Papers: https://arxiv.org/abs/2307.09288 (Llama 2), https://arxiv.org/abs/2407.21783 (Llama 3). The releases differ only in numbers.</remarks>
internal static class LlamaDecoder
{
    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora) =>
        DecoderParts.Decoder(shape, lora, LlamaWeights.Map(shape), (i, kind, linear) => new(
            kind,
            DecoderParts.Attention(i, shape, linear),
            DecoderParts.FeedForward(shape, linear),
            saNorm: new RmsNorm(shape.EmbedDim, shape.NormEps),
            mlpNorm: new RmsNorm(shape.EmbedDim, shape.NormEps)));
}

/// <summary>Hugging Face's weight names of the Llama family, and ours.</summary>
internal static class LlamaWeights
{
    /// <summary>The table for one shape. Query and key rows go from half-split to interleaved pairs.</summary>
    public static WeightMap Map(DecoderConfig s) =>
        new([.. HfNames.Ends(s), .. HfNames.Attention(s), .. HfNames.FeedForward(), .. HfNames.PreNorms()]);
}
