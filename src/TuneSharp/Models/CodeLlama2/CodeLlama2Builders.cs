using TuneSharp.Config;
using TuneSharp.Models.Llama;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.CodeLlama2;

/// <summary>Code Llama at 7B, 13B and 70B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2308.12950. Mirrors <c>torchtune/models/code_llama2/_model_builders.py</c>.</remarks>
public static class CodeLlama2Builders
{
    private static readonly DecoderConfig Shape7B = new()
    {
        VocabSize = 32_016, NumLayers = 32, NumHeads = 32, NumKvHeads = 32,
        EmbedDim = 4096, HiddenDim = 11_008, MaxSeqLen = 16_384, NormEps = 1e-5, RopeBase = 1_000_000,
    };

    private static readonly DecoderConfig Shape13B = Shape7B with
    {
        NumLayers = 40, NumHeads = 40, NumKvHeads = 40, EmbedDim = 5120, HiddenDim = 13_824,
    };

    private static readonly DecoderConfig Shape70B = Shape7B with
    {
        NumLayers = 80, NumHeads = 64, NumKvHeads = 8, EmbedDim = 8192, HiddenDim = 28_672,
    };

    /// <summary>Code Llama 7B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.code_llama2.code_llama2_7b")]
    public static TransformerDecoder CodeLlama2_7B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, null, LlamaDecoder.Build, weights);

    /// <summary>Code Llama 7B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.code_llama2.lora_code_llama2_7b")]
    public static TransformerDecoder LoraCodeLlama2_7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora, LlamaDecoder.Build, weights);

    /// <summary>Code Llama 7B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.code_llama2.qlora_code_llama2_7b")]
    public static TransformerDecoder QloraCodeLlama2_7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>Code Llama 13B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.code_llama2.code_llama2_13b")]
    public static TransformerDecoder CodeLlama2_13B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape13B, null, LlamaDecoder.Build, weights);

    /// <summary>Code Llama 13B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.code_llama2.lora_code_llama2_13b")]
    public static TransformerDecoder LoraCodeLlama2_13B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape13B, lora, LlamaDecoder.Build, weights);

    /// <summary>Code Llama 13B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.code_llama2.qlora_code_llama2_13b")]
    public static TransformerDecoder QloraCodeLlama2_13B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape13B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>Code Llama 70B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.code_llama2.code_llama2_70b")]
    public static TransformerDecoder CodeLlama2_70B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, null, LlamaDecoder.Build, weights);

    /// <summary>Code Llama 70B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.code_llama2.lora_code_llama2_70b")]
    public static TransformerDecoder LoraCodeLlama2_70B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, lora, LlamaDecoder.Build, weights);

    /// <summary>Code Llama 70B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.code_llama2.qlora_code_llama2_70b")]
    public static TransformerDecoder QloraCodeLlama2_70B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);
}
