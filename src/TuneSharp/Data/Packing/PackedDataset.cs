namespace TuneSharp.Data;

/// <summary>Samples put together into packs of one length, so that almost nothing is padding.</summary>
/// <remarks>
/// Positions restart with each sample; what fills the end counts as a sample of its own, so nothing attends to it. Only the plan
/// is kept: a pack is put together when it is asked for. torchtune counterpart: <c>torchtune/datasets/_packed.py</c>, which fills
/// with 0 instead of the padding id and keeps the packs in memory.
/// </remarks>
public sealed class PackedDataset : IPlacedDataset
{
    private readonly PreparedDataset _samples;
    private readonly PackPlan _plan;
    private readonly int _paddingIdx;

    /// <summary>Packs a data set. All its samples are made now, on all cores.</summary>
    /// <param name="dataset">The samples.</param>
    /// <param name="maxSeqLen">Length of a pack in tokens.</param>
    /// <param name="paddingIdx">The id that fills the end of a pack.</param>
    /// <param name="maxPacks">Stop after so many packs; null for no limit.</param>
    /// <param name="splitAcrossPack">Split a sample that does not fit, instead of moving it to the next pack whole.</param>
    /// <param name="strategy">How samples are put together.</param>
    /// <exception cref="DatasetException">A sample is longer than a pack and may not be split, or is a preference sample.</exception>
    public PackedDataset(
        IDataset dataset,
        int maxSeqLen,
        int paddingIdx = 0,
        int? maxPacks = null,
        bool splitAcrossPack = false,
        PackingStrategy strategy = PackingStrategy.Greedy)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxSeqLen, 1);
        _samples = Preparation.InMemory(dataset);
        _paddingIdx = paddingIdx;
        if (_samples.Store.Summary.IsPreference)
        {
            throw new DatasetException("Preference data cannot be packed: set packed=False.");
        }

        _plan = PackPlan.Make(
            _samples.Count, _samples.Store.LengthOf, maxSeqLen, splitAcrossPack, strategy, maxPacks,
            i => dataset is PreparedDataset or RowDataset ? $"{_samples.Place(i)}: sample {i + 1}" : $"Sample {i + 1}");
    }

    /// <inheritdoc/>
    public int Count => _plan.Count;

    /// <summary>Share of the tokens that are real, 0 to 1; the rest is filler.</summary>
    public double Fill => _plan.Fill;

    internal PreparedDataset Samples => _samples;

    internal int Size => _plan.Size;

    /// <inheritdoc/>
    public Sample this[int index] => Build(_plan[index], _plan.Size, _paddingIdx, _samples.Store.Copy);

    /// <summary>True for a packed data set and for several of them together.</summary>
    /// <param name="dataset">Any data set.</param>
    public static bool IsPacked(IDataset dataset) =>
        dataset is PackedDataset or ConcatDataset { Packed: true } or InterleavedDataset { Packed: true } or StreamDataset { Packed: true };

    string IPlacedDataset.Place(int index) => string.Join("; ", _plan[index].ToArray().Select(p => _samples.Place(p.Sample)));

    /// <summary>Copies a part of a sample: its number, the first token, and where ids and labels go.</summary>
    internal delegate void CopyPiece(int sample, int from, Span<int> tokens, Span<int> labels);

    /// <summary>Puts one pack together.</summary>
    internal static Sample Build(ReadOnlySpan<PackPiece> pieces, int size, int paddingIdx, CopyPiece copy)
    {
        int[] tokens = new int[size];
        int[] labels = new int[size];
        int[] positions = new int[size];
        List<int> lengths = new(pieces.Length + 1);
        int at = 0;
        foreach (PackPiece piece in pieces)
        {
            copy(piece.Sample, piece.From, tokens.AsSpan(at, piece.Count), labels.AsSpan(at, piece.Count));
            for (int i = 0; i < piece.Count; i++)
            {
                positions[at + i] = (piece.From + i) % size;
            }

            lengths.Add(piece.Count);
            at += piece.Count;
        }

        int padding = size - at;
        int next = at > 0 ? positions[at - 1] : -1;
        for (; at < size; at++)
        {
            tokens[at] = paddingIdx;
            labels[at] = Sample.IgnoreIndex;
            positions[at] = Math.Min(++next, size - 1);
        }

        if (padding > 0)
        {
            lengths.Add(padding);
        }

        return new Sample(tokens, labels, positions, [.. lengths]) { Padding = padding };
    }
}
