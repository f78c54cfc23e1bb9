using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Mistral;

/// <summary>Mistral 7B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2310.06825. Mirrors <c>torchtune/models/mistral/_model_builders.py</c>. The window is that of the released v0.1; later releases have none: use <c>auto</c> for them.</remarks>
public static class MistralBuilders
{
    private static readonly DecoderConfig Shape7B = new()
    {
        VocabSize = 32_000, NumLayers = 32, NumHeads = 32, NumKvHeads = 8,
        EmbedDim = 4096, HiddenDim = 14_336, MaxSeqLen = 32_768, NormEps = 1e-5, RopeBase = 10_000,
        SlidingWindow = 4096,
    };

    private static readonly DecoderConfig ShapeReward7B = Shape7B with
    {
        NumClasses = 1,
    };

    private static readonly DecoderConfig ShapeSmall24B = new()
    {
        VocabSize = 131_072, NumLayers = 40, NumHeads = 32, NumKvHeads = 8, HeadDim = 128,
        EmbedDim = 5120, HiddenDim = 32_768, MaxSeqLen = 32_768, NormEps = 1e-5, RopeBase = 100_000_000,
    };

    private static readonly DecoderConfig ShapeMinistral8B = new()
    {
        VocabSize = 131_072, NumLayers = 36, NumHeads = 32, NumKvHeads = 8, HeadDim = 128,
        EmbedDim = 4096, HiddenDim = 12_288, MaxSeqLen = 32_768, NormEps = 1e-5, RopeBase = 100_000_000,
        SlidingWindow = 32_768,
    };

    private static readonly DecoderConfig ShapeNemo12B = new()
    {
        VocabSize = 131_072, NumLayers = 40, NumHeads = 32, NumKvHeads = 8, HeadDim = 128,
        EmbedDim = 5120, HiddenDim = 14_336, MaxSeqLen = 131_072, NormEps = 1e-5, RopeBase = 1_000_000,
    };

    /// <summary>Mistral 7B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.mistral_7b")]
    public static TransformerDecoder Mistral7B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, null, MistralDecoder.Build, weights);

    /// <summary>Mistral 7B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.lora_mistral_7b")]
    public static TransformerDecoder LoraMistral7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora, MistralDecoder.Build, weights);

    /// <summary>Mistral 7B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.qlora_mistral_7b")]
    public static TransformerDecoder QloraMistral7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape7B, lora with { QuantizeBase = true }, MistralDecoder.Build, weights);

    /// <summary>Mistral 7B with a reward head of one output.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.mistral_reward_7b")]
    public static TransformerDecoder MistralReward7B([Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeReward7B, null, MistralDecoder.Build, weights);

    /// <summary>Mistral 7B with a reward head of one output with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.lora_mistral_reward_7b")]
    public static TransformerDecoder LoraMistralReward7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeReward7B, lora, MistralDecoder.Build, weights);

    /// <summary>Mistral 7B with a reward head of one output with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.qlora_mistral_reward_7b")]
    public static TransformerDecoder QloraMistralReward7B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeReward7B, lora with { QuantizeBase = true }, MistralDecoder.Build, weights);

    /// <summary>Mistral Small 3 at 24B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.mistral_small_24b")]
    public static TransformerDecoder MistralSmall24B([Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeSmall24B, null, MistralDecoder.Build, weights);

    /// <summary>Mistral Small 3 at 24B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.lora_mistral_small_24b")]
    public static TransformerDecoder LoraMistralSmall24B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeSmall24B, lora, MistralDecoder.Build, weights);

    /// <summary>Mistral Small 3 at 24B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.qlora_mistral_small_24b")]
    public static TransformerDecoder QloraMistralSmall24B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeSmall24B, lora with { QuantizeBase = true }, MistralDecoder.Build, weights);

    /// <summary>Ministral 8B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.ministral_8b")]
    public static TransformerDecoder Ministral8B([Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeMinistral8B, null, MistralDecoder.Build, weights);

    /// <summary>Ministral 8B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.lora_ministral_8b")]
    public static TransformerDecoder LoraMinistral8B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeMinistral8B, lora, MistralDecoder.Build, weights);

    /// <summary>Ministral 8B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.qlora_ministral_8b")]
    public static TransformerDecoder QloraMinistral8B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeMinistral8B, lora with { QuantizeBase = true }, MistralDecoder.Build, weights);

    /// <summary>Mistral Nemo 12B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.mistral_nemo_12b")]
    public static TransformerDecoder MistralNemo12B([Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeNemo12B, null, MistralDecoder.Build, weights);

    /// <summary>Mistral Nemo 12B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.lora_mistral_nemo_12b")]
    public static TransformerDecoder LoraMistralNemo12B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeNemo12B, lora, MistralDecoder.Build, weights);

    /// <summary>Mistral Nemo 12B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.mistral.qlora_mistral_nemo_12b")]
    public static TransformerDecoder QloraMistralNemo12B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeNemo12B, lora with { QuantizeBase = true }, MistralDecoder.Build, weights);

    /// <summary>A Mistral decoder of any size.</summary>
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
    [Component("torchtune.models.mistral.mistral")]
    public static TransformerDecoder Mistral(
        long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long intermediateDim, long maxSeqLen,
        double attnDropout = 0, double normEps = 1e-5, double ropeBase = 10_000) =>
        MistralDecoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
            },
            null);

    /// <summary>A Mistral decoder of any size, with LoRA adapters.</summary>
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
    [Component("torchtune.models.mistral.lora_mistral")]
    public static TransformerDecoder LoraMistral(
        LoraConfig lora, long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long intermediateDim, long maxSeqLen,
        double attnDropout = 0, double normEps = 1e-5, double ropeBase = 10_000) =>
        MistralDecoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
            },
            lora);

    /// <summary>A Mistral of any size that classifies: its head has an output for each class.</summary>
    /// <param name="numClasses">Outputs of the head.</param>
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
    [Component("torchtune.models.mistral.mistral_classifier")]
    public static TransformerDecoder MistralClassifier(
        long numClasses, long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim, long intermediateDim, long maxSeqLen,
        double attnDropout = 0, double normEps = 1e-5, double ropeBase = 10_000) =>
        MistralDecoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
            }.WithClasses(numClasses),
            null);

    /// <summary>A Mistral of any size that classifies: its head has an output for each class, with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="numClasses">Outputs of the head.</param>
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
    [Component("torchtune.models.mistral.lora_mistral_classifier")]
    public static TransformerDecoder LoraMistralClassifier(
        LoraConfig lora, long numClasses, long vocabSize, int numLayers, int numHeads, int numKvHeads, long embedDim,
        long intermediateDim, long maxSeqLen, double attnDropout = 0, double normEps = 1e-5, double ropeBase = 10_000) =>
        MistralDecoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
            }.WithClasses(numClasses),
            lora);
}
