using TuneSharp.Config;
using TuneSharp.Models.Phi3;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Phi4;

/// <summary>Phi-4 14B and Phi-4-mini: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Papers: https://arxiv.org/abs/2412.08905, https://arxiv.org/abs/2503.01743. Mirrors <c>torchtune/models/phi4/_model_builders.py</c>. The rotary base is the released model's; torchtune has 10 000.</remarks>
public static class Phi4Builders
{
    private static readonly DecoderConfig Shape14B = new()
    {
        VocabSize = 100_352, NumLayers = 40, NumHeads = 40, NumKvHeads = 10,
        EmbedDim = 5120, HiddenDim = 17_920, MaxSeqLen = 16_384, NormEps = 1e-5, RopeBase = 250_000,
    };

    private static readonly DecoderConfig ShapeMini = new()
    {
        VocabSize = 200_064, NumLayers = 32, NumHeads = 24, NumKvHeads = 8,
        EmbedDim = 3072, HiddenDim = 8192, MaxSeqLen = 131_072, NormEps = 1e-5, RopeBase = 10_000,
        TieWordEmbeddings = true, PartialRotaryFactor = 0.75, SlidingWindow = 262_144,
        RopeScaling = new("longrope", Factor: 32, OriginalMaxSeqLen: 4096)
        {
            ShortFactors = [.. Enumerable.Repeat(1.0, 48)],
            LongFactors =
            [
                1, 1.118320672, 1.250641126, 1.398617824, 1.564103225, 1.74916897, 1.956131817, 2.187582649,
                2.446418898, 2.735880826, 3.059592084, 3.421605075, 3.826451687, 4.279200023, 4.785517845, 5.351743533,
                5.984965424, 6.693110555, 7.485043894, 8.370679318, 9.36110372, 10.4687158, 11.70738129, 13.09260651,
                14.64173252, 16.37415215, 18.31155283, 20.47818807, 22.90118105, 25.61086418, 28.64115884, 32.03,
                32.1, 32.13, 32.23, 32.6, 32.61, 32.64, 32.66, 32.7,
                32.71, 32.93, 32.97, 33.28, 33.49, 33.5, 44.16, 47.77,
            ],
        },
    };

    /// <summary>Phi-4 14B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.phi4.phi4_14b")]
    public static TransformerDecoder Phi4_14B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape14B, null, Phi3Decoder.Build, weights);

    /// <summary>Phi-4 14B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.phi4.lora_phi4_14b")]
    public static TransformerDecoder LoraPhi4_14B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape14B, lora, Phi3Decoder.Build, weights);

    /// <summary>Phi-4 14B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.phi4.qlora_phi4_14b")]
    public static TransformerDecoder QloraPhi4_14B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape14B, lora with { QuantizeBase = true }, Phi3Decoder.Build, weights);

    /// <summary>Phi-4-mini.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.phi4.phi4_mini")]
    public static TransformerDecoder Phi4Mini([Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeMini, null, Phi3Decoder.Build, weights);

    /// <summary>Phi-4-mini with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.phi4.lora_phi4_mini")]
    public static TransformerDecoder LoraPhi4Mini(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeMini, lora, Phi3Decoder.Build, weights);

    /// <summary>Phi-4-mini with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.phi4.qlora_phi4_mini")]
    public static TransformerDecoder QloraPhi4Mini(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeMini, lora with { QuantizeBase = true }, Phi3Decoder.Build, weights);
}
