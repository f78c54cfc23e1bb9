using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Gemma3;

/// <summary>Gemma 3, text: Gemma 2 without caps, with norms of queries and keys, five sliding layers to one full, and a rotary base for each kind.</summary>
/// <remarks>Paper: https://arxiv.org/abs/2503.19786.</remarks>
internal static class Gemma3Decoder
{
    private const int Period = 6; // layers from one with full attention to the next

    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora) => Build(shape, lora, whole: false);

    /// <summary>Builds the model, perhaps out of a checkpoint that also sees.</summary>
    /// <param name="shape">Its numbers.</param>
    /// <param name="lora">Adapters, or null.</param>
    /// <param name="whole">The files hold it inside a larger model.</param>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora, bool whole)
    {
        DecoderConfig s = shape with { EmbedScale = Math.Sqrt(shape.EmbedDim), Activation = GateActivation.GeluTanh };
        RmsNorm Norm() => new(s.EmbedDim, s.NormEps, offset: true);
        RmsNorm HeadNorm() => new(s.HeadDim, s.NormEps, offset: true);
        return DecoderParts.Decoder(
            s, lora, whole ? WholeModel.Inside(Map(s)) : Map(s),
            (i, kind, linear) => new(
                kind, DecoderParts.Attention(i, s, linear, HeadNorm(), HeadNorm()), DecoderParts.FeedForward(s, linear),
                saNorm: Norm(), mlpNorm: Norm(), saScale: Norm(), mlpScale: Norm()),
            offsetNorm: true);
    }

    /// <summary>Hugging Face's weight names, and ours.</summary>
    public static WeightMap Map(DecoderConfig s) => new(
        [.. HfNames.Ends(s), .. HfNames.Attention(s), .. HfNames.HeadNorms(s), .. HfNames.FeedForward(), .. HfNames.FourNorms()]);

    /// <summary>Layers with a window: all but each sixth.</summary>
    public static IReadOnlyList<int> SlidingLayers(int layers, int period = Period) =>
        [.. Enumerable.Range(0, layers).Where(i => (i + 1) % period != 0)];

    /// <summary>Reads a <c>config.json</c> of model type gemma3_text.</summary>
    public static DecoderConfig Shape(HfConfig c)
    {
        HfDecoder.Causal(c);
        DecoderConfig s = HfDecoder.Read(
            c, ["gelu_pytorch_tanh"], tied: true, theta: 1_000_000, activationKey: "hidden_activation", ropeOf: "full_attention");
        RopeSettings near = c.Rope(10_000, "sliding_attention");
        _ = c.NumberOrNull("attn_logit_softcapping"); // the field is there, and transformers never uses it
        int period = c.Int("sliding_window_pattern", c.Int("_sliding_window_pattern", Period));
        return s with
        {
            HeadDim = c.Int("head_dim", 256),
            SlidingWindow = HfDecoder.Window(c, absent: 4096),
            SlidingLayers = HfDecoder.SlidingLayers(c) ?? SlidingLayers(s.NumLayers, period),
            SlidingRopeBase = c.Has("rope_parameters") || c.Has("rope_local_base_freq") ? near.Theta : 10_000,
            SlidingRopeScaling = near.Type == "default" ? null : HfDecoder.Scaling(c, near),
            AttnScale = Math.Pow(c.Number("query_pre_attn_scalar", 256), -0.5),
            LogitSoftCap = c.NumberOrNull("final_logit_softcapping"),
        };
    }
}
