using System.ComponentModel.DataAnnotations;
using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>What becomes of a row that cannot be used.</summary>
public enum ErrorPolicy
{
    /// <summary>The run ends, with file, row and field.</summary>
    Stop,

    /// <summary>The row is left out and counted.</summary>
    Skip,
}

/// <summary>How samples are put together into packs.</summary>
public enum PackingStrategy
{
    /// <summary>In order, as torchtune: a sample that does not fit begins the next pack.</summary>
    Greedy,

    /// <summary>Longest first, each into the fullest pack that has room: hardly any filler.</summary>
    BestFit,
}

/// <summary>What every data set takes besides its rows and columns.</summary>
public sealed record DataOptions
{
    /// <summary>Which rows are kept; null for all. A component such as <c>tunesharp.filters.text_length</c>.</summary>
    public Component<IRowFilter>? FilterFn { get; init; }

    /// <summary>What becomes of bad rows. Default: stop.</summary>
    public ErrorPolicy OnError { get; init; }

    /// <summary>Keep the tokens on disk, so that the next run need not make them. Default: true.</summary>
    public bool Cache { get; init; } = true;

    /// <summary>The folder of that cache. Default: <c>data</c> in <c>TUNESHARP_CACHE</c>, or in the user's cache folder.</summary>
    public string? CacheDir { get; init; }

    /// <summary>Read rows as they come and tokenise them on the way: for data larger than memory and disk cache. Default: false.</summary>
    public bool Streaming { get; init; }

    /// <summary>With <see cref="Streaming"/>: rows that are read ahead and shuffled together. Default: 10,000.</summary>
    [Range(1, 10_000_000)]
    public int ShuffleBuffer { get; init; } = 10_000;

    /// <summary>How samples are packed; naming one packs. Default: greedy, when <c>packed</c> is true.</summary>
    public PackingStrategy? Packing { get; init; }

    /// <summary>When packed: go on with a sample in the next pack, so that no pack has a rest. Default: the data set's own.</summary>
    public bool? SplitAcrossPack { get; init; }

    /// <summary>Share of this data set among several, in any unit. Default: null, they follow each other.</summary>
    [Range(0, double.MaxValue, MinimumIsExclusive = true)]
    public double? Weight { get; init; }
}
