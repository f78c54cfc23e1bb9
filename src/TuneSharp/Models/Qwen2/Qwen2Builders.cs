using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Qwen2;

/// <summary>Qwen 2 at 0.5B, 1.5B and 7B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2407.10671. Mirrors <c>torchtune/models/qwen2/_model_builders.py</c>.</remarks>
public static class Qwen2Builders
{
    private static readonly DecoderConfig Shape0_5B = new()
    {
        VocabSize = 151_936, NumLayers = 24, NumHeads = 14, NumKvHeads = 2,
        EmbedDim = 896, HiddenDim = 4864, MaxSeqLen = 32_768, NormEps = 1e-6, RopeBase = 1_000_000,
        TieWordEmbeddings = true,
    };

    private static readonly DecoderConfig Shape1_5B = Shape0_5B with
    {
        NumLayers = 28, NumHeads = 12, NumKvHeads = 2, EmbedDim = 1536, HiddenDim = 8960,
    };

    private static readonly DecoderConfig Shape7B = Shape0_5B with
    {
        VocabSize = 152_064, NumLayers = 28, NumHeads = 28, NumKvHeads = 4, EmbedDim = 3584, HiddenDim = 18_944, TieWordEmbeddings = false,
    };

    /// <summary>Qwen 2 0.5B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2.qwen2_0_5b")]
    public static TransformerDecoder Qwen2_0_5B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape0_5B, null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2 0.5B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2.lora_qwen2_0_5b")]
    public static TransformerDecoder LoraQwen2_0_5B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape0_5B, lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2 0.5B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2.qlora_qwen2_0_5b")]
    public static TransformerDecoder QloraQwen2_0_5B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape0_5B, lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2 1.5B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2.qwen2_1_5b")]
    public static TransformerDecoder Qwen2_1_5B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_5B, null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2 1.5B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2.lora_qwen2_1_5b")]
    public static TransformerDecoder LoraQwen2_1_5B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_5B, lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2 1.5B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2.qlora_qwen2_1_5b")]
    public static TransformerDecoder QloraQwen2_1_5B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_5B, lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2 7B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2.qwen2_7b")]
    public static TransformerDecoder Qwen2_7B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, null, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2 7B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2.lora_qwen2_7b")]
    public static TransformerDecoder LoraQwen2_7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora, Qwen2Decoder.Build, weights);

    /// <summary>Qwen 2 7B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen2.qlora_qwen2_7b")]
    public static TransformerDecoder QloraQwen2_7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora with { QuantizeBase = true }, Qwen2Decoder.Build, weights);

    /// <summary>A Qwen 2 decoder of any size.</summary>
    /// <param name="vocabSize">Rows of the embedding table.</param>
    /// <param name="numLayers">Layers.</param>
    /// <param name="numHeads">Query heads.</param>
    /// <param name="numKvHeads">Key/value heads.</param>
    /// <param name="embedDim">Width.</param>
    /// <param name="intermediateDim">Width inside the feed-forward blocks.</param>
    /// <param name="maxSeqLen">Longest sequence, in tokens.</param>
    /// <param name="attnDropout">Dropout rate on attention weights.</param>
    /// <param name="normEps">Added to the mean square in norms.</param>
    /// <param name="ropeBase">Base of the rotary frequencies.</param>
    /// <param name="tieWordEmbeddings">The head is the embedding table.</param>
    [Component("torchtune.models.qwen2.qwen2")]
    public static TransformerDecoder Qwen2(
        long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long intermediateDim, long maxSeqLen,
        double attnDropout = 0, double normEps = 1e-5, double ropeBase = 1_000_000, bool tieWordEmbeddings = false) =>
        Qwen2Decoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
                TieWordEmbeddings = tieWordEmbeddings,
            },
            null);

    /// <summary>A Qwen 2 decoder of any size, with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="vocabSize">Rows of the embedding table.</param>
    /// <param name="numLayers">Layers.</param>
    /// <param name="numHeads">Query heads.</param>
    /// <param name="numKvHeads">Key/value heads.</param>
    /// <param name="embedDim">Width.</param>
    /// <param name="intermediateDim">Width inside the feed-forward blocks.</param>
    /// <param name="maxSeqLen">Longest sequence, in tokens.</param>
    /// <param name="attnDropout">Dropout rate on attention weights.</param>
    /// <param name="normEps">Added to the mean square in norms.</param>
    /// <param name="ropeBase">Base of the rotary frequencies.</param>
    /// <param name="tieWordEmbeddings">The head is the embedding table.</param>
    [Component("torchtune.models.qwen2.lora_qwen2")]
    public static TransformerDecoder LoraQwen2(
        LoraConfig lora, long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long intermediateDim, long maxSeqLen,
        double attnDropout = 0, double normEps = 1e-5, double ropeBase = 1_000_000, bool tieWordEmbeddings = false) =>
        Qwen2Decoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
                TieWordEmbeddings = tieWordEmbeddings,
            },
            lora);
}
