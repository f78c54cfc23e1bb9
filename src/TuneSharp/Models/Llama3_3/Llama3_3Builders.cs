using TuneSharp.Config;
using TuneSharp.Models.Llama;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Llama3_3;

/// <summary>Llama 3.3 at 70B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Llama 3.1's 70B with other weights. Mirrors <c>torchtune/models/llama3_3/_model_builders.py</c>.</remarks>
public static class Llama3_3Builders
{
    private static readonly DecoderConfig Shape70B = new()
    {
        VocabSize = 128_256, NumLayers = 80, NumHeads = 64, NumKvHeads = 8,
        EmbedDim = 8192, HiddenDim = 28_672, MaxSeqLen = 131_072, NormEps = 1e-5, RopeBase = 500_000,
        RopeScaling = new("llama3", Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalMaxSeqLen: 8192),
    };

    /// <summary>Llama 3.3 70B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_3.llama3_3_70b")]
    public static TransformerDecoder Llama3_3_70B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, null, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.3 70B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_3.lora_llama3_3_70b")]
    public static TransformerDecoder LoraLlama3_3_70B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, lora, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.3 70B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_3.qlora_llama3_3_70b")]
    public static TransformerDecoder QloraLlama3_3_70B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);
}
