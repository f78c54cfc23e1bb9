using TuneSharp.Config;
using TuneSharp.Models.Llama;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Llama2;

/// <summary>Llama 2 at 7B, 13B and 70B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2307.09288. Mirrors <c>torchtune/models/llama2/_model_builders.py</c>. Only the 70B shares key/value heads.</remarks>
public static class Llama2Builders
{
    private static readonly DecoderConfig Shape7B = new()
    {
        VocabSize = 32_000, NumLayers = 32, NumHeads = 32, NumKvHeads = 32,
        EmbedDim = 4096, HiddenDim = 11_008, MaxSeqLen = 4096, NormEps = 1e-5, RopeBase = 10_000,
    };

    private static readonly DecoderConfig Shape13B = Shape7B with
    { NumLayers = 40, NumHeads = 40, NumKvHeads = 40, EmbedDim = 5120, HiddenDim = 13_824 };

    private static readonly DecoderConfig Shape70B = Shape7B with
    { NumLayers = 80, NumHeads = 64, NumKvHeads = 8, EmbedDim = 8192, HiddenDim = 28_672 };

    private static readonly DecoderConfig ShapeReward7B = Shape7B with { NumClasses = 1 };

    /// <summary>Llama 2 7B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama2.llama2_7b")]
    public static TransformerDecoder Llama2_7B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, null, LlamaDecoder.Build, weights);

    /// <summary>Llama 2 7B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama2.lora_llama2_7b")]
    public static TransformerDecoder LoraLlama2_7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora, LlamaDecoder.Build, weights);

    /// <summary>Llama 2 7B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama2.qlora_llama2_7b")]
    public static TransformerDecoder QloraLlama2_7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>Llama 2 13B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama2.llama2_13b")]
    public static TransformerDecoder Llama2_13B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape13B, null, LlamaDecoder.Build, weights);

    /// <summary>Llama 2 13B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama2.lora_llama2_13b")]
    public static TransformerDecoder LoraLlama2_13B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape13B, lora, LlamaDecoder.Build, weights);

    /// <summary>Llama 2 13B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama2.qlora_llama2_13b")]
    public static TransformerDecoder QloraLlama2_13B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape13B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>Llama 2 70B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama2.llama2_70b")]
    public static TransformerDecoder Llama2_70B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, null, LlamaDecoder.Build, weights);

    /// <summary>Llama 2 70B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama2.lora_llama2_70b")]
    public static TransformerDecoder LoraLlama2_70B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, lora, LlamaDecoder.Build, weights);

    /// <summary>Llama 2 70B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama2.qlora_llama2_70b")]
    public static TransformerDecoder QloraLlama2_70B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape70B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>Llama 2 7B with a reward head of one output.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama2.llama2_reward_7b")]
    public static TransformerDecoder Llama2Reward7B([Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeReward7B, null, LlamaDecoder.Build, weights);

    /// <summary>Llama 2 7B with a reward head of one output with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama2.lora_llama2_reward_7b")]
    public static TransformerDecoder LoraLlama2Reward7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeReward7B, lora, LlamaDecoder.Build, weights);

    /// <summary>Llama 2 7B with a reward head of one output with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama2.qlora_llama2_reward_7b")]
    public static TransformerDecoder QloraLlama2Reward7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeReward7B, lora with { QuantizeBase = true }, LlamaDecoder.Build, weights);

    /// <summary>A Llama 2 decoder of any size.</summary>
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
    [Component("torchtune.models.llama2.llama2")]
    public static TransformerDecoder Llama2(
        long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long maxSeqLen, double attnDropout = 0,
        double ropeBase = 10_000, long? intermediateDim = null, double normEps = 1e-5) =>
        LlamaDecoder.Build(
            Shape(vocabSize, numLayers, numHeads, numKvHeads, embedDim, maxSeqLen, attnDropout, ropeBase, intermediateDim, normEps), null);

    /// <summary>A Llama 2 decoder of any size with LoRA adapters.</summary>
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
    [Component("torchtune.models.llama2.lora_llama2")]
    public static TransformerDecoder LoraLlama2(
        LoraConfig lora, long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long maxSeqLen, double attnDropout = 0,
        double ropeBase = 10_000, long? intermediateDim = null, double normEps = 1e-5) =>
        LlamaDecoder.Build(
            Shape(vocabSize, numLayers, numHeads, numKvHeads, embedDim, maxSeqLen, attnDropout, ropeBase, intermediateDim, normEps), lora);

    /// <summary>A Llama 2 of any size that classifies: its head has an output for each class instead of one for each token.</summary>
    /// <param name="numClasses">Outputs of the head.</param>
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
    [Component("torchtune.models.llama2.llama2_classifier")]
    public static TransformerDecoder Llama2Classifier(
        long numClasses, long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long maxSeqLen,
        double attnDropout = 0, double ropeBase = 10_000, long? intermediateDim = null, double normEps = 1e-5) =>
        LlamaDecoder.Build(
            Shape(vocabSize, numLayers, numHeads, numKvHeads, embedDim, maxSeqLen, attnDropout, ropeBase, intermediateDim, normEps)
                .WithClasses(numClasses),
            null);

    /// <summary>A Llama 2 of any size that classifies, with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="numClasses">Outputs of the head.</param>
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
    [Component("torchtune.models.llama2.lora_llama2_classifier")]
    public static TransformerDecoder LoraLlama2Classifier(
        LoraConfig lora, long numClasses, long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long maxSeqLen,
        double attnDropout = 0, double ropeBase = 10_000, long? intermediateDim = null, double normEps = 1e-5) =>
        LlamaDecoder.Build(
            Shape(vocabSize, numLayers, numHeads, numKvHeads, embedDim, maxSeqLen, attnDropout, ropeBase, intermediateDim, normEps)
                .WithClasses(numClasses),
            lora);

    private static DecoderConfig Shape(
        long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long maxSeqLen, double attnDropout, double ropeBase,
        long? intermediateDim, double normEps) => new()
        {
            VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
            HiddenDim = intermediateDim ?? DecoderConfig.DefaultHiddenDim(embedDim), MaxSeqLen = maxSeqLen, NormEps = normEps,
            RopeBase = ropeBase, AttnDropout = attnDropout,
        };
}
