namespace TuneSharp.Data;

/// <summary>One training sample: token ids and what each position must predict.</summary>
/// <remarks>Labels are shifted already, as in torchtune: <c>Labels[i]</c> is the target of <c>Tokens[i]</c>.</remarks>
/// <param name="Tokens">Token ids, T of them.</param>
/// <param name="Labels">Target ids, T of them; <see cref="IgnoreIndex"/> where nothing is learned (the last always).</param>
/// <param name="InputPos">Positions, which restart with each packed sample; null for 0 to T−1.</param>
/// <param name="SeqLens">Lengths of the packed samples, which add up to T; null when unpacked.</param>
public sealed record Sample(int[] Tokens, int[] Labels, int[]? InputPos = null, int[]? SeqLens = null)
{
    /// <summary>The label that the loss skips.</summary>
    public const int IgnoreIndex = -100;

    /// <summary>How many tokens at the end are filler; 0 when none are.</summary>
    public int Padding { get; init; }

    /// <summary>
    /// In a preference data set: the answer that was not preferred, this one being the preferred. Both then have labels that are
    /// <b>not</b> shifted (<c>Labels[i]</c> is <c>Tokens[i]</c> or −100), as in torchtune. Null in all other data sets.
    /// </summary>
    public Sample? Rejected { get; init; }

    /// <summary>Whether anything in it is learned.</summary>
    internal bool Learns => Labels.AsSpan().ContainsAnyExcept(IgnoreIndex) && (Rejected?.Learns ?? true);
}

/// <summary>A data set whose samples are tokenised when asked for, or were before. Thread-safe.</summary>
public interface IDataset
{
    /// <summary>Number of samples.</summary>
    int Count { get; }

    /// <summary>Sample number <paramref name="index"/>.</summary>
    /// <param name="index">From 0 to <see cref="Count"/> − 1.</param>
    Sample this[int index] { get; }
}

/// <summary>A data set of which each epoch may show another part.</summary>
public interface IEpochDataset : IDataset
{
    /// <summary>A sample of an epoch; the indexer gives those of epoch 0.</summary>
    /// <param name="epoch">From 0.</param>
    /// <param name="index">From 0 to <see cref="IDataset.Count"/> − 1.</param>
    Sample Get(int epoch, int index);
}

/// <summary>A data set that knows where each sample came from.</summary>
internal interface IPlacedDataset : IDataset
{
    /// <summary>File and row of a sample, for messages.</summary>
    string Place(int index);
}
