using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Gemma3;

/// <summary>Gemma 3, text, at 270M, 1B, 4B, 12B and 27B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2503.19786.</remarks>
public static class Gemma3Builders
{
    private static readonly DecoderConfig Shape1B = new()
    {
        VocabSize = 262_144, NumLayers = 26, NumHeads = 4, NumKvHeads = 1, HeadDim = 256,
        EmbedDim = 1152, HiddenDim = 6912, MaxSeqLen = 32_768, NormEps = 1e-6, RopeBase = 1_000_000,
        TieWordEmbeddings = true,
        SlidingWindow = 512, SlidingLayers = Gemma3Decoder.SlidingLayers(26), SlidingRopeBase = 10_000, AttnScale = 0.0625,
    };

    private static readonly DecoderConfig Shape270M = Shape1B with
    {
        NumLayers = 18, EmbedDim = 640, HiddenDim = 2048, SlidingLayers = Gemma3Decoder.SlidingLayers(18),
    };

    private static readonly DecoderConfig Shape4B = new()
    {
        VocabSize = 262_208, NumLayers = 34, NumHeads = 8, NumKvHeads = 4, HeadDim = 256,
        EmbedDim = 2560, HiddenDim = 10_240, MaxSeqLen = 131_072, NormEps = 1e-6, RopeBase = 1_000_000,
        TieWordEmbeddings = true, RopeScaling = new("linear", Factor: 8),
        SlidingWindow = 1024, SlidingLayers = Gemma3Decoder.SlidingLayers(34), SlidingRopeBase = 10_000, AttnScale = 0.0625,
    };

    private static readonly DecoderConfig Shape12B = Shape4B with
    {
        NumLayers = 48, NumHeads = 16, NumKvHeads = 8, EmbedDim = 3840, HiddenDim = 15_360, SlidingLayers = Gemma3Decoder.SlidingLayers(48),
    };

    private static readonly DecoderConfig Shape27B = Shape4B with
    {
        NumLayers = 62, NumHeads = 32, NumKvHeads = 16, HeadDim = 128, EmbedDim = 5376, HiddenDim = 21_504,
        SlidingLayers = Gemma3Decoder.SlidingLayers(62), AttnScale = 1 / Math.Sqrt(168), // query_pre_attn_scalar is width / heads
    };

    /// <summary>Gemma 3 270M.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.gemma3_270m")]
    public static TransformerDecoder Gemma3_270M([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape270M, null, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 270M with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.lora_gemma3_270m")]
    public static TransformerDecoder LoraGemma3_270M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape270M, lora, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 270M with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.qlora_gemma3_270m")]
    public static TransformerDecoder QloraGemma3_270M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape270M, lora with { QuantizeBase = true }, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 1B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.gemma3_1b")]
    public static TransformerDecoder Gemma3_1B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1B, null, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 1B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.lora_gemma3_1b")]
    public static TransformerDecoder LoraGemma3_1B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1B, lora, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 1B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.qlora_gemma3_1b")]
    public static TransformerDecoder QloraGemma3_1B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1B, lora with { QuantizeBase = true }, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 4B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.gemma3_4b")]
    public static TransformerDecoder Gemma3_4B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape4B, null, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 4B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.lora_gemma3_4b")]
    public static TransformerDecoder LoraGemma3_4B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape4B, lora, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 4B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.qlora_gemma3_4b")]
    public static TransformerDecoder QloraGemma3_4B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape4B, lora with { QuantizeBase = true }, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 12B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.gemma3_12b")]
    public static TransformerDecoder Gemma3_12B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape12B, null, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 12B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.lora_gemma3_12b")]
    public static TransformerDecoder LoraGemma3_12B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape12B, lora, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 12B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.qlora_gemma3_12b")]
    public static TransformerDecoder QloraGemma3_12B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape12B, lora with { QuantizeBase = true }, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 27B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.gemma3_27b")]
    public static TransformerDecoder Gemma3_27B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape27B, null, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 27B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.lora_gemma3_27b")]
    public static TransformerDecoder LoraGemma3_27B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape27B, lora, Gemma3Decoder.Build, weights);

    /// <summary>Gemma 3 27B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gemma3.qlora_gemma3_27b")]
    public static TransformerDecoder QloraGemma3_27B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape27B, lora with { QuantizeBase = true }, Gemma3Decoder.Build, weights);
}
