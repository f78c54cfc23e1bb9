using TuneSharp.Config;
using TuneSharp.Models.Qwen2;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Qwen2_5;

/// <summary>Qwen 2.5 from 0.5B to 72B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2412.15115. Mirrors <c>torchtune/models/qwen2_5/_model_builders.py</c>. Base models take longer sequences than instructed ones; the largest have another ε.</remarks>
public static class Qwen2_5Builders
{
    private static readonly DecoderConfig Shape0_5B = new()
    {
        VocabSize = 151_936, NumLayers = 24, NumHeads = 14, NumKvHeads = 2,
        EmbedDim = 896, HiddenDim = 4864, MaxSeqLen = 32_768, NormEps = 1e-6, RopeBase = 1_000_000,
        TieWordEmbeddings = true,
    };

    private static readonly DecoderConfig Shape1_5B = Shape0_5B with
    {
        NumLayers = 28, NumHeads = 12, NumKvHeads = 2, EmbedDim = 1536, HiddenDim = 8960,
    };

    private static readonly DecoderConfig Shape3B = Shape0_5B with
    {
        NumLayers = 36, NumHeads = 16, NumKvHeads = 2, EmbedDim = 2048, HiddenDim = 11_008,
    };

    private static readonly DecoderConfig Shape7B = Shape0_5B with
    {
        VocabSize = 152_064, NumLayers = 28, NumHeads = 28, NumKvHeads = 4, EmbedDim = 3584, HiddenDim = 18_944, TieWordEmbeddings = false,
    };

    private static readonly DecoderConfig Shape14B = Shape7B with
    {
        NumLayers = 48, NumHeads = 40, NumKvHeads = 8, EmbedDim = 5120, HiddenDim = 13_824,
    };

    private static readonly DecoderConfig Shape32B = Shape14B with
    {
        NumLayers = 64, HiddenDim = 27_648,
    };

    private static readonly DecoderConfig Shape72B = Shape14B with
    {
        NumLayers = 80, NumHeads = 64, EmbedDim = 8192, HiddenDim = 29_568,
    };

    /// <summary>Qwen 2.5 0.5B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qwen2_5_0_5b")]
    public static TransformerDecoder Qwen2_5_0_5B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape0_5B, null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 0.5B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.lora_qwen2_5_0_5b")]
    public static TransformerDecoder LoraQwen2_5_0_5B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape0_5B, lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 0.5B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qlora_qwen2_5_0_5b")]
    public static TransformerDecoder QloraQwen2_5_0_5B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape0_5B, lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 1.5B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qwen2_5_1_5b_base")]
    public static TransformerDecoder Qwen2_5_1_5B_Base([Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape1_5B), null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 1.5B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.lora_qwen2_5_1_5b_base")]
    public static TransformerDecoder LoraQwen2_5_1_5B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape1_5B), lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 1.5B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qlora_qwen2_5_1_5b_base")]
    public static TransformerDecoder QloraQwen2_5_1_5B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape1_5B), lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 1.5B Instruct.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qwen2_5_1_5b_instruct")]
    public static TransformerDecoder Qwen2_5_1_5B_Instruct([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_5B, null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 1.5B Instruct with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.lora_qwen2_5_1_5b_instruct")]
    public static TransformerDecoder LoraQwen2_5_1_5B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_5B, lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 1.5B Instruct with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qlora_qwen2_5_1_5b_instruct")]
    public static TransformerDecoder QloraQwen2_5_1_5B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_5B, lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 3B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qwen2_5_3b")]
    public static TransformerDecoder Qwen2_5_3B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape3B, null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 3B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.lora_qwen2_5_3b")]
    public static TransformerDecoder LoraQwen2_5_3B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape3B, lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 3B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qlora_qwen2_5_3b")]
    public static TransformerDecoder QloraQwen2_5_3B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape3B, lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 7B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qwen2_5_7b_base")]
    public static TransformerDecoder Qwen2_5_7B_Base([Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape7B), null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 7B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.lora_qwen2_5_7b_base")]
    public static TransformerDecoder LoraQwen2_5_7B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape7B), lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 7B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qlora_qwen2_5_7b_base")]
    public static TransformerDecoder QloraQwen2_5_7B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape7B), lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 7B Instruct.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qwen2_5_7b_instruct")]
    public static TransformerDecoder Qwen2_5_7B_Instruct([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 7B Instruct with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.lora_qwen2_5_7b_instruct")]
    public static TransformerDecoder LoraQwen2_5_7B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 7B Instruct with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qlora_qwen2_5_7b_instruct")]
    public static TransformerDecoder QloraQwen2_5_7B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 14B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qwen2_5_14b_base")]
    public static TransformerDecoder Qwen2_5_14B_Base([Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape14B) with { NormEps = 1e-5 }, null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 14B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.lora_qwen2_5_14b_base")]
    public static TransformerDecoder LoraQwen2_5_14B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape14B) with { NormEps = 1e-5 }, lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 14B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qlora_qwen2_5_14b_base")]
    public static TransformerDecoder QloraQwen2_5_14B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape14B) with { NormEps = 1e-5 }, lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 14B Instruct.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qwen2_5_14b_instruct")]
    public static TransformerDecoder Qwen2_5_14B_Instruct([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape14B, null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 14B Instruct with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.lora_qwen2_5_14b_instruct")]
    public static TransformerDecoder LoraQwen2_5_14B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape14B, lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 14B Instruct with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qlora_qwen2_5_14b_instruct")]
    public static TransformerDecoder QloraQwen2_5_14B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape14B, lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 32B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qwen2_5_32b_base")]
    public static TransformerDecoder Qwen2_5_32B_Base([Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape32B) with { NormEps = 1e-5 }, null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 32B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.lora_qwen2_5_32b_base")]
    public static TransformerDecoder LoraQwen2_5_32B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape32B) with { NormEps = 1e-5 }, lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 32B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qlora_qwen2_5_32b_base")]
    public static TransformerDecoder QloraQwen2_5_32B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape32B) with { NormEps = 1e-5 }, lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 32B Instruct.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qwen2_5_32b_instruct")]
    public static TransformerDecoder Qwen2_5_32B_Instruct([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape32B, null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 32B Instruct with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.lora_qwen2_5_32b_instruct")]
    public static TransformerDecoder LoraQwen2_5_32B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape32B, lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 32B Instruct with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qlora_qwen2_5_32b_instruct")]
    public static TransformerDecoder QloraQwen2_5_32B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape32B, lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 72B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qwen2_5_72b_base")]
    public static TransformerDecoder Qwen2_5_72B_Base([Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape72B) with { NormEps = 1e-5 }, null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 72B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.lora_qwen2_5_72b_base")]
    public static TransformerDecoder LoraQwen2_5_72B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape72B) with { NormEps = 1e-5 }, lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 72B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qlora_qwen2_5_72b_base")]
    public static TransformerDecoder QloraQwen2_5_72B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Long(Shape72B) with { NormEps = 1e-5 }, lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 72B Instruct.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qwen2_5_72b_instruct")]
    public static TransformerDecoder Qwen2_5_72B_Instruct([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape72B, null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 72B Instruct with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.lora_qwen2_5_72b_instruct")]
    public static TransformerDecoder LoraQwen2_5_72B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape72B, lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2.5 72B Instruct with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2_5.qlora_qwen2_5_72b_instruct")]
    public static TransformerDecoder QloraQwen2_5_72B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape72B, lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>The base models' length.</summary>
    private static DecoderConfig Long(DecoderConfig shape) => shape with { MaxSeqLen = 131_072 };
}
