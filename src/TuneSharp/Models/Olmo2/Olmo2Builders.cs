using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Olmo2;

/// <summary>OLMo 2 at 1B, 7B, 13B and 32B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2501.00656.</remarks>
public static class Olmo2Builders
{
    private static readonly DecoderConfig Shape1B = new()
    {
        VocabSize = 100_352, NumLayers = 16, NumHeads = 16, NumKvHeads = 16,
        EmbedDim = 2048, HiddenDim = 8192, MaxSeqLen = 4096, NormEps = 1e-6, RopeBase = 500_000,
    };

    private static readonly DecoderConfig Shape7B = Shape1B with
    {
        NumLayers = 32, NumHeads = 32, NumKvHeads = 32, EmbedDim = 4096, HiddenDim = 11_008,
    };

    private static readonly DecoderConfig Shape13B = Shape1B with
    {
        NumLayers = 40, NumHeads = 40, NumKvHeads = 40, EmbedDim = 5120, HiddenDim = 13_824,
    };

    private static readonly DecoderConfig Shape32B = Shape1B with
    {
        NumLayers = 64, NumHeads = 40, NumKvHeads = 8, EmbedDim = 5120, HiddenDim = 27_648,
    };

    /// <summary>OLMo 2 1B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.olmo2.olmo2_1b")]
    public static TransformerDecoder Olmo2_1B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1B, null, Olmo2Decoder.Build, weights);

    /// <summary>OLMo 2 1B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.olmo2.lora_olmo2_1b")]
    public static TransformerDecoder LoraOlmo2_1B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1B, lora, Olmo2Decoder.Build, weights);

    /// <summary>OLMo 2 1B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.olmo2.qlora_olmo2_1b")]
    public static TransformerDecoder QloraOlmo2_1B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1B, lora with { QuantizeBase = true }, Olmo2Decoder.Build, weights);

    /// <summary>OLMo 2 7B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.olmo2.olmo2_7b")]
    public static TransformerDecoder Olmo2_7B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, null, Olmo2Decoder.Build, weights);

    /// <summary>OLMo 2 7B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.olmo2.lora_olmo2_7b")]
    public static TransformerDecoder LoraOlmo2_7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora, Olmo2Decoder.Build, weights);

    /// <summary>OLMo 2 7B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.olmo2.qlora_olmo2_7b")]
    public static TransformerDecoder QloraOlmo2_7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora with { QuantizeBase = true }, Olmo2Decoder.Build, weights);

    /// <summary>OLMo 2 13B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.olmo2.olmo2_13b")]
    public static TransformerDecoder Olmo2_13B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape13B, null, Olmo2Decoder.Build, weights);

    /// <summary>OLMo 2 13B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.olmo2.lora_olmo2_13b")]
    public static TransformerDecoder LoraOlmo2_13B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape13B, lora, Olmo2Decoder.Build, weights);

    /// <summary>OLMo 2 13B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.olmo2.qlora_olmo2_13b")]
    public static TransformerDecoder QloraOlmo2_13B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape13B, lora with { QuantizeBase = true }, Olmo2Decoder.Build, weights);

    /// <summary>OLMo 2 32B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.olmo2.olmo2_32b")]
    public static TransformerDecoder Olmo2_32B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape32B, null, Olmo2Decoder.Build, weights);

    /// <summary>OLMo 2 32B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.olmo2.lora_olmo2_32b")]
    public static TransformerDecoder LoraOlmo2_32B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape32B, lora, Olmo2Decoder.Build, weights);

    /// <summary>OLMo 2 32B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.olmo2.qlora_olmo2_32b")]
    public static TransformerDecoder QloraOlmo2_32B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape32B, lora with { QuantizeBase = true }, Olmo2Decoder.Build, weights);
}
