using TuneSharp.Config;
using TuneSharp.Models.Llama;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Llama3_1;

/// <summary>Llama 3.1 at 8B, 70B and 405B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Llama 3 with rotary frequencies stretched 8-fold for 131,072 tokens. Mirrors <c>torchtune/models/llama3_1/_model_builders.py</c>.</remarks>
public static class Llama3_1Builders
{
    private static readonly DecoderConfig Shape8B = new()
    {
        VocabSize = 128_256, NumLayers = 32, NumHeads = 32, NumKvHeads = 8,
        EmbedDim = 4096, HiddenDim = 14_336, MaxSeqLen = 131_072, NormEps = 1e-5, RopeBase = 500_000,
        RopeScaling = new("llama3", Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalMaxSeqLen: 8192),
    };

    private static readonly DecoderConfig Shape70B = Shape8B with
    { NumLayers = 80, NumHeads = 64, EmbedDim = 8192, HiddenDim = 28_672 };

    private static readonly DecoderConfig Shape405B = Shape8B with
    { NumLayers = 126, NumHeads = 128, EmbedDim = 16_384, HiddenDim = 53_248 };

    /// <summary>Llama 3.1 8B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_1.llama3_1_8b")]
    public static TransformerDecoder Llama3_1_8B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8B, null, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.1 8B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_1.lora_llama3_1_8b")]
    public static TransformerDecoder LoraLlama3_1_8B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8B, lora, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.1 8B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_1.qlora_llama3_1_8b")]
    public static TransformerDecoder QloraLlama3_1_8B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.1 70B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_1.llama3_1_70b")]
    public static TransformerDecoder Llama3_1_70B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, null, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.1 70B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_1.lora_llama3_1_70b")]
    public static TransformerDecoder LoraLlama3_1_70B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, lora, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.1 70B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_1.qlora_llama3_1_70b")]
    public static TransformerDecoder QloraLlama3_1_70B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.1 405B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_1.llama3_1_405b")]
    public static TransformerDecoder Llama3_1_405B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape405B, null, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.1 405B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_1.lora_llama3_1_405b")]
    public static TransformerDecoder LoraLlama3_1_405B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape405B, lora, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.1 405B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_1.qlora_llama3_1_405b")]
    public static TransformerDecoder QloraLlama3_1_405B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape405B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>A Llama 3.1 decoder of any size.</summary>
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
    /// <param name="scaleFactor">Stretch of the rotary frequencies.</param>
    [Component("torchtune.models.llama3_1.llama3_1")]
    public static TransformerDecoder Llama3_1(
        long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long maxSeqLen, double attnDropout = 0,
        double ropeBase = 500_000, long? intermediateDim = null, double normEps = 1e-5, double scaleFactor = 8) =>
        LlamaDecoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim ?? DecoderConfig.DefaultHiddenDim(embedDim), MaxSeqLen = maxSeqLen, NormEps = normEps,
                RopeBase = ropeBase, AttnDropout = attnDropout,
            RopeScaling = new("llama3", scaleFactor, 1, 4, 8192),
            },
            null);

    /// <summary>A Llama 3.1 decoder of any size with LoRA adapters.</summary>
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
    /// <param name="scaleFactor">Stretch of the rotary frequencies.</param>
    [Component("torchtune.models.llama3_1.lora_llama3_1")]
    public static TransformerDecoder LoraLlama3_1(
        LoraConfig lora, long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long maxSeqLen, double attnDropout = 0,
        double ropeBase = 500_000, long? intermediateDim = null, double normEps = 1e-5, double scaleFactor = 8) =>
        LlamaDecoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim ?? DecoderConfig.DefaultHiddenDim(embedDim), MaxSeqLen = maxSeqLen, NormEps = normEps,
                RopeBase = ropeBase, AttnDropout = attnDropout,
            RopeScaling = new("llama3", scaleFactor, 1, 4, 8192),
            },
            lora);
}
