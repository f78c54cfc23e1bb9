namespace TuneSharp.Data;

/// <summary>Rows and what makes a sample of each. A sample is made when it is first asked for, and kept.</summary>
/// <remarks>A run does not use it as it is: it has all samples made beforehand (<see cref="Preparation"/>).</remarks>
public abstract class RowDataset : IPlacedDataset
{
    private readonly IRowFilter? _filter;
    private readonly Lazy<int[]?> _kept;
    private readonly Lazy<Sample?[]> _cache;

    private protected RowDataset(IRowSource rows, ISampleTransform transform, IRowFilter? filter)
    {
        (Rows, Transform, _filter) = (rows, transform, filter);
        _kept = new Lazy<int[]?>(FindKept);
        _cache = new Lazy<Sample?[]>(() => new Sample?[Count]);
    }

    /// <inheritdoc/>
    public int Count => _kept.Value?.Length ?? Rows.Count;

    internal IRowSource Rows { get; }

    /// <summary>What is wrong with rows that could not even be read, known once the rows are open.</summary>
    internal IReadOnlyList<string> Unreadable { get; init; } = [];

    internal ISampleTransform Transform { get; }

    /// <inheritdoc/>
    public Sample this[int index] => _cache.Value[index] ??= Transform.Apply(Rows[RowOf(index)]);

    string IPlacedDataset.Place(int index) => Rows[RowOf(index)].Place;

    /// <summary>The sample of a row, without keeping it; null when the filter leaves the row out.</summary>
    internal Sample? Make(int row)
    {
        Row read = Rows[row];
        return _filter?.Keep(read, row) == false ? null : RowErrors.Explain(Transform, read);
    }

    /// <summary>Finds out now whether the filter keeps anything.</summary>
    private protected void RequireRows() => _ = _kept.Value;

    private int RowOf(int index) => _kept.Value is { } kept ? kept[index] : index;

    private int[]? FindKept()
    {
        if (_filter is null)
        {
            return null;
        }

        int[] kept = [.. Enumerable.Range(0, Rows.Count).Where(i => _filter.Keep(Rows[i], i))];
        return kept.Length > 0 ? kept : throw RowErrors.NothingKept(Rows.Count);
    }
}

/// <summary>Conversations for supervised fine-tuning.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/datasets/_sft.py</c>, <c>SFTDataset</c>.</remarks>
public sealed class SftDataset : RowDataset
{
    /// <summary>Creates the data set.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="messages">Makes a conversation of a row.</param>
    /// <param name="tokenizer">Writes the conversation as the model expects it.</param>
    /// <param name="filter">Rows to keep; null for all. Reads every row once.</param>
    /// <exception cref="DatasetException">No row is left.</exception>
    public SftDataset(IRowSource rows, IMessageTransform messages, IModelTokenizer tokenizer, Func<Row, bool>? filter = null)
        : base(rows, new SftTransform(messages, tokenizer), filter is null ? null : new RowFilters.Filter((row, _) => filter(row))) => RequireRows();

    internal SftDataset(IRowSource rows, ISampleTransform transform, IRowFilter? filter)
        : base(rows, transform, filter)
    {
    }
}

/// <summary>Unstructured text, every token of which is learned: continued pre-training.</summary>
/// <remarks>
/// torchtune counterpart: <c>torchtune/datasets/_text_completion.py</c>. There a long text is cut even when packing would split
/// it over several packs, so its rest is never seen; here <c>max_seq_len</c> null keeps it whole for the packing.
/// </remarks>
/// <param name="rows">The rows.</param>
/// <param name="tokenizer">The tokenizer.</param>
/// <param name="column">The column that holds the text.</param>
/// <param name="addEos">End each text with the EOS id.</param>
/// <param name="maxSeqLen">Longest sample in tokens; longer ones lose their end. Null for no limit.</param>
/// <param name="filter">Rows to keep; null for all.</param>
public sealed class TextCompletionDataset(
    IRowSource rows, IModelTokenizer tokenizer, string column = "text", bool addEos = true, int? maxSeqLen = null, IRowFilter? filter = null)
    : RowDataset(rows, new TextTransform(tokenizer, column, addEos, maxSeqLen), filter);

/// <summary>Two answers to each prompt, one of them preferred: for DPO and its like.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/datasets/_preference.py</c>, <c>PreferenceDataset</c>.</remarks>
/// <param name="rows">The rows.</param>
/// <param name="messages">Makes both conversations of a row.</param>
/// <param name="tokenizer">Writes a conversation as the model expects it.</param>
/// <param name="filter">Rows to keep; null for all.</param>
public sealed class PreferenceDataset(IRowSource rows, IPreferenceTransform messages, IModelTokenizer tokenizer, IRowFilter? filter = null)
    : RowDataset(rows, new PreferenceTransform(messages, tokenizer), filter);

/// <summary>Turns what a tokenizer or a template says about a row into a message that names the row.</summary>
internal static class RowErrors
{
    public static Sample Explain(ISampleTransform transform, Row row)
    {
        try
        {
            return transform.Apply(row);
        }
        catch (Exception e) when (e is not DatasetException and (FormatException or ArgumentException or InvalidOperationException or InvalidDataException))
        {
            throw new DatasetException($"{row.Place}: {e.Message}", e);
        }
    }

    public static DatasetException NothingKept(long rows) =>
        new($"The data set is empty: filter_fn keeps none of its {rows} rows. Loosen the filter.");
}
