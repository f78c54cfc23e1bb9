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
/// the same in more detail and wins, <c>packed</c> puts samples together into packs of the tokenizer's <c>max_seq_len</c>.
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
    /// <param name="progress">While packing: is told how many samples are done, and of how many.</param>
    [Component("torchtune.datasets.alpaca_dataset")]
    public static IDataset AlpacaDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = true,
        MaskingStrategy? maskingStrategy = null,
        bool packed = false,
        Action<int, int>? progress = null) =>
        Sft(tokenizer, load, "tatsu-lab/alpaca", new AlpacaToMessages(columnMap, Masking.Choose(trainOnInput, maskingStrategy)), packed, progress);

    /// <summary>Alpaca's data, cleaned. <inheritdoc cref="AlpacaDataset" path="/summary"/></summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>yahma/alpaca-cleaned</c> unless named.</param>
    /// <param name="columnMap">The file's names of <c>instruction</c>, <c>input</c>, <c>output</c>.</param>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="progress">While packing: is told how many samples are done, and of how many.</param>
    [Component("torchtune.datasets.alpaca_cleaned_dataset")]
    public static IDataset AlpacaCleanedDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = true,
        MaskingStrategy? maskingStrategy = null,
        bool packed = false,
        Action<int, int>? progress = null) =>
        Sft(tokenizer, load, "yahma/alpaca-cleaned", new AlpacaToMessages(columnMap, Masking.Choose(trainOnInput, maskingStrategy)), packed, progress);

    /// <summary>Any data of two columns, a prompt and its answer.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows.</param>
    /// <param name="columnMap">The file's names of <c>input</c> and <c>output</c>.</param>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="newSystemPrompt">A system turn to begin each conversation with.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="progress">While packing: is told how many samples are done, and of how many.</param>
    [Component("torchtune.datasets.instruct_dataset")]
    public static IDataset InstructDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = false,
        string? newSystemPrompt = null,
        MaskingStrategy? maskingStrategy = null,
        bool packed = false,
        Action<int, int>? progress = null) =>
        InputOutput(tokenizer, load, null, columnMap, trainOnInput, newSystemPrompt, maskingStrategy, packed, progress);

    /// <summary>Conversations of several turns.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows.</param>
    /// <param name="conversationColumn">The column that holds the list of turns.</param>
    /// <param name="conversationStyle">How the turns are written.</param>
    /// <param name="trainOnInput">Learn the users' turns too.</param>
    /// <param name="newSystemPrompt">A system turn that replaces those of the data.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="progress">While packing: is told how many samples are done, and of how many.</param>
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
        Action<int, int>? progress = null)
    {
        MaskingStrategy masking = Masking.Choose(trainOnInput, maskingStrategy);
        IMessageTransform transform = conversationStyle == ConversationStyle.Sharegpt
            ? new ShareGptToMessages(Map("conversations", conversationColumn), newSystemPrompt, masking)
            : new OpenAIToMessages(Map("messages", conversationColumn), newSystemPrompt, masking);
        return Sft(tokenizer, load, null, transform, packed, progress);
    }

    /// <summary>Unstructured text, all of it learned.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows.</param>
    /// <param name="column">The column that holds the text.</param>
    /// <param name="addEos">End each text with the EOS id.</param>
    /// <param name="packed">Put texts together into packs.</param>
    /// <param name="splitAcrossPack">When packed: go on with a text in the next pack, so that no pack has a rest.</param>
    /// <param name="progress">While packing: is told how many samples are done, and of how many.</param>
    [Component("torchtune.datasets.text_completion_dataset")]
    public static IDataset TextCompletionDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        string column = "text",
        bool addEos = true,
        bool packed = false,
        bool splitAcrossPack = true,
        Action<int, int>? progress = null) =>
        Text(tokenizer, load, null, column, addEos, null, packed, splitAcrossPack, progress);

    /// <summary>Sentences and their corrections.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>liweili/c4_200m</c> unless named.</param>
    /// <param name="columnMap">The file's names of <c>input</c> and <c>output</c>.</param>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="newSystemPrompt">A system turn to begin each conversation with.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="progress">While packing: is told how many samples are done, and of how many.</param>
    [Component("torchtune.datasets.grammar_dataset")]
    public static IDataset GrammarDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = false,
        string? newSystemPrompt = null,
        MaskingStrategy? maskingStrategy = null,
        bool packed = false,
        Action<int, int>? progress = null) =>
        InputOutput(tokenizer, load, "liweili/c4_200m", columnMap, trainOnInput, newSystemPrompt, maskingStrategy, packed, progress);

    /// <summary>Dialogues and their summaries, in the columns <c>dialogue</c> and <c>summary</c>.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>Samsung/samsum</c> unless named.</param>
    /// <param name="columnMap">The file's names of <c>input</c> and <c>output</c>.</param>
    /// <param name="trainOnInput">Learn the prompts too.</param>
    /// <param name="newSystemPrompt">A system turn to begin each conversation with.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="progress">While packing: is told how many samples are done, and of how many.</param>
    [Component("torchtune.datasets.samsum_dataset")]
    public static IDataset SamsumDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = false,
        string? newSystemPrompt = null,
        MaskingStrategy? maskingStrategy = null,
        bool packed = false,
        Action<int, int>? progress = null)
    {
        columnMap ??= new Dictionary<string, string>(StringComparer.Ordinal) { ["input"] = "dialogue", ["output"] = "summary" };
        return InputOutput(tokenizer, load, "Samsung/samsum", columnMap, trainOnInput, newSystemPrompt, maskingStrategy, packed, progress);
    }

    /// <summary>SlimOrca's conversations.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>Open-Orca/SlimOrca-Dedup</c> unless named.</param>
    /// <param name="columnMap">The file's name of <c>conversations</c>.</param>
    /// <param name="trainOnInput">Learn the users' turns too.</param>
    /// <param name="newSystemPrompt">A system turn that replaces those of the data.</param>
    /// <param name="maskingStrategy">Which turns are learned; wins over <paramref name="trainOnInput"/>.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="progress">While packing: is told how many samples are done, and of how many.</param>
    [Component("torchtune.datasets.slimorca_dataset")]
    public static IDataset SlimorcaDataset(
        IModelTokenizer tokenizer,
        LoadOptions load,
        IReadOnlyDictionary<string, string>? columnMap = null,
        bool trainOnInput = false,
        string? newSystemPrompt = null,
        MaskingStrategy? maskingStrategy = null,
        bool packed = false,
        Action<int, int>? progress = null) =>
        Sft(
            tokenizer,
            load,
            "Open-Orca/SlimOrca-Dedup",
            new ShareGptToMessages(columnMap, newSystemPrompt, Masking.Choose(trainOnInput, maskingStrategy)),
            packed,
            progress);

    /// <summary>Newspaper articles as unstructured text, in the column <c>article</c>.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>ccdv/cnn_dailymail</c> unless named.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; the tokenizer's own limit when null.</param>
    [Component("torchtune.datasets.cnn_dailymail_articles_dataset")]
    public static IDataset CnnDailymailArticlesDataset(IModelTokenizer tokenizer, LoadOptions load, int? maxSeqLen = null) =>
        Text(tokenizer, load, "ccdv/cnn_dailymail", "article", true, maxSeqLen, packed: false, splitAcrossPack: false, progress: null);

    /// <summary>Wikipedia's articles as unstructured text, in the column <c>page</c>.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="load">Which rows; the hub's <c>EleutherAI/wikitext_document_level</c> unless named.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; the tokenizer's own limit when null.</param>
    /// <param name="packed">Put texts together into packs.</param>
    /// <param name="progress">While packing: is told how many samples are done, and of how many.</param>
    [Component("torchtune.datasets.wikitext_dataset")]
    public static IDataset WikitextDataset(
        IModelTokenizer tokenizer, LoadOptions load, int? maxSeqLen = null, bool packed = false, Action<int, int>? progress = null) =>
        Text(tokenizer, load, "EleutherAI/wikitext_document_level", "page", true, maxSeqLen, packed, splitAcrossPack: true, progress);

    private static IDataset InputOutput(
        IModelTokenizer tokenizer,
        LoadOptions load,
        string? defaultSource,
        IReadOnlyDictionary<string, string>? columnMap,
        bool trainOnInput,
        string? newSystemPrompt,
        MaskingStrategy? maskingStrategy,
        bool packed,
        Action<int, int>? progress) =>
        Sft(
            tokenizer,
            load,
            defaultSource,
            new InputOutputToMessages(columnMap, newSystemPrompt, Masking.Choose(trainOnInput, maskingStrategy)),
            packed,
            progress);

    private static IDataset Sft(
        IModelTokenizer tokenizer, LoadOptions load, string? defaultSource, IMessageTransform transform, bool packed, Action<int, int>? progress) =>
        Pack(new SftDataset(Rows(load, defaultSource), transform, tokenizer), tokenizer, packed, splitAcrossPack: false, progress);

    private static IDataset Text(
        IModelTokenizer tokenizer,
        LoadOptions load,
        string? defaultSource,
        string column,
        bool addEos,
        int? maxSeqLen,
        bool packed,
        bool splitAcrossPack,
        Action<int, int>? progress)
    {
        // torchtune leaves one token of room; a text that is split over packs is not cut at all.
        int? limit = maxSeqLen ?? (packed && splitAcrossPack ? null : tokenizer.MaxSeqLen - 1);
        TextCompletionDataset dataset = new(Rows(load, defaultSource), tokenizer, column, addEos, limit);
        return Pack(dataset, tokenizer, packed, splitAcrossPack, progress);
    }

    private static IRowSource Rows(LoadOptions load, string? defaultSource) =>
        RowLoader.Load(load with { Source = load.Source ?? defaultSource });

    private static IDataset Pack(
        IDataset dataset, IModelTokenizer tokenizer, bool packed, bool splitAcrossPack, Action<int, int>? progress)
    {
        if (!packed)
        {
            return dataset;
        }

        int length = tokenizer.MaxSeqLen ?? throw new DatasetException(
            "packed=True needs the length of a pack: set tokenizer.max_seq_len, to 4096 for example.");
        return new PackedDataset(dataset, length, tokenizer.PadId, splitAcrossPack: splitAcrossPack, progress: progress);
    }

    private static Dictionary<string, string> Map(string expected, string column) =>
        new(StringComparer.Ordinal) { [expected] = column };
}
