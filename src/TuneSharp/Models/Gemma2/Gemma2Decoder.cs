using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Gemma2;

/// <summary>Gemma 2: Gemma with norms before and after each block, capped scores and logits, and a sliding window in every other layer.</summary>
/// <remarks>Paper: https://arxiv.org/abs/2408.00118.</remarks>
internal static class Gemma2Decoder
{
    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora)
    {
        DecoderConfig s = shape with { EmbedScale = Math.Sqrt(shape.EmbedDim), Activation = GateActivation.GeluTanh };
        RmsNorm Norm() => new(s.EmbedDim, s.NormEps, offset: true);
        return DecoderParts.Decoder(
            s, lora, Map(s),
            (i, kind, linear) => new(
                kind, DecoderParts.Attention(i, s, linear), DecoderParts.FeedForward(s, linear),
                saNorm: Norm(), mlpNorm: Norm(), saScale: Norm(), mlpScale: Norm()),
            offsetNorm: true);
    }

    /// <summary>Hugging Face's weight names, and ours.</summary>
    public static WeightMap Map(DecoderConfig s) =>
        new([.. HfNames.Ends(s), .. HfNames.Attention(s), .. HfNames.FeedForward(), .. HfNames.FourNorms()]);

    /// <summary>Layers with a window: the even ones.</summary>
    public static IReadOnlyList<int> SlidingLayers(int layers) => [.. Enumerable.Range(0, layers).Where(i => i % 2 == 0)];

    /// <summary>Reads a <c>config.json</c>.</summary>
    public static DecoderConfig Shape(HfConfig c)
    {
        HfDecoder.Causal(c);
        DecoderConfig s = HfDecoder.Read(c, ["gelu_pytorch_tanh"], tied: true, activationKey: "hidden_activation");
        HfDecoder.OneOf(c, "hidden_act", c.Text("hidden_act", "gelu_pytorch_tanh"), ["gelu_pytorch_tanh"]);
        return s with
        {
            HeadDim = c.Int("head_dim", 256),
            SlidingWindow = HfDecoder.Window(c, absent: 4096),
            SlidingLayers = HfDecoder.SlidingLayers(c) ?? SlidingLayers(s.NumLayers),
            AttnScale = Math.Pow(c.Number("query_pre_attn_scalar", 256), -0.5),
            AttnSoftCap = HfDecoder.NumberOrAbsent(c, "attn_logit_softcapping", 50),
            LogitSoftCap = HfDecoder.NumberOrAbsent(c, "final_logit_softcapping", 30),
        };
    }
}
