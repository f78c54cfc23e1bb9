using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Gemma;

/// <summary>Gemma 1 at 2B and 7B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2403.08295. Mirrors <c>torchtune/models/gemma/_model_builders.py</c>.</remarks>
public static class GemmaBuilders
{
    private static readonly DecoderConfig Shape2B = new()
    {
        VocabSize = 256_000, NumLayers = 18, NumHeads = 8, NumKvHeads = 1, HeadDim = 256,
        EmbedDim = 2048, HiddenDim = 16_384, MaxSeqLen = 8192, NormEps = 1e-6, RopeBase = 10_000,
        TieWordEmbeddings = true,
    };

    private static readonly DecoderConfig Shape7B = Shape2B with
    {
        NumLayers = 28, NumHeads = 16, NumKvHeads = 16, EmbedDim = 3072, HiddenDim = 24_576,
    };

    /// <summary>Gemma 2B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma.gemma_2b")]
    public static TransformerDecoder Gemma2B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape2B, null, GemmaDecoder.Build, weights);

    /// <summary>Gemma 2B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma.lora_gemma_2b")]
    public static TransformerDecoder LoraGemma2B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape2B, lora, GemmaDecoder.Build, weights);

    /// <summary>Gemma 2B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma.qlora_gemma_2b")]
    public static TransformerDecoder QloraGemma2B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape2B, lora with { QuantizeBase = true }, GemmaDecoder.Build, weights);

    /// <summary>Gemma 7B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma.gemma_7b")]
    public static TransformerDecoder Gemma7B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, null, GemmaDecoder.Build, weights);

    /// <summary>Gemma 7B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma.lora_gemma_7b")]
    public static TransformerDecoder LoraGemma7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora, GemmaDecoder.Build, weights);

    /// <summary>Gemma 7B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma.qlora_gemma_7b")]
    public static TransformerDecoder QloraGemma7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora with { QuantizeBase = true }, GemmaDecoder.Build, weights);

    /// <summary>A Gemma decoder of any size.</summary>
    /// <param name="vocabSize">Rows of the embedding table.</param>
    /// <param name="numLayers">Layers.</param>
    /// <param name="numHeads">Query heads.</param>
    /// <param name="numKvHeads">Key/value heads.</param>
    /// <param name="headDim">Width of a head.</param>
    /// <param name="embedDim">Width.</param>
    /// <param name="intermediateDim">Width inside the feed-forward blocks.</param>
    /// <param name="maxSeqLen">Longest sequence, in tokens.</param>
    /// <param name="attnDropout">Dropout rate on attention weights.</param>
    /// <param name="normEps">Added to the mean square in norms.</param>
    /// <param name="ropeBase">Base of the rotary frequencies.</param>
    /// <param name="tieWordEmbeddings">The head is the embedding table.</param>
    [Component("torchtune.models.gemma.gemma")]
    public static TransformerDecoder Gemma(
        long vocabSize, int numLayers, int numHeads, int numKvHeads, long headDim, long embedDim, long intermediateDim, long maxSeqLen,
        double attnDropout = 0, double normEps = 1e-6, double ropeBase = 10_000, bool tieWordEmbeddings = true) =>
        GemmaDecoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, HeadDim = headDim, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
                TieWordEmbeddings = tieWordEmbeddings,
            },
            null);

    /// <summary>A Gemma decoder of any size, with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="vocabSize">Rows of the embedding table.</param>
    /// <param name="numLayers">Layers.</param>
    /// <param name="numHeads">Query heads.</param>
    /// <param name="numKvHeads">Key/value heads.</param>
    /// <param name="headDim">Width of a head.</param>
    /// <param name="embedDim">Width.</param>
    /// <param name="intermediateDim">Width inside the feed-forward blocks.</param>
    /// <param name="maxSeqLen">Longest sequence, in tokens.</param>
    /// <param name="attnDropout">Dropout rate on attention weights.</param>
    /// <param name="normEps">Added to the mean square in norms.</param>
    /// <param name="ropeBase">Base of the rotary frequencies.</param>
    /// <param name="tieWordEmbeddings">The head is the embedding table.</param>
    [Component("torchtune.models.gemma.lora_gemma")]
    public static TransformerDecoder LoraGemma(
        LoraConfig lora, long vocabSize, int numLayers, int numHeads, int numKvHeads, long headDim, long embedDim, long intermediateDim,
        long maxSeqLen, double attnDropout = 0, double normEps = 1e-6, double ropeBase = 10_000, bool tieWordEmbeddings = true) =>
        GemmaDecoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, HeadDim = headDim, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
                TieWordEmbeddings = tieWordEmbeddings,
            },
            lora);
}
