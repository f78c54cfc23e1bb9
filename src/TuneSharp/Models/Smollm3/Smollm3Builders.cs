using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Smollm3;

/// <summary>SmolLM3 3B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Description: https://huggingface.co/blog/smollm3.</remarks>
public static class Smollm3Builders
{
    private static readonly DecoderConfig Shape3B = new()
    {
        VocabSize = 128_256, NumLayers = 36, NumHeads = 16, NumKvHeads = 4,
        EmbedDim = 2048, HiddenDim = 11_008, MaxSeqLen = 65_536, NormEps = 1e-6, RopeBase = 5_000_000,
        TieWordEmbeddings = true, NoRopeLayers = Smollm3Decoder.NoRopeLayers(36),
    };

    /// <summary>SmolLM3 3B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.smollm3.smollm3_3b")]
    public static TransformerDecoder Smollm3_3B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape3B, null, Smollm3Decoder.Build, weights);

    /// <summary>SmolLM3 3B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.smollm3.lora_smollm3_3b")]
    public static TransformerDecoder LoraSmollm3_3B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape3B, lora, Smollm3Decoder.Build, weights);

    /// <summary>SmolLM3 3B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.smollm3.qlora_smollm3_3b")]
    public static TransformerDecoder QloraSmollm3_3B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape3B, lora with { QuantizeBase = true }, Smollm3Decoder.Build, weights);
}
