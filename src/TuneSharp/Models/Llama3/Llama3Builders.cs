using TuneSharp.Config;
using TuneSharp.Models.Llama;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Llama3;

/// <summary>Llama 3 at 8B and 70B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2407.21783. Mirrors <c>torchtune/models/llama3/_model_builders.py</c>.</remarks>
public static class Llama3Builders
{
    private static readonly DecoderConfig Shape8B = new()
    {
        VocabSize = 128_256, NumLayers = 32, NumHeads = 32, NumKvHeads = 8,
        EmbedDim = 4096, HiddenDim = 14_336, MaxSeqLen = 8192, NormEps = 1e-5, RopeBase = 500_000,
    };

    private static readonly DecoderConfig Shape70B = Shape8B with
    { NumLayers = 80, NumHeads = 64, EmbedDim = 8192, HiddenDim = 28_672 };

    /// <summary>Llama 3 8B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3.llama3_8b")]
    public static TransformerDecoder Llama3_8B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8B, null, LlamaDecoder.Build, weights);

    /// <summary>Llama 3 8B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3.lora_llama3_8b")]
    public static TransformerDecoder LoraLlama3_8B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8B, lora, LlamaDecoder.Build, weights);

    /// <summary>Llama 3 8B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3.qlora_llama3_8b")]
    public static TransformerDecoder QloraLlama3_8B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>Llama 3 70B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3.llama3_70b")]
    public static TransformerDecoder Llama3_70B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, null, LlamaDecoder.Build, weights);

    /// <summary>Llama 3 70B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3.lora_llama3_70b")]
    public static TransformerDecoder LoraLlama3_70B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, lora, LlamaDecoder.Build, weights);

    /// <summary>Llama 3 70B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3.qlora_llama3_70b")]
    public static TransformerDecoder QloraLlama3_70B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>A Llama 3 decoder of any size.</summary>
    /// <param name="vocabSize">Rows of the embedding table.</param>
    /// <param name="numLayers">Layers.</param>
    /// <param name="numHeads">Query heads.</param>
    /// <param name="numKvHeads">Key/value heads.</param>
    /// <param name="embedDim">Width.</param>
    /// <param name="maxSeqLen">Longest sequence, in tokens.</param>
    /// <param name="attnDropout">Dropout rate on attention weights.</param>
    /// <param name="ropeBase">Base of the rotary frequencies.</param>
    /// <param name="intermediateDim">Width inside the feed-forward blocks; null for Llama 2's rule, ⅔·4·width rounded up to 256.</param>
    /// <param name="normEps">Added to the mean square in norms.</param>
    [Component("torchtune.models.llama3.llama3")]
    public static TransformerDecoder Llama3(
        long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long maxSeqLen, double attnDropout = 0,
        double ropeBase = 500_000, long? intermediateDim = null, double normEps = 1e-5) =>
        LlamaDecoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim ?? DecoderConfig.DefaultHiddenDim(embedDim), MaxSeqLen = maxSeqLen, NormEps = normEps,
                RopeBase = ropeBase, AttnDropout = attnDropout,
            },
            null);

    /// <summary>A Llama 3 decoder of any size with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="vocabSize">Rows of the embedding table.</param>
    /// <param name="numLayers">Layers.</param>
    /// <param name="numHeads">Query heads.</param>
    /// <param name="numKvHeads">Key/value heads.</param>
    /// <param name="embedDim">Width.</param>
    /// <param name="maxSeqLen">Longest sequence, in tokens.</param>
    /// <param name="attnDropout">Dropout rate on attention weights.</param>
    /// <param name="ropeBase">Base of the rotary frequencies.</param>
    /// <param name="intermediateDim">Width inside the feed-forward blocks; null for Llama 2's rule, ⅔·4·width rounded up to 256.</param>
    /// <param name="normEps">Added to the mean square in norms.</param>
    [Component("torchtune.models.llama3.lora_llama3")]
    public static TransformerDecoder LoraLlama3(
        LoraConfig lora, long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long maxSeqLen, double attnDropout = 0,
        double ropeBase = 500_000, long? intermediateDim = null, double normEps = 1e-5) =>
        LlamaDecoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim ?? DecoderConfig.DefaultHiddenDim(embedDim), MaxSeqLen = maxSeqLen, NormEps = normEps,
                RopeBase = ropeBase, AttnDropout = attnDropout,
            },
            lora);
}
