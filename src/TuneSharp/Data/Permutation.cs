namespace TuneSharp.Data;

/// <summary>The order of the samples in an epoch: a function of seed and epoch alone, the same on every machine.</summary>
/// <remarks>
/// Fisher–Yates driven by SplitMix64 (Steele, Lea, Flood 2014, https://doi.org/10.1145/2714064.2660195), whose state begins at
/// mix(mix(seed) + epoch). A draw below n is the high half of a 128-bit product, drawn again where that would favour some values
/// (Lemire 2019, https://arxiv.org/abs/1805.10941).
/// </remarks>
internal static class Permutation
{
    private const ulong Golden = 0x9E3779B97F4A7C15;

    public static int[] Of(int count, int seed, int epoch) => Of(count, Mix(Mix(unchecked((ulong)seed)) + unchecked((ulong)epoch)));

    /// <summary>The order within a window of a stream.</summary>
    public static int[] Of(int count, int seed, int pass, int window) =>
        Of(count, Mix(Mix(Mix(unchecked((ulong)seed)) + unchecked((ulong)pass)) + unchecked((ulong)window) + Golden));

    private static int[] Of(int count, ulong state)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        for (int i = count - 1; i > 0; i--)
        {
            int j = (int)Below((ulong)i + 1, ref state);
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }

    private static ulong Below(ulong n, ref ulong state)
    {
        ulong threshold = unchecked(0UL - n) % n;
        while (true)
        {
            ulong high = Math.BigMul(Next(ref state), n, out ulong low);
            if (low >= threshold)
            {
                return high;
            }
        }
    }

    private static ulong Next(ref ulong state) => Mix(state = unchecked(state + Golden));

    private static ulong Mix(ulong z)
    {
        unchecked
        {
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }
}
