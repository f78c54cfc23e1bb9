using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Mixtral;

/// <summary>Mixtral at 8x7B and 8x22B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Releases: https://huggingface.co/mistralai/Mixtral-8x7B-v0.1, https://huggingface.co/mistralai/Mixtral-8x22B-v0.1.</remarks>
public static class MixtralBuilders
{
    private static readonly DecoderConfig Shape8x7B = new()
    {
        VocabSize = 32_000, NumLayers = 32, NumHeads = 32, NumKvHeads = 8, EmbedDim = 4096, HiddenDim = 14_336, MaxSeqLen = 32_768,
        NormEps = 1e-5, RopeBase = 1_000_000, Moe = new() { NumExperts = 8, TopK = 2, HiddenDim = 14_336, NormTopK = true },
    };

    private static readonly DecoderConfig Shape8x22B = Shape8x7B with
    {
        NumLayers = 56, NumHeads = 48, EmbedDim = 6144, HiddenDim = 16_384, MaxSeqLen = 65_536,
        Moe = new() { NumExperts = 8, TopK = 2, HiddenDim = 16_384, NormTopK = true },
    };

    /// <summary>Mixtral 8x7B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.mixtral.mixtral_8x7b")]
    public static TransformerDecoder Mixtral8x7b([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8x7B, null, MixtralDecoder.Build, weights);

    /// <summary>Mixtral 8x7B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.mixtral.lora_mixtral_8x7b")]
    public static TransformerDecoder LoraMixtral8x7b(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8x7B, lora, MixtralDecoder.Build, weights);

    /// <summary>Mixtral 8x7B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.mixtral.qlora_mixtral_8x7b")]
    public static TransformerDecoder QloraMixtral8x7b(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8x7B, lora with { QuantizeBase = true }, MixtralDecoder.Build, weights);

    /// <summary>Mixtral 8x22B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.mixtral.mixtral_8x22b")]
    public static TransformerDecoder Mixtral8x22b([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8x22B, null, MixtralDecoder.Build, weights);

    /// <summary>Mixtral 8x22B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.mixtral.lora_mixtral_8x22b")]
    public static TransformerDecoder LoraMixtral8x22b(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8x22B, lora, MixtralDecoder.Build, weights);

    /// <summary>Mixtral 8x22B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.mixtral.qlora_mixtral_8x22b")]
    public static TransformerDecoder QloraMixtral8x22b(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8x22B, lora with { QuantizeBase = true }, MixtralDecoder.Build, weights);
}
