namespace TuneSharp.Data;

/// <summary>Samples that have all been made, in memory or in a mapped file.</summary>
internal interface ITokenStore
{
    /// <summary>Number of samples.</summary>
    int Count { get; }

    DatasetSummary Summary { get; }

    /// <summary>Tokens of a sample; of the preferred answer where there are two.</summary>
    int LengthOf(int index);

    Sample Read(int index);

    /// <summary>Copies a part of a sample.</summary>
    void Copy(int index, int from, Span<int> tokens, Span<int> labels);

    /// <summary>The row that a sample was made of.</summary>
    int RowOf(int index);
}

/// <summary>A data set whose samples have all been made.</summary>
internal sealed class PreparedDataset(ITokenStore store, IRowSource? rows) : IPlacedDataset
{
    public int Count => store.Count;

    public ITokenStore Store => store;

    public Sample this[int index] => store.Read(index);

    public string Place(int index) => rows is null ? FormattableString.Invariant($"sample {index + 1}") : rows[store.RowOf(index)].Place;
}

/// <summary>Samples in memory.</summary>
internal sealed class MemoryTokens : ITokenStore
{
    private readonly List<Sample> _samples = [];
    private readonly List<int> _rows = [];

    public int Count => _samples.Count;

    public DatasetSummary Summary { get; set; } = new();

    public void Add(Sample sample, int row)
    {
        _samples.Add(sample);
        _rows.Add(row);
    }

    public int LengthOf(int index) => _samples[index].Tokens.Length;

    public Sample Read(int index) => _samples[index];

    public int RowOf(int index) => _rows[index];

    public void Copy(int index, int from, Span<int> tokens, Span<int> labels)
    {
        _samples[index].Tokens.AsSpan(from, tokens.Length).CopyTo(tokens);
        _samples[index].Labels.AsSpan(from, labels.Length).CopyTo(labels);
    }
}
