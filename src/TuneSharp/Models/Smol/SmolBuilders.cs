using TuneSharp.Config;
using TuneSharp.Models.Llama;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Smol;

/// <summary>SmolLM2 at 135M, 360M and 1.7B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2502.02737. The head is the embedding table. torchtune stretches the rotary frequencies 32-fold; the released models do not, nor do these.</remarks>
public static class SmolBuilders
{
    private static readonly DecoderConfig Shape135M = new()
    {
        VocabSize = 49_152, NumLayers = 30, NumHeads = 9, NumKvHeads = 3,
        EmbedDim = 576, HiddenDim = 1536, MaxSeqLen = 8192, NormEps = 1e-5, RopeBase = 100_000,
        TieWordEmbeddings = true,
    };

    private static readonly DecoderConfig Shape360M = Shape135M with
    {
        NumLayers = 32, NumHeads = 15, NumKvHeads = 5, EmbedDim = 960, HiddenDim = 2560,
    };

    private static readonly DecoderConfig Shape1_7B = Shape135M with
    {
        NumLayers = 24, NumHeads = 32, NumKvHeads = 32, EmbedDim = 2048, HiddenDim = 8192, RopeBase = 130_000,
    };

    /// <summary>SmolLM2 135M.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.smol.smollm2_135m")]
    public static TransformerDecoder Smollm2_135M([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape135M, null, LlamaDecoder.Build, weights);

    /// <summary>SmolLM2 135M with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.smol.lora_smollm2_135m")]
    public static TransformerDecoder LoraSmollm2_135M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape135M, lora, LlamaDecoder.Build, weights);

    /// <summary>SmolLM2 135M with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.smol.qlora_smollm2_135m")]
    public static TransformerDecoder QloraSmollm2_135M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape135M, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>SmolLM2 360M.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.smol.smollm2_360m")]
    public static TransformerDecoder Smollm2_360M([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape360M, null, LlamaDecoder.Build, weights);

    /// <summary>SmolLM2 360M with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.smol.lora_smollm2_360m")]
    public static TransformerDecoder LoraSmollm2_360M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape360M, lora, LlamaDecoder.Build, weights);

    /// <summary>SmolLM2 360M with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.smol.qlora_smollm2_360m")]
    public static TransformerDecoder QloraSmollm2_360M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape360M, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>SmolLM2 1.7B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.smol.smollm2_1_7b")]
    public static TransformerDecoder Smollm2_1_7B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_7B, null, LlamaDecoder.Build, weights);

    /// <summary>SmolLM2 1.7B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.smol.lora_smollm2_1_7b")]
    public static TransformerDecoder LoraSmollm2_1_7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_7B, lora, LlamaDecoder.Build, weights);

    /// <summary>SmolLM2 1.7B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.smol.qlora_smollm2_1_7b")]
    public static TransformerDecoder QloraSmollm2_1_7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_7B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);
}
