using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>The classes and transforms of torchtune's data packages, where a config names one instead of a builder.</summary>
/// <remarks>What torchtune passes as an object (a data set, a transform) is a component here.</remarks>
public static class DatasetClasses
{
    /// <summary>Conversations: rows, made into messages, made into tokens and labels.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows.</param>
    /// <param name="messageTransform">Makes a conversation of a row.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="options">Filter, bad rows, cache, streaming, packing.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.SFTDataset")]
    public static IDataset SFTDataset(
        IModelTokenizer tokenizer, LoadOptions load, Component<IMessageTransform> messageTransform, bool packed = false, DataOptions? options = null, DataRun? run = null) =>
        DatasetPipeline.Sft(tokenizer, load, messageTransform.Build(), packed, options, run);

    /// <summary>Two answers to each prompt, one of them preferred.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows.</param>
    /// <param name="messageTransform">Makes both conversations of a row.</param>
    /// <param name="options">Filter, bad rows, cache, streaming.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.PreferenceDataset")]
    public static IDataset PreferenceDataset(
        IModelTokenizer tokenizer, LoadOptions load, Component<IPreferenceTransform> messageTransform, DataOptions? options = null, DataRun? run = null) =>
        DatasetPipeline.Preference(tokenizer, load, messageTransform.Build(), options, run);

    /// <summary>Unstructured text, all of it learned.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows.</param>
    /// <param name="column">The column that holds the text.</param>
    /// <param name="addEos">End each text with the EOS id.</param>
    /// <param name="options">Filter, bad rows, cache, streaming, packing.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.TextCompletionDataset")]
    public static IDataset TextCompletionDataset(
        IModelTokenizer tokenizer, LoadOptions load, string column = "text", bool addEos = true, DataOptions? options = null, DataRun? run = null) =>
        DatasetPipeline.Text(tokenizer, load, column, addEos, null, packed: false, splitAcrossPack: false, options, run);

    /// <summary>Packs another data set.</summary>
    /// <param name="tokenizer">The model's tokenizer: its padding id fills packs, its <c>max_seq_len</c> is their length unless given.</param>
    /// <param name="ds">The samples.</param>
    /// <param name="maxSeqLen">Length of a pack in tokens.</param>
    /// <param name="paddingIdx">The id that fills the end of a pack; the tokenizer's when null. (torchtune: 0.)</param>
    /// <param name="maxPacks">Stop after so many packs; null for no limit.</param>
    /// <param name="splitAcrossPack">Split a sample that does not fit.</param>
    /// <param name="packing">How samples are put together.</param>
    /// <param name="run">The run, or null.</param>
    [Component("torchtune.datasets.PackedDataset")]
    public static IDataset PackedDataset(
        IModelTokenizer tokenizer,
        Component<IDataset> ds,
        int? maxSeqLen = null,
        int? paddingIdx = null,
        int? maxPacks = null,
        bool splitAcrossPack = false,
        PackingStrategy packing = PackingStrategy.Greedy,
        DataRun? run = null)
    {
        int size = maxSeqLen ?? tokenizer.MaxSeqLen ?? throw new DatasetException("A pack needs a length: set max_seq_len here, or tokenizer.max_seq_len.");
        return new PackedDataset(Build(ds, tokenizer, run), size, paddingIdx ?? tokenizer.PadId, maxPacks, splitAcrossPack, packing);
    }

    /// <summary>Several data sets, one after another.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="datasets">The data sets.</param>
    /// <param name="run">The run, or null.</param>
    [Component("torchtune.datasets.ConcatDataset")]
    public static IDataset ConcatDataset(IModelTokenizer tokenizer, IReadOnlyList<Component<IDataset>> datasets, DataRun? run = null) =>
        DatasetMix.Concat([.. datasets.Select(d => Build(d, tokenizer, run))]);

    /// <summary>Several data sets, mixed.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="datasets">The data sets.</param>
    /// <param name="weights">The share of each, in any unit; null for their own <c>weight</c>, or their sizes.</param>
    /// <param name="stop">When an epoch ends.</param>
    /// <param name="run">The run, or null.</param>
    [Component("tunesharp.datasets.InterleavedDataset")]
    public static IDataset InterleavedDataset(
        IModelTokenizer tokenizer,
        IReadOnlyList<Component<IDataset>> datasets,
        IReadOnlyList<double>? weights = null,
        MixStop stop = MixStop.FirstExhausted,
        DataRun? run = null)
    {
        IReadOnlyList<double>? own = weights ?? DatasetMix.WeightsOf(datasets);
        return DatasetMix.Interleave([.. datasets.Select(d => Build(d, tokenizer, run))], own, stop);
    }

    /// <summary>Messages, then tokens: what <c>SFTDataset</c> applies to a row.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="messageTransform">Makes a conversation of a row.</param>
    [Component("torchtune.datasets.SFTTransform")]
    public static ISampleTransform SFTTransform(IModelTokenizer tokenizer, Component<IMessageTransform> messageTransform) =>
        new SftTransform(messageTransform.Build(), tokenizer);

    /// <inheritdoc cref="TuneSharp.Data.InputOutputToMessages"/>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="columnMap">The file's names of <c>input</c> and <c>output</c>.</param>
    /// <param name="newSystemPrompt">A system turn to begin with.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    [Component("torchtune.data.InputOutputToMessages")]
    public static IMessageTransform InputOutputToMessages(
        bool trainOnInput = false, IReadOnlyDictionary<string, string>? columnMap = null, string? newSystemPrompt = null, MaskingStrategy? maskingStrategy = null) =>
        new InputOutputToMessages(columnMap, newSystemPrompt, Masking.Choose(trainOnInput, maskingStrategy));

    /// <inheritdoc cref="TuneSharp.Data.AlpacaToMessages"/>
    /// <param name="trainOnInput">Learn the prompts too; Alpaca does.</param>
    /// <param name="columnMap">The file's names of <c>instruction</c>, <c>input</c>, <c>output</c>.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    [Component("torchtune.data.AlpacaToMessages")]
    public static IMessageTransform AlpacaToMessages(
        bool trainOnInput = true, IReadOnlyDictionary<string, string>? columnMap = null, MaskingStrategy? maskingStrategy = null) =>
        new AlpacaToMessages(columnMap, Masking.Choose(trainOnInput, maskingStrategy));

    /// <inheritdoc cref="ShareGptToMessages"/>
    /// <param name="trainOnInput">Learn the users' turns too.</param>
    /// <param name="columnMap">The file's name of <c>conversations</c>.</param>
    /// <param name="newSystemPrompt">A system turn that replaces those of the data.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    [Component("torchtune.data.ShareGPTToMessages")]
    public static IMessageTransform ShareGPTToMessages(
        bool trainOnInput = false, IReadOnlyDictionary<string, string>? columnMap = null, string? newSystemPrompt = null, MaskingStrategy? maskingStrategy = null) =>
        new ShareGptToMessages(columnMap, newSystemPrompt, Masking.Choose(trainOnInput, maskingStrategy));

    /// <inheritdoc cref="TuneSharp.Data.OpenAIToMessages"/>
    /// <param name="trainOnInput">Learn the users' turns too.</param>
    /// <param name="columnMap">The file's name of <c>messages</c>.</param>
    /// <param name="newSystemPrompt">A system turn that replaces those of the data.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    [Component("torchtune.data.OpenAIToMessages")]
    public static IMessageTransform OpenAIToMessages(
        bool trainOnInput = false, IReadOnlyDictionary<string, string>? columnMap = null, string? newSystemPrompt = null, MaskingStrategy? maskingStrategy = null) =>
        new OpenAIToMessages(columnMap, newSystemPrompt, Masking.Choose(trainOnInput, maskingStrategy));

    /// <inheritdoc cref="TuneSharp.Data.ChosenRejectedToMessages"/>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="columnMap">The file's names of <c>chosen</c> and <c>rejected</c>.</param>
    /// <param name="newSystemPrompt">A system turn that replaces those of the data.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    [Component("torchtune.data.ChosenRejectedToMessages")]
    public static IPreferenceTransform ChosenRejectedToMessages(
        bool trainOnInput = false, IReadOnlyDictionary<string, string>? columnMap = null, string? newSystemPrompt = null, MaskingStrategy? maskingStrategy = null) =>
        new ChosenRejectedToMessages(columnMap, newSystemPrompt, Masking.Choose(trainOnInput, maskingStrategy));

    /// <inheritdoc cref="TuneSharp.Data.StackExchangePairedToMessages"/>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="columnMap">The file's names of <c>prompt</c>, <c>chosen</c> and <c>rejected</c>.</param>
    /// <param name="newSystemPrompt">A system turn to begin with.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    [Component("torchtune.datasets.StackExchangePairedToMessages")]
    public static IPreferenceTransform StackExchangePairedToMessages(
        bool trainOnInput = false, IReadOnlyDictionary<string, string>? columnMap = null, string? newSystemPrompt = null, MaskingStrategy? maskingStrategy = null) =>
        new StackExchangePairedToMessages(columnMap, newSystemPrompt, Masking.Choose(trainOnInput, maskingStrategy));

    private static IDataset Build(Component<IDataset> dataset, IModelTokenizer tokenizer, DataRun? run) =>
        run is null ? dataset.Build(tokenizer) : dataset.Build(tokenizer, run.For(dataset));
}
