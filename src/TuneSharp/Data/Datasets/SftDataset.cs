namespace TuneSharp.Data;

/// <summary>Conversations for supervised fine-tuning: rows, made into messages, made into tokens and labels.</summary>
/// <remarks>
/// A sample is tokenised when it is first asked for and kept. Labels are the tokens shifted left by one; −100 where the mask says
/// so and at the end. torchtune counterpart: <c>torchtune/datasets/_sft.py</c>.
/// </remarks>
public sealed class SftDataset : IDataset, IComputedDataset
{
    private readonly IRowSource _rows;
    private readonly int[]? _kept;
    private readonly IMessageTransform _messages;
    private readonly IModelTokenizer _tokenizer;
    private readonly Sample?[] _cache;

    /// <summary>Creates the data set.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="messages">Makes a conversation of a row.</param>
    /// <param name="tokenizer">Writes the conversation as the model expects it.</param>
    /// <param name="filter">Rows to keep; null for all. Reads every row once.</param>
    /// <exception cref="DatasetException">No row is left.</exception>
    public SftDataset(IRowSource rows, IMessageTransform messages, IModelTokenizer tokenizer, Func<Row, bool>? filter = null)
    {
        _rows = rows;
        _messages = messages;
        _tokenizer = tokenizer;
        _kept = filter is null ? null : [.. Enumerable.Range(0, rows.Count).Where(i => filter(rows[i]))];
        Count = _kept?.Length ?? rows.Count;
        if (Count == 0)
        {
            throw new DatasetException($"The data set is empty: the filter keeps none of its {rows.Count} rows. Loosen the filter.");
        }

        _cache = new Sample?[Count];
    }

    /// <inheritdoc/>
    public int Count { get; }

    /// <inheritdoc/>
    public Sample this[int index] => _cache[index] ??= Compute(index);

    /// <inheritdoc/>
    public Sample Compute(int index)
    {
        Row row = _rows[_kept is null ? index : _kept[index]];
        IReadOnlyList<Message> messages = _messages.Apply(row);
        MessageRules.Validate(messages, row.Place);
        (int[] tokens, bool[] mask) = _tokenizer.TokenizeMessages(messages);
        return new Sample(tokens, Shift(tokens, mask));
    }

    /// <inheritdoc/>
    public string WhyMasked(Sample sample) => _tokenizer.MaxSeqLen is { } max && sample.Tokens.Length >= max
        ? $"Samples are cut at tokenizer.max_seq_len={max}, before the answer begins. Raise it, or set tokenizer.truncation_type=left."
        : "Only turns that are not masked are learned: check that column_map or conversation_column names the column with the " +
            "answers, that the roles are right, and train_on_input.";

    private static int[] Shift(int[] tokens, bool[] mask)
    {
        int[] labels = new int[tokens.Length];
        for (int i = 0; i < labels.Length; i++)
        {
            labels[i] = i + 1 < tokens.Length && !mask[i + 1] ? tokens[i + 1] : Sample.IgnoreIndex;
        }

        return labels;
    }
}

/// <summary>A data set that can make a sample without keeping it, and say why one has no labels.</summary>
internal interface IComputedDataset : IDataset
{
    Sample Compute(int index);

    /// <summary>The likely reason, and the remedy.</summary>
    string WhyMasked(Sample sample);
}
