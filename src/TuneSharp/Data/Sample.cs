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
}

/// <summary>A data set whose samples are tokenised when asked for. Thread-safe.</summary>
public interface IDataset
{
    /// <summary>Number of samples.</summary>
    int Count { get; }

    /// <summary>Sample number <paramref name="index"/>.</summary>
    /// <param name="index">From 0 to <see cref="Count"/> − 1.</param>
    Sample this[int index] { get; }
}
