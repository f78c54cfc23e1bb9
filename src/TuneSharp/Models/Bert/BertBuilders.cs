using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Bert;

/// <summary>BERT base and large: guessing masked tokens, and classifying: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Releases: https://huggingface.co/google-bert/bert-base-uncased, https://huggingface.co/google-bert/bert-large-uncased.</remarks>
public static class BertBuilders
{
    private static readonly DecoderConfig ShapeBase = new()
    {
        VocabSize = 30_522, NumLayers = 12, NumHeads = 12, NumKvHeads = 12, EmbedDim = 768, HiddenDim = 3072, MaxSeqLen = 512, NormEps = 1e-12,
        Activation = GateActivation.Gelu, AttnDropout = 0.1, ResidDropout = 0.1, EmbedDropout = 0.1, LearnedPositions = true,
        Bidirectional = true, NumTokenTypes = 2, TieWordEmbeddings = true,
    };

    private static readonly DecoderConfig ShapeLarge = ShapeBase with
    { NumLayers = 24, NumHeads = 16, NumKvHeads = 16, EmbedDim = 1024, HiddenDim = 4096 };

    /// <summary>BERT base.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.bert.bert_base_110m")]
    public static TransformerDecoder BertBase110M([Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeBase, null, BertEncoder.Build, weights);

    /// <summary>BERT base with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.bert.lora_bert_base_110m")]
    public static TransformerDecoder LoraBertBase110M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeBase, lora, BertEncoder.Build, weights);

    /// <summary>BERT base with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.bert.qlora_bert_base_110m")]
    public static TransformerDecoder QloraBertBase110M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeBase, lora with { QuantizeBase = true }, BertEncoder.Build, weights);

    /// <summary>BERT large.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.bert.bert_large_340m")]
    public static TransformerDecoder BertLarge340M([Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeLarge, null, BertEncoder.Build, weights);

    /// <summary>BERT large with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.bert.lora_bert_large_340m")]
    public static TransformerDecoder LoraBertLarge340M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeLarge, lora, BertEncoder.Build, weights);

    /// <summary>BERT large with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.bert.qlora_bert_large_340m")]
    public static TransformerDecoder QloraBertLarge340M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeLarge, lora with { QuantizeBase = true }, BertEncoder.Build, weights);

    /// <summary>BERT base with a classifier's head.</summary>
    /// <param name="numClasses">Outputs of the head.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.bert.bert_base_classifier_110m")]
    public static TransformerDecoder BertBaseClassifier110M(long numClasses, [Runtime] string? weights = null) =>
        ModelLoader.Build(BaseClassifier(numClasses), null, BertEncoder.Build, weights);

    /// <summary>BERT base with a classifier's head with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="numClasses">Outputs of the head.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.bert.lora_bert_base_classifier_110m")]
    public static TransformerDecoder LoraBertBaseClassifier110M(LoraConfig lora, long numClasses, [Runtime] string? weights = null) =>
        ModelLoader.Build(BaseClassifier(numClasses), lora, BertEncoder.Build, weights);

    /// <summary>BERT base with a classifier's head with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="numClasses">Outputs of the head.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.bert.qlora_bert_base_classifier_110m")]
    public static TransformerDecoder QloraBertBaseClassifier110M(LoraConfig lora, long numClasses, [Runtime] string? weights = null) =>
        ModelLoader.Build(BaseClassifier(numClasses), lora with { QuantizeBase = true }, BertEncoder.Build, weights);

    /// <summary>BERT large with a classifier's head.</summary>
    /// <param name="numClasses">Outputs of the head.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.bert.bert_large_classifier_340m")]
    public static TransformerDecoder BertLargeClassifier340M(long numClasses, [Runtime] string? weights = null) =>
        ModelLoader.Build(LargeClassifier(numClasses), null, BertEncoder.Build, weights);

    /// <summary>BERT large with a classifier's head with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="numClasses">Outputs of the head.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.bert.lora_bert_large_classifier_340m")]
    public static TransformerDecoder LoraBertLargeClassifier340M(LoraConfig lora, long numClasses, [Runtime] string? weights = null) =>
        ModelLoader.Build(LargeClassifier(numClasses), lora, BertEncoder.Build, weights);

    /// <summary>BERT large with a classifier's head with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="numClasses">Outputs of the head.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.bert.qlora_bert_large_classifier_340m")]
    public static TransformerDecoder QloraBertLargeClassifier340M(LoraConfig lora, long numClasses, [Runtime] string? weights = null) =>
        ModelLoader.Build(LargeClassifier(numClasses), lora with { QuantizeBase = true }, BertEncoder.Build, weights);

    private static DecoderConfig BaseClassifier(long numClasses) =>
        ShapeBase.WithClasses(numClasses) with { TieWordEmbeddings = false, ClassifierDropout = 0.1 };

    private static DecoderConfig LargeClassifier(long numClasses) =>
        ShapeLarge.WithClasses(numClasses) with { TieWordEmbeddings = false, ClassifierDropout = 0.1 };

}
