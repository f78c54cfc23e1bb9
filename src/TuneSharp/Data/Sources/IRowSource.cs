namespace TuneSharp.Data;

/// <summary>Rows by number, read when asked for. Thread-safe.</summary>
public interface IRowSource
{
    /// <summary>Number of rows.</summary>
    int Count { get; }

    /// <summary>Row number <paramref name="index"/>.</summary>
    /// <param name="index">From 0 to <see cref="Count"/> − 1.</param>
    Row this[int index] { get; }
}

/// <summary>Rows that are in memory already.</summary>
/// <param name="rows">The rows.</param>
public sealed class MemoryRows(IReadOnlyList<Row> rows) : IRowSource
{
    /// <inheritdoc/>
    public int Count => rows.Count;

    /// <inheritdoc/>
    public Row this[int index] => rows[index];
}

/// <summary>Pieces of other sources, one after another: what a split such as <c>train[:95%]+test</c> names.</summary>
internal sealed class RowPieces : IRowSource
{
    private readonly (IRowSource Source, int From)[] _pieces;
    private readonly int[] _ends;

    /// <param name="pieces">Source, first row, end (not included).</param>
    public RowPieces(IReadOnlyList<(IRowSource Source, int From, int To)> pieces)
    {
        _pieces = [.. pieces.Select(p => (p.Source, p.From))];
        _ends = new int[pieces.Count];
        for (int i = 0; i < pieces.Count; i++)
        {
            Count += Math.Max(0, pieces[i].To - pieces[i].From);
            _ends[i] = Count;
        }
    }

    public int Count { get; }

    public Row this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            int i = 0;
            while (index >= _ends[i])
            {
                i++;
            }

            int before = i == 0 ? 0 : _ends[i - 1];
            return _pieces[i].Source[_pieces[i].From + index - before];
        }
    }
}
