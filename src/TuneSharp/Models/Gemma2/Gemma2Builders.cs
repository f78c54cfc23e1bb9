using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Gemma2;

/// <summary>Gemma 2 at 2B, 9B and 27B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2408.00118. Mirrors <c>torchtune/models/gemma2/_model_builders.py</c>.</remarks>
public static class Gemma2Builders
{
    private static readonly DecoderConfig Shape2B = new()
    {
        VocabSize = 256_000, NumLayers = 26, NumHeads = 8, NumKvHeads = 4, HeadDim = 256,
        EmbedDim = 2304, HiddenDim = 9216, MaxSeqLen = 8192, NormEps = 1e-6, RopeBase = 10_000,
        TieWordEmbeddings = true,
        SlidingWindow = 4096, SlidingLayers = Gemma2Decoder.SlidingLayers(26), AttnScale = 0.0625, AttnSoftCap = 50, LogitSoftCap = 30,
    };

    private static readonly DecoderConfig Shape9B = Shape2B with
    {
        NumLayers = 42, NumHeads = 16, NumKvHeads = 8, EmbedDim = 3584, HiddenDim = 14_336,
        SlidingLayers = Gemma2Decoder.SlidingLayers(42),
    };

    private static readonly DecoderConfig Shape27B = Shape2B with
    {
        NumLayers = 46, NumHeads = 32, NumKvHeads = 16, HeadDim = 128, EmbedDim = 4608, HiddenDim = 36_864,
        SlidingLayers = Gemma2Decoder.SlidingLayers(46), AttnScale = 1.0 / 12, // 1/√144: query_pre_attn_scalar is width / heads
    };

    /// <summary>Gemma 2 2B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma2.gemma2_2b")]
    public static TransformerDecoder Gemma2_2B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape2B, null, Gemma2Decoder.Build, weights);

    /// <summary>Gemma 2 2B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma2.lora_gemma2_2b")]
    public static TransformerDecoder LoraGemma2_2B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape2B, lora, Gemma2Decoder.Build, weights);

    /// <summary>Gemma 2 2B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma2.qlora_gemma2_2b")]
    public static TransformerDecoder QloraGemma2_2B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape2B, lora with { QuantizeBase = true }, Gemma2Decoder.Build, weights);

    /// <summary>Gemma 2 9B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma2.gemma2_9b")]
    public static TransformerDecoder Gemma2_9B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape9B, null, Gemma2Decoder.Build, weights);

    /// <summary>Gemma 2 9B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma2.lora_gemma2_9b")]
    public static TransformerDecoder LoraGemma2_9B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape9B, lora, Gemma2Decoder.Build, weights);

    /// <summary>Gemma 2 9B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma2.qlora_gemma2_9b")]
    public static TransformerDecoder QloraGemma2_9B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape9B, lora with { QuantizeBase = true }, Gemma2Decoder.Build, weights);

    /// <summary>Gemma 2 27B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma2.gemma2_27b")]
    public static TransformerDecoder Gemma2_27B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape27B, null, Gemma2Decoder.Build, weights);

    /// <summary>Gemma 2 27B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma2.lora_gemma2_27b")]
    public static TransformerDecoder LoraGemma2_27B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape27B, lora, Gemma2Decoder.Build, weights);

    /// <summary>Gemma 2 27B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.gemma2.qlora_gemma2_27b")]
    public static TransformerDecoder QloraGemma2_27B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape27B, lora with { QuantizeBase = true }, Gemma2Decoder.Build, weights);

    /// <summary>A Gemma 2 decoder of any size.</summary>
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
    /// <param name="hiddenCappingValue">Cap on attention scores.</param>
    /// <param name="finalCappingValue">Cap on logits.</param>
    /// <param name="slidingWindowSize">Tokens that a query of an even layer sees.</param>
    /// <param name="queryPreAttnScalar">Scores are divided by its root; null for the width of a head.</param>
    [Component("torchtune.models.gemma2.gemma2")]
    public static TransformerDecoder Gemma2(
        long vocabSize, int numLayers, int numHeads, int numKvHeads, long headDim, long embedDim, long intermediateDim, long maxSeqLen,
        double attnDropout = 0, double normEps = 1e-6, double ropeBase = 10_000, double hiddenCappingValue = 50,
        double finalCappingValue = 30, long slidingWindowSize = 4096, long? queryPreAttnScalar = null) =>
        Gemma2Decoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, HeadDim = headDim, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
                AttnSoftCap = hiddenCappingValue,
                LogitSoftCap = finalCappingValue,
                SlidingWindow = slidingWindowSize,
                SlidingLayers = Gemma2Decoder.SlidingLayers(numLayers),
                TieWordEmbeddings = true,
                AttnScale = Math.Pow(queryPreAttnScalar ?? headDim, -0.5),
            },
            null);

    /// <summary>A Gemma 2 decoder of any size, with LoRA adapters.</summary>
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
    /// <param name="hiddenCappingValue">Cap on attention scores.</param>
    /// <param name="finalCappingValue">Cap on logits.</param>
    /// <param name="slidingWindowSize">Tokens that a query of an even layer sees.</param>
    /// <param name="queryPreAttnScalar">Scores are divided by its root; null for the width of a head.</param>
    [Component("torchtune.models.gemma2.lora_gemma2")]
    public static TransformerDecoder LoraGemma2(
        LoraConfig lora, long vocabSize, int numLayers, int numHeads, int numKvHeads, long headDim, long embedDim, long intermediateDim,
        long maxSeqLen, double attnDropout = 0, double normEps = 1e-6, double ropeBase = 10_000, double hiddenCappingValue = 50,
        double finalCappingValue = 30, long slidingWindowSize = 4096, long? queryPreAttnScalar = null) =>
        Gemma2Decoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, HeadDim = headDim, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
                AttnSoftCap = hiddenCappingValue,
                LogitSoftCap = finalCappingValue,
                SlidingWindow = slidingWindowSize,
                SlidingLayers = Gemma2Decoder.SlidingLayers(numLayers),
                TieWordEmbeddings = true,
                AttnScale = Math.Pow(queryPreAttnScalar ?? headDim, -0.5),
            },
            lora);
}
