using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>The data sets of models that name a class or guess hidden tokens.</summary>
public static class EncoderDatasets
{
    /// <summary>Texts and the class of each.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows.</param>
    /// <param name="column">The column that holds the text.</param>
    /// <param name="labelColumn">The column that holds the class: its number, or its name.</param>
    /// <param name="labelNames">Names of the classes in the order of their numbers; null when the column holds numbers.</param>
    /// <param name="labelPosition">Where the model answers: at the last token (decoders), or the first (BERT).</param>
    /// <param name="options">Filter, bad rows, cache, streaming.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("tunesharp.datasets.text_classification_dataset")]
    public static IDataset TextClassificationDataset(
        IModelTokenizer tokenizer, LoadOptions load, string column = "text", string labelColumn = "label", IReadOnlyList<string>? labelNames = null,
        LabelPosition labelPosition = LabelPosition.Last, DataOptions? options = null, DataRun? run = null) =>
        DatasetPipeline.Build(
            load, new ClassificationTransform(tokenizer, column, labelColumn, labelNames, labelPosition), tokenizer, packed: false,
            splitAcrossPack: false, options, run);

    /// <summary>Texts with hidden tokens, for masked-language models.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows.</param>
    /// <param name="column">The column that holds the text.</param>
    /// <param name="maskProbability">Share of the tokens that are to be guessed.</param>
    /// <param name="maskToken">The token that hides another.</param>
    /// <param name="maskSeed">Seed of the choice.</param>
    /// <param name="options">Filter, bad rows, cache, streaming.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    /// <exception cref="DatasetException">The vocabulary has no such token, or the share is none.</exception>
    [Component("tunesharp.datasets.masked_lm_dataset")]
    public static IDataset MaskedLmDataset(
        IModelTokenizer tokenizer, LoadOptions load, string column = "text", double maskProbability = 0.15, string maskToken = "[MASK]",
        int maskSeed = 0, DataOptions? options = null, DataRun? run = null)
    {
        int maskId = tokenizer.TokenToId(maskToken) ?? throw new DatasetException(
            $"dataset.mask_token: the tokenizer has no {maskToken}. Name the one that it has, as in mask_token=<mask>.");
        return maskProbability is > 0 and < 1
            ? DatasetPipeline.Build(
                load, new MaskedTransform(tokenizer, column, maskId, maskProbability, maskSeed), tokenizer, packed: false, splitAcrossPack: false,
                options, run)
            : throw new DatasetException(FormattableString.Invariant($"dataset.mask_probability is {maskProbability}; it must lie between 0 and 1."));
    }
}
