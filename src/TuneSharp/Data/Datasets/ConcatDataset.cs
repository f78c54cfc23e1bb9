namespace TuneSharp.Data;

/// <summary>Several data sets, one after another: what a list under <c>dataset:</c> means.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/datasets/_concat.py</c>.</remarks>
public sealed class ConcatDataset : IDataset
{
    private readonly IReadOnlyList<IDataset> _parts;
    private readonly int[] _ends;

    /// <summary>Creates the data set.</summary>
    /// <param name="parts">All packed, or none.</param>
    /// <exception cref="DatasetException">There is none, or some are packed and some are not.</exception>
    public ConcatDataset(IReadOnlyList<IDataset> parts)
    {
        if (parts.Count == 0)
        {
            throw new DatasetException("dataset is an empty list. Name at least one data set.");
        }

        int packed = parts.Count(PackedDataset.IsPacked);
        if (packed != 0 && packed != parts.Count)
        {
            throw new DatasetException(
                $"{packed} of the {parts.Count} data sets are packed. Set packed to the same value in all of them.");
        }

        Packed = packed > 0;
        _parts = parts;
        _ends = new int[parts.Count];
        for (int i = 0; i < parts.Count; i++)
        {
            Count = checked(Count + parts[i].Count);
            _ends[i] = Count;
        }
    }

    /// <summary>True when the parts are packed.</summary>
    public bool Packed { get; }

    /// <inheritdoc/>
    public int Count { get; }

    /// <inheritdoc/>
    public Sample this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            int part = Array.FindIndex(_ends, end => index < end);
            return _parts[part][index - (part == 0 ? 0 : _ends[part - 1])];
        }
    }
}
