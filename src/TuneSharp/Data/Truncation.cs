namespace TuneSharp.Data;

/// <summary>Which end of a sample that is too long gives way.</summary>
public enum TruncationType
{
    /// <summary>The end is cut off.</summary>
    Right,

    /// <summary>The beginning is cut off.</summary>
    Left,
}

/// <summary>Cuts samples to length.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/data/_utils.py</c>, <c>truncate</c>.</remarks>
public static class Truncation
{
    /// <summary>Cuts made on this thread: whoever compares it before and after a sample knows whether the sample was cut.</summary>
    [ThreadStatic]
    private static long _cuts;

    /// <inheritdoc cref="_cuts"/>
    internal static long CutsOnThisThread => _cuts;

    /// <summary>Cuts a list to a length.</summary>
    /// <typeparam name="T">Token ids or mask bits.</typeparam>
    /// <param name="items">The list.</param>
    /// <param name="maxSeqLen">Longest length; null for no limit.</param>
    /// <param name="type">Which end is cut.</param>
    /// <param name="last">What the last item must be after the cut (the EOS id); null to leave it.</param>
    public static T[] Apply<T>(ReadOnlySpan<T> items, int? maxSeqLen, TruncationType type, T? last)
        where T : struct
    {
        if (maxSeqLen is not { } max)
        {
            return items.ToArray();
        }

        if (max < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(maxSeqLen), max, "max_seq_len must be at least 1.");
        }

        if (items.Length > max)
        {
            _cuts++;
        }

        T[] cut = (items.Length <= max ? items : type == TruncationType.Right ? items[..max] : items[^max..]).ToArray();
        if (last is { } end && cut.Length > 0)
        {
            cut[^1] = end;
        }

        return cut;
    }
}
