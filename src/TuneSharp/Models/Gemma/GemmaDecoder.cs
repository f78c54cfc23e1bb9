using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Gemma;

/// <summary>Gemma 1: norms by 1 + scale, embeddings times √width, GEGLU, a tied head, heads of a width of their own.</summary>
/// <remarks>Paper: https://arxiv.org/abs/2403.08295.</remarks>
internal static class GemmaDecoder
{
    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora)
    {
        DecoderConfig s = shape with { EmbedScale = Math.Sqrt(shape.EmbedDim), Activation = GateActivation.GeluTanh };
        RmsNorm Norm() => new(s.EmbedDim, s.NormEps, offset: true);
        return DecoderParts.Decoder(
            s, lora, Map(s),
            (i, kind, linear) => new(
                kind, DecoderParts.Attention(i, s, linear), DecoderParts.FeedForward(s, linear), saNorm: Norm(), mlpNorm: Norm()),
            offsetNorm: true);
    }

    /// <summary>Hugging Face's weight names, and ours.</summary>
    public static WeightMap Map(DecoderConfig s) =>
        new([.. HfNames.Ends(s), .. HfNames.Attention(s), .. HfNames.FeedForward(), .. HfNames.PreNorms()]);

    /// <summary>Reads a <c>config.json</c>. Early files say gelu and mean its tanh formula, as transformers reads them.</summary>
    public static DecoderConfig Shape(HfConfig c)
    {
        HfDecoder.Causal(c);
        HfDecoder.OneOf(c, "hidden_activation", c.Text("hidden_activation", "gelu_pytorch_tanh"), ["gelu_pytorch_tanh"]);
        return HfDecoder.Read(c, ["gelu_pytorch_tanh", "gelu"], tied: true) with { HeadDim = c.Int("head_dim", 256) };
    }
}
