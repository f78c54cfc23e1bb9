using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>How the turns of a conversation are written in a data file.</summary>
public enum ConversationStyle
{
    /// <summary><c>{"from": "human", "value": …}</c>.</summary>
    Sharegpt,

    /// <summary><c>{"role": "user", "content": …}</c>.</summary>
    Openai,
}

/// <summary>The data sets that a config can name; each is also a plain function of C#.</summary>
/// <remarks>
/// Arguments every builder takes: <c>load</c> says which rows (<see cref="LoadOptions"/>; a path alone will do), <c>columnMap</c>
/// gives the file's names of the columns that are needed, <c>trainOnInput</c> learns the prompts too, <c>maskingStrategy</c> says
/// the same in more detail and wins, <c>packed</c> puts samples together into packs of the tokenizer's <c>max_seq_len</c>, <c>options</c>
/// (<see cref="DataOptions"/>) says how rows become samples. A default name on the hub comes with that data set's own configuration.
/// torchtune counterpart: <c>torchtune/datasets/</c>.
/// </remarks>
public static class Datasets
{
    /// <summary>Alpaca's data: instruction, optional input, output.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>tatsu-lab/alpaca</c> unless named.</param>
    /// <param name="columnMap">The file's names of <c>instruction</c>, <c>input</c>, <c>output</c>.</param>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="options">Filter, bad rows, cache, streaming, packing.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.alpaca_dataset")]
    public static IDataset AlpacaDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = true,
        MaskingStrategy? maskingStrategy = null,
        bool packed = false,
        DataOptions? options = null,
        DataRun? run = null) =>
        DatasetPipeline.Sft(tokenizer, load.Or("tatsu-lab/alpaca"), new AlpacaToMessages(columnMap, Masking.Choose(trainOnInput, maskingStrategy)), packed, options, run);

    /// <summary>Alpaca's data, cleaned. <inheritdoc cref="AlpacaDataset" path="/summary"/></summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>yahma/alpaca-cleaned</c> unless named.</param>
    /// <param name="columnMap">The file's names of <c>instruction</c>, <c>input</c>, <c>output</c>.</param>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="options">Filter, bad rows, cache, streaming, packing.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.alpaca_cleaned_dataset")]
    public static IDataset AlpacaCleanedDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = true,
        MaskingStrategy? maskingStrategy = null,
        bool packed = false,
        DataOptions? options = null,
        DataRun? run = null) =>
        DatasetPipeline.Sft(tokenizer, load.Or("yahma/alpaca-cleaned"), new AlpacaToMessages(columnMap, Masking.Choose(trainOnInput, maskingStrategy)), packed, options, run);

    /// <summary>Any data of two columns, a prompt and its answer.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows.</param>
    /// <param name="columnMap">The file's names of <c>input</c> and <c>output</c>.</param>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="newSystemPrompt">A system turn to begin each conversation with.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="options">Filter, bad rows, cache, streaming, packing.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.instruct_dataset")]
    public static IDataset InstructDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = false,
        string? newSystemPrompt = null,
        MaskingStrategy? maskingStrategy = null,
        bool packed = false,
        DataOptions? options = null,
        DataRun? run = null) =>
        InputOutput(tokenizer, load, columnMap, trainOnInput, newSystemPrompt, maskingStrategy, packed, options, run);

    /// <summary>Conversations of several turns.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows.</param>
    /// <param name="conversationColumn">The column that holds the list of turns.</param>
    /// <param name="conversationStyle">How the turns are written.</param>
    /// <param name="trainOnInput">Learn the users' turns too.</param>
    /// <param name="newSystemPrompt">A system turn that replaces those of the data.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="options">Filter, bad rows, cache, streaming, packing.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.chat_dataset")]
    public static IDataset ChatDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        string conversationColumn,
        ConversationStyle conversationStyle,
        bool trainOnInput = false,
        string? newSystemPrompt = null,
        MaskingStrategy? maskingStrategy = null,
        bool packed = false,
        DataOptions? options = null,
        DataRun? run = null)
    {
        MaskingStrategy masking = Masking.Choose(trainOnInput, maskingStrategy);
        IMessageTransform transform = conversationStyle == ConversationStyle.Sharegpt
            ? new ShareGptToMessages(Map("conversations", conversationColumn), newSystemPrompt, masking)
            : new OpenAIToMessages(Map("messages", conversationColumn), newSystemPrompt, masking);
        return DatasetPipeline.Sft(tokenizer, load, transform, packed, options, run);
    }

    /// <summary>Unstructured text, all of it learned.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows.</param>
    /// <param name="column">The column that holds the text.</param>
    /// <param name="addEos">End each text with the EOS id.</param>
    /// <param name="packed">Put texts together into packs.</param>
    /// <param name="splitAcrossPack">When packed: go on with a text in the next pack, so that no pack has a rest.</param>
    /// <param name="options">Filter, bad rows, cache, streaming, packing.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.text_completion_dataset")]
    public static IDataset TextCompletionDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        string column = "text",
        bool addEos = true,
        bool packed = false,
        bool splitAcrossPack = true,
        DataOptions? options = null,
        DataRun? run = null) =>
        DatasetPipeline.Text(tokenizer, load, column, addEos, null, packed, splitAcrossPack, options, run);

    /// <summary>Sentences and their corrections.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>liweili/c4_200m</c> unless named.</param>
    /// <param name="columnMap">The file's names of <c>input</c> and <c>output</c>.</param>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="newSystemPrompt">A system turn to begin each conversation with.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="options">Filter, bad rows, cache, streaming, packing.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.grammar_dataset")]
    public static IDataset GrammarDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = false,
        string? newSystemPrompt = null,
        MaskingStrategy? maskingStrategy = null,
        bool packed = false,
        DataOptions? options = null,
        DataRun? run = null) =>
        InputOutput(tokenizer, load.Or("liweili/c4_200m"), columnMap, trainOnInput, newSystemPrompt, maskingStrategy, packed, options, run);

    /// <summary>Dialogues and their summaries, in the columns <c>dialogue</c> and <c>summary</c>.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>Samsung/samsum</c> unless named.</param>
    /// <param name="columnMap">The file's names of <c>input</c> and <c>output</c>.</param>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="newSystemPrompt">A system turn to begin each conversation with.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="options">Filter, bad rows, cache, streaming, packing.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.samsum_dataset")]
    public static IDataset SamsumDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = false,
        string? newSystemPrompt = null,
        MaskingStrategy? maskingStrategy = null,
        bool packed = false,
        DataOptions? options = null,
        DataRun? run = null)
    {
        columnMap ??= new Dictionary<string, string>(StringComparer.Ordinal) { ["input"] = "dialogue", ["output"] = "summary" };
        return InputOutput(tokenizer, load.Or("Samsung/samsum"), columnMap, trainOnInput, newSystemPrompt, maskingStrategy, packed, options, run);
    }

    /// <summary>SlimOrca's conversations.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>Open-Orca/SlimOrca-Dedup</c> unless named.</param>
    /// <param name="columnMap">The file's name of <c>conversations</c>.</param>
    /// <param name="trainOnInput">Learn the users' turns too.</param>
    /// <param name="newSystemPrompt">A system turn that replaces those of the data.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="options">Filter, bad rows, cache, streaming, packing.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.slimorca_dataset")]
    public static IDataset SlimorcaDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = false,
        string? newSystemPrompt = null,
        MaskingStrategy? maskingStrategy = null,
        bool packed = false,
        DataOptions? options = null,
        DataRun? run = null) =>
        DatasetPipeline.Sft(
            tokenizer,
            load.Or("Open-Orca/SlimOrca-Dedup"),
            new ShareGptToMessages(columnMap, newSystemPrompt, Masking.Choose(trainOnInput, maskingStrategy)),
            packed,
            options,
            run);

    /// <summary>Newspaper articles as unstructured text, in the column <c>article</c>.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>ccdv/cnn_dailymail</c> unless named.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; the tokenizer's own limit when null.</param>
    /// <param name="options">Filter, bad rows, cache, streaming.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.cnn_dailymail_articles_dataset")]
    public static IDataset CnnDailymailArticlesDataset(
        IModelTokenizer tokenizer, LoadOptions load, int? maxSeqLen = null, DataOptions? options = null, DataRun? run = null) =>
        DatasetPipeline.Text(
            tokenizer, load.Or("ccdv/cnn_dailymail", "3.0.0"), "article", true, maxSeqLen, packed: false, splitAcrossPack: false, options, run);

    /// <summary>Wikipedia's articles as unstructured text, in the column <c>page</c>.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>EleutherAI/wikitext_document_level</c>, <c>wikitext-103-v1</c>, unless named.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; the tokenizer's own limit when null.</param>
    /// <param name="packed">Put texts together into packs.</param>
    /// <param name="options">Filter, bad rows, cache, streaming.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.wikitext_dataset")]
    public static IDataset WikitextDataset(
        IModelTokenizer tokenizer, LoadOptions load, int? maxSeqLen = null, bool packed = false, DataOptions? options = null, DataRun? run = null) =>
        DatasetPipeline.Text(
            tokenizer, load.Or("EleutherAI/wikitext_document_level", "wikitext-103-v1"), "page", true, maxSeqLen, packed, splitAcrossPack: true, options, run);

    /// <summary>Grade-school mathematics with its reasoning, as plain text: what a model learns before it is trained by rewards.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>openai/gsm8k</c>, <c>main</c>, unless named.</param>
    /// <param name="partition">Which part of them: <c>0-7/10</c> for eight rows of ten. Null for all.</param>
    /// <param name="options">Filter, bad rows, cache, streaming.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.dev.grpo.gsm8k.gsm8k_sft")]
    public static IDataset Gsm8kSft(
        IModelTokenizer tokenizer, LoadOptions load, string? partition = null, DataOptions? options = null, DataRun? run = null) =>
        DatasetPipeline.Build(
            load.Or("openai/gsm8k", "main"),
            new Gsm8kTransform(tokenizer),
            tokenizer,
            packed: false,
            splitAcrossPack: false,
            partition is null || options?.FilterFn is not null
                ? options
                : (options ?? new()) with { FilterFn = new("tunesharp.filters.partition", new Dictionary<string, object?>(StringComparer.Ordinal), _ => RowFilters.Partition(partition)) },
            run);

    /// <summary>Two answers to each prompt, one of them preferred: columns <c>chosen</c> and <c>rejected</c>, each a list of turns.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows.</param>
    /// <param name="columnMap">The file's names of <c>chosen</c> and <c>rejected</c>.</param>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="newSystemPrompt">A system turn that replaces those of the data.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="options">Filter, bad rows, cache, streaming.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.preference_dataset")]
    public static IDataset PreferenceDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = false,
        string? newSystemPrompt = null,
        MaskingStrategy? maskingStrategy = null,
        DataOptions? options = null,
        DataRun? run = null) =>
        DatasetPipeline.Preference(
            tokenizer, load, new ChosenRejectedToMessages(columnMap, newSystemPrompt, Masking.Choose(trainOnInput, maskingStrategy)), options, run);

    /// <summary>Helpful and less helpful answers of an assistant.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>RLHFlow/HH-RLHF-Helpful-standard</c> unless named.</param>
    /// <param name="columnMap">The file's names of <c>chosen</c> and <c>rejected</c>.</param>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="newSystemPrompt">A system turn that replaces those of the data.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="options">Filter, bad rows, cache, streaming.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.hh_rlhf_helpful_dataset")]
    public static IDataset HhRlhfHelpfulDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = false,
        string? newSystemPrompt = null,
        MaskingStrategy? maskingStrategy = null,
        DataOptions? options = null,
        DataRun? run = null) =>
        PreferenceDataset(
            tokenizer, load.Or("RLHFlow/HH-RLHF-Helpful-standard"), columnMap, trainOnInput, newSystemPrompt, maskingStrategy, options, run);

    /// <summary>Questions with a better and a worse answer, in the columns <c>question</c>, <c>response_j</c>, <c>response_k</c>.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; <c>data/rl</c> of the hub's <c>lvwerra/stack-exchange-paired</c> unless named.</param>
    /// <param name="columnMap">The file's names of <c>prompt</c>, <c>chosen</c> and <c>rejected</c>.</param>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="newSystemPrompt">A system turn to begin with.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="options">Filter, bad rows, cache, streaming.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    [Component("torchtune.datasets.stack_exchange_paired_dataset")]
    public static IDataset StackExchangePairedDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = false,
        string? newSystemPrompt = null,
        MaskingStrategy? maskingStrategy = null,
        DataOptions? options = null,
        DataRun? run = null)
    {
        columnMap ??= new Dictionary<string, string>(StringComparer.Ordinal)
        { ["prompt"] = "question", ["chosen"] = "response_j", ["rejected"] = "response_k" };
        LoadOptions rows = load.Source is null && load.DataDir is null ? load with { DataDir = "data/rl" } : load;
        return DatasetPipeline.Preference(
            tokenizer,
            rows.Or("lvwerra/stack-exchange-paired"),
            new StackExchangePairedToMessages(columnMap, newSystemPrompt, Masking.Choose(trainOnInput, maskingStrategy)),
            options,
            run);
    }

    private static IDataset InputOutput(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap,
        bool trainOnInput,
        string? newSystemPrompt,
        MaskingStrategy? maskingStrategy,
        bool packed,
        DataOptions? options,
        DataRun? run) =>
        DatasetPipeline.Sft(
            tokenizer,
            load,
            new InputOutputToMessages(columnMap, newSystemPrompt, Masking.Choose(trainOnInput, maskingStrategy)),
            packed,
            options,
            run);

    private static Dictionary<string, string> Map(string expected, string column) =>
        new(StringComparer.Ordinal) { [expected] = column };
}
