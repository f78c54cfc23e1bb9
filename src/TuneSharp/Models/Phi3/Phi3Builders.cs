using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Phi3;

/// <summary>Phi-3 mini (4k): plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2404.14219. Mirrors <c>torchtune/models/phi3/_model_builders.py</c>.</remarks>
public static class Phi3Builders
{
    private static readonly DecoderConfig ShapeMini = new()
    {
        VocabSize = 32_064, NumLayers = 32, NumHeads = 32, NumKvHeads = 32,
        EmbedDim = 3072, HiddenDim = 8192, MaxSeqLen = 4096, NormEps = 1e-5, RopeBase = 10_000,
        SlidingWindow = 2047,
    };

    /// <summary>Phi-3 mini.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.phi3.phi3_mini")]
    public static TransformerDecoder Phi3Mini([Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeMini, null, Phi3Decoder.Build, weights);

    /// <summary>Phi-3 mini with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.phi3.lora_phi3_mini")]
    public static TransformerDecoder LoraPhi3Mini(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeMini, lora, Phi3Decoder.Build, weights);

    /// <summary>Phi-3 mini with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.phi3.qlora_phi3_mini")]
    public static TransformerDecoder QloraPhi3Mini(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeMini, lora with { QuantizeBase = true }, Phi3Decoder.Build, weights);

    /// <summary>A Phi-3 decoder of any size.</summary>
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
    [Component("torchtune.models.phi3.phi3")]
    public static TransformerDecoder Phi3(
        long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long intermediateDim, long maxSeqLen,
        double attnDropout = 0, double normEps = 1e-5, double ropeBase = 10_000) =>
        Phi3Decoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
            },
            null);

    /// <summary>A Phi-3 decoder of any size, with LoRA adapters.</summary>
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
    [Component("torchtune.models.phi3.lora_phi3")]
    public static TransformerDecoder LoraPhi3(
        LoraConfig lora, long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long intermediateDim, long maxSeqLen,
        double attnDropout = 0, double normEps = 1e-5, double ropeBase = 10_000) =>
        Phi3Decoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
            },
            lora);
}
