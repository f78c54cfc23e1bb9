using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Qwen3Moe;

/// <summary>Qwen 3 with experts at 30B-A3B and 235B-A22B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Releases: https://huggingface.co/Qwen/Qwen3-30B-A3B, https://huggingface.co/Qwen/Qwen3-235B-A22B.</remarks>
public static class Qwen3MoeBuilders
{
    private static readonly DecoderConfig Shape30B = new()
    {
        VocabSize = 151_936, NumLayers = 48, NumHeads = 32, NumKvHeads = 4, EmbedDim = 2048, HiddenDim = 6144, HeadDim = 128,
        MaxSeqLen = 40_960, NormEps = 1e-6, RopeBase = 1_000_000, Moe = new() { NumExperts = 128, TopK = 8, HiddenDim = 768, NormTopK = true },
    };

    private static readonly DecoderConfig Shape235B = Shape30B with
    {
        NumLayers = 94, NumHeads = 64, EmbedDim = 4096, HiddenDim = 12_288,
        Moe = new() { NumExperts = 128, TopK = 8, HiddenDim = 1536, NormTopK = true },
    };

    /// <summary>Qwen 3 30B-A3B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.qwen3_moe.qwen3_moe_30b_a3b")]
    public static TransformerDecoder Qwen3Moe30B_A3b([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape30B, null, Qwen3MoeDecoder.Build, weights);

    /// <summary>Qwen 3 30B-A3B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.qwen3_moe.lora_qwen3_moe_30b_a3b")]
    public static TransformerDecoder LoraQwen3Moe30B_A3b(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape30B, lora, Qwen3MoeDecoder.Build, weights);

    /// <summary>Qwen 3 30B-A3B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.qwen3_moe.qlora_qwen3_moe_30b_a3b")]
    public static TransformerDecoder QloraQwen3Moe30B_A3b(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape30B, lora with { QuantizeBase = true }, Qwen3MoeDecoder.Build, weights);

    /// <summary>Qwen 3 235B-A22B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.qwen3_moe.qwen3_moe_235b_a22b")]
    public static TransformerDecoder Qwen3Moe235B_A22b([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape235B, null, Qwen3MoeDecoder.Build, weights);

    /// <summary>Qwen 3 235B-A22B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.qwen3_moe.lora_qwen3_moe_235b_a22b")]
    public static TransformerDecoder LoraQwen3Moe235B_A22b(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape235B, lora, Qwen3MoeDecoder.Build, weights);

    /// <summary>Qwen 3 235B-A22B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.qwen3_moe.qlora_qwen3_moe_235b_a22b")]
    public static TransformerDecoder QloraQwen3Moe235B_A22b(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape235B, lora with { QuantizeBase = true }, Qwen3MoeDecoder.Build, weights);
}
