namespace TuneSharp.Data;

/// <summary>Several data sets, one after another: what a list under <c>dataset:</c> means.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/datasets/_concat.py</c>.</remarks>
public sealed class ConcatDataset : IPlacedDataset, ICombinedDataset
{
    private readonly IReadOnlyList<IDataset> _parts;
    private readonly int[] _ends;

    /// <summary>Creates the data set.</summary>
    /// <param name="parts">All packed, or none.</param>
    /// <exception cref="DatasetException">There is none, or some are packed and some are not.</exception>
    public ConcatDataset(IReadOnlyList<IDataset> parts)
    {
        Packed = DatasetList.Check(parts);
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

    IReadOnlyList<IDataset> ICombinedDataset.Parts => _parts;

    /// <inheritdoc/>
    public Sample this[int index]
    {
        get
        {
            (IDataset part, int at) = Find(index);
            return part[at];
        }
    }

    string IPlacedDataset.Place(int index)
    {
        (IDataset part, int at) = Find(index);
        return DatasetList.Place(part, at);
    }

    private (IDataset Part, int Index) Find(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        int part = Array.FindIndex(_ends, end => index < end);
        return (_parts[part], index - (part == 0 ? 0 : _ends[part - 1]));
    }
}

/// <summary>A data set made of others.</summary>
internal interface ICombinedDataset : IDataset
{
    /// <summary>The others.</summary>
    IReadOnlyList<IDataset> Parts { get; }
}

/// <summary>What data sets made of others have in common.</summary>
internal static class DatasetList
{
    /// <summary>Whether the parts are packed: all or none.</summary>
    public static bool Check(IReadOnlyList<IDataset> parts)
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

        return packed > 0;
    }

    /// <summary>The data sets that a config names, whatever they are put together to.</summary>
    public static IEnumerable<IDataset> Leaves(IDataset dataset) => dataset is ICombinedDataset several ? several.Parts.SelectMany(Leaves) : [dataset];

    /// <summary>What each of them holds; null when one does not know.</summary>
    public static IReadOnlyList<DatasetSummary>? Summaries(IDataset dataset)
    {
        DatasetSummary?[] all = [.. Leaves(dataset).Select(d => Prepared(d)?.Store.Summary)];
        return all.Contains(null) ? null : [.. all.Select(s => s!)];
    }

    /// <summary>The samples of a data set before they were packed, if they were all made.</summary>
    public static PreparedDataset? Prepared(IDataset dataset) => dataset as PreparedDataset ?? (dataset as PackedDataset)?.Samples;

    public static string Place(IDataset part, int index) =>
        part is IPlacedDataset placed ? placed.Place(index) : FormattableString.Invariant($"sample {index + 1}");
}
