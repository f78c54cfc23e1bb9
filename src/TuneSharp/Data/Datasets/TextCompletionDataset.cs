namespace TuneSharp.Data;

/// <summary>Unstructured text, every token of which is learned: continued pre-training.</summary>
/// <remarks>
/// torchtune counterpart: <c>torchtune/datasets/_text_completion.py</c>. There a long text is cut even when packing would split
/// it over several packs, so its rest is never seen; here <c>max_seq_len</c> null keeps it whole for the packing.
/// </remarks>
public sealed class TextCompletionDataset : IDataset, IComputedDataset
{
    private readonly IRowSource _rows;
    private readonly IModelTokenizer _tokenizer;
    private readonly string _column;
    private readonly bool _addEos;
    private readonly int? _maxSeqLen;
    private readonly Sample?[] _cache;

    /// <summary>Creates the data set.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="column">The column that holds the text.</param>
    /// <param name="addEos">End each text with the EOS id.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; longer ones lose their end. Null for no limit.</param>
    public TextCompletionDataset(
        IRowSource rows, IModelTokenizer tokenizer, string column = "text", bool addEos = true, int? maxSeqLen = null)
    {
        _rows = rows;
        _tokenizer = tokenizer;
        _column = column;
        _addEos = addEos;
        _maxSeqLen = maxSeqLen;
        _cache = new Sample?[rows.Count];
    }

    /// <inheritdoc/>
    public int Count => _rows.Count;

    /// <inheritdoc/>
    public Sample this[int index] => _cache[index] ??= Compute(index);

    /// <inheritdoc/>
    public Sample Compute(int index)
    {
        int[] tokens = _tokenizer.Encode(_rows[index].Text(_column), addBos: true, addEos: _addEos);
        tokens = Truncation.Apply<int>(tokens, _maxSeqLen, TruncationType.Right, last: null);
        int[] labels = new int[tokens.Length];
        Array.Fill(labels, Sample.IgnoreIndex);
        if (tokens.Length > 1)
        {
            tokens.AsSpan(1).CopyTo(labels);
        }

        return new Sample(tokens, labels);
    }

    /// <inheritdoc/>
    public string WhyMasked(Sample sample) =>
        $"A text of {sample.Tokens.Length} tokens has no next token to learn: check that column={_column} is the one with the texts.";
}
