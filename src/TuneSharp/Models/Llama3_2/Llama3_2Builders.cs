using TuneSharp.Config;
using TuneSharp.Models.Llama;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Llama3_2;

/// <summary>Llama 3.2 at 1B and 3B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>The head is the embedding table, and rotary frequencies are stretched 32-fold. Mirrors <c>torchtune/models/llama3_2/_model_builders.py</c>.</remarks>
public static class Llama3_2Builders
{
    private static readonly DecoderConfig Shape1B = new()
    {
        VocabSize = 128_256, NumLayers = 16, NumHeads = 32, NumKvHeads = 8,
        EmbedDim = 2048, HiddenDim = 8192, MaxSeqLen = 131_072, NormEps = 1e-5, RopeBase = 500_000,
        RopeScaling = new("llama3", Factor: 32, LowFreqFactor: 1, HighFreqFactor: 4, OriginalMaxSeqLen: 8192),
    };

    private static readonly DecoderConfig Shape3B = Shape1B with
    { NumLayers = 28, NumHeads = 24, EmbedDim = 3072 };

    /// <summary>Llama 3.2 1B.</summary>
    /// <param name="tieWordEmbeddings">The head is the embedding table, as in the released weights.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_2.llama3_2_1b")]
    public static TransformerDecoder Llama3_2_1B(bool tieWordEmbeddings = true, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1B with { TieWordEmbeddings = tieWordEmbeddings }, null, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.2 1B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="tieWordEmbeddings">The head is the embedding table, as in the released weights.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_2.lora_llama3_2_1b")]
    public static TransformerDecoder LoraLlama3_2_1B(LoraConfig lora, bool tieWordEmbeddings = true, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1B with { TieWordEmbeddings = tieWordEmbeddings }, lora, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.2 1B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="tieWordEmbeddings">The head is the embedding table, as in the released weights.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_2.qlora_llama3_2_1b")]
    public static TransformerDecoder QloraLlama3_2_1B(LoraConfig lora, bool tieWordEmbeddings = true, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1B with { TieWordEmbeddings = tieWordEmbeddings }, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.2 3B.</summary>
    /// <param name="tieWordEmbeddings">The head is the embedding table, as in the released weights.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_2.llama3_2_3b")]
    public static TransformerDecoder Llama3_2_3B(bool tieWordEmbeddings = true, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape3B with { TieWordEmbeddings = tieWordEmbeddings }, null, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.2 3B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="tieWordEmbeddings">The head is the embedding table, as in the released weights.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_2.lora_llama3_2_3b")]
    public static TransformerDecoder LoraLlama3_2_3B(LoraConfig lora, bool tieWordEmbeddings = true, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape3B with { TieWordEmbeddings = tieWordEmbeddings }, lora, LlamaDecoder.Build, weights);

    /// <summary>Llama 3.2 3B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="tieWordEmbeddings">The head is the embedding table, as in the released weights.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama3_2.qlora_llama3_2_3b")]
    public static TransformerDecoder QloraLlama3_2_3B(LoraConfig lora, bool tieWordEmbeddings = true, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape3B with { TieWordEmbeddings = tieWordEmbeddings }, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>A Llama 3.2 decoder of any size.</summary>
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
    /// <param name="tieWordEmbeddings">The head is the embedding table.</param>
    [Component("torchtune.models.llama3_2.llama3_2")]
    public static TransformerDecoder Llama3_2(
        long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long maxSeqLen, double attnDropout = 0,
        double ropeBase = 500_000, long? intermediateDim = null, double normEps = 1e-5, double scaleFactor = 32, bool tieWordEmbeddings = true) =>
        LlamaDecoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim ?? DecoderConfig.DefaultHiddenDim(embedDim), MaxSeqLen = maxSeqLen, NormEps = normEps,
                RopeBase = ropeBase, AttnDropout = attnDropout,
            RopeScaling = new("llama3", scaleFactor, 1, 4, 8192),
            TieWordEmbeddings = tieWordEmbeddings,
            },
            null);

    /// <summary>A Llama 3.2 decoder of any size with LoRA adapters.</summary>
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
    /// <param name="tieWordEmbeddings">The head is the embedding table.</param>
    [Component("torchtune.models.llama3_2.lora_llama3_2")]
    public static TransformerDecoder LoraLlama3_2(
        LoraConfig lora, long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long maxSeqLen, double attnDropout = 0,
        double ropeBase = 500_000, long? intermediateDim = null, double normEps = 1e-5, double scaleFactor = 32, bool tieWordEmbeddings = true) =>
        LlamaDecoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim ?? DecoderConfig.DefaultHiddenDim(embedDim), MaxSeqLen = maxSeqLen, NormEps = normEps,
                RopeBase = ropeBase, AttnDropout = attnDropout,
            RopeScaling = new("llama3", scaleFactor, 1, 4, 8192),
            TieWordEmbeddings = tieWordEmbeddings,
            },
            lora);
}
