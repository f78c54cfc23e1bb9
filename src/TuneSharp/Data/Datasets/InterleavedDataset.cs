namespace TuneSharp.Data;

/// <summary>When an epoch of several interleaved data sets ends.</summary>
public enum MixStop
{
    /// <summary>When the first of them has been shown whole; of the others the next epoch shows the next part.</summary>
    FirstExhausted,

    /// <summary>When all of them have been shown whole; the shorter ones are repeated.</summary>
    AllExhausted,
}

/// <summary>Several data sets mixed in given shares.</summary>
/// <remarks>
/// Shares are exact: at any point of an epoch each data set has had its share to within one sample, and nothing is drawn. A data set
/// of which an epoch shows a part goes on in the next epoch where it was, and begins again at its end.
/// </remarks>
public sealed class InterleavedDataset : IEpochDataset, IPlacedDataset, ICombinedDataset
{
    private readonly IReadOnlyList<IDataset> _parts;
    private readonly int[] _counts;
    private readonly (int Part, int Nth)[] _order;

    /// <summary>Creates the data set.</summary>
    /// <param name="parts">All packed, or none.</param>
    /// <param name="weights">The share of each, in any unit; null for the sizes of the data sets.</param>
    /// <param name="stop">When an epoch ends.</param>
    /// <exception cref="DatasetException">There is none, the weights do not fit, or some are packed and some are not.</exception>
    public InterleavedDataset(IReadOnlyList<IDataset> parts, IReadOnlyList<double>? weights = null, MixStop stop = MixStop.FirstExhausted)
    {
        Packed = DatasetList.Check(parts);
        _parts = parts;
        double[] shares = Shares(weights ?? [.. parts.Select(p => (double)p.Count)], parts.Count);
        IEnumerable<double> lengths = parts.Select((p, i) => p.Count / shares[i]);
        double length = stop == MixStop.FirstExhausted ? lengths.Min() : lengths.Max();
        _counts = [.. parts.Select((p, i) => (int)Math.Max(1, Math.Round(length * shares[i])))];
        if (stop == MixStop.FirstExhausted)
        {
            _counts = [.. _counts.Select((c, i) => Math.Min(c, parts[i].Count))];
        }

        _order = [.. _counts
            .SelectMany((count, part) => Enumerable.Range(0, count).Select(nth => (Part: part, Nth: nth, At: (nth + 0.5) / count)))
            .OrderBy(s => s.At).ThenBy(s => s.Part)
            .Select(s => (s.Part, s.Nth))];
    }

    /// <summary>True when the parts are packed.</summary>
    public bool Packed { get; }

    /// <inheritdoc/>
    public int Count => _order.Length;

    /// <summary>Samples of each data set in an epoch.</summary>
    public IReadOnlyList<int> Counts => _counts;

    IReadOnlyList<IDataset> ICombinedDataset.Parts => _parts;

    /// <inheritdoc/>
    public Sample this[int index] => Get(0, index);

    /// <inheritdoc/>
    public Sample Get(int epoch, int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        (int part, int nth) = _order[index];
        (long round, long at) = Math.DivRem(((long)epoch * _counts[part]) + nth, _parts[part].Count);
        return _parts[part] is IEpochDataset inner ? inner.Get((int)round, (int)at) : _parts[part][(int)at];
    }

    string IPlacedDataset.Place(int index)
    {
        (int part, int nth) = _order[index];
        return DatasetList.Place(_parts[part], nth % _parts[part].Count);
    }

    /// <summary>Weights as shares that add up to 1.</summary>
    internal static double[] Shares(IReadOnlyList<double> weights, int parts)
    {
        if (weights.Count != parts)
        {
            throw new DatasetException($"There are {parts} data sets and {weights.Count} weights. Give each data set one.");
        }

        if (weights.Any(w => !double.IsFinite(w) || w <= 0))
        {
            throw new DatasetException(FormattableString.Invariant(
                $"Weights must be above 0; they are {string.Join(", ", weights.Select(w => w.ToString(System.Globalization.CultureInfo.InvariantCulture)))}. Leave a data set out instead of weighing it 0."));
        }

        double sum = weights.Sum();
        return [.. weights.Select(w => w / sum)];
    }
}
