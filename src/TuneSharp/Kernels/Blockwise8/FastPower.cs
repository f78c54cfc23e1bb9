namespace TuneSharp.Kernels;

/// <summary>βⁿ as a GPU's fast power computes it (CUDA's <c>__powf</c>), which bitsandbytes corrects Adam's means with.</summary>
/// <remarks>
/// Its logarithm is off by up to 2⁻²² near 1, and the difference of βⁿ from 1 shows that in the first steps: by 3·10⁻⁵ of the rate for
/// β = 0.999. <see cref="Above"/> holds by how many units in the last place the result is above the rounded power, as an H100 computes it, for
/// the usual decays and the first steps; later ones go on at the same pace, others take the rounded power.
/// </remarks>
internal static class FastPower
{
    private static readonly Dictionary<float, sbyte[]> Above = new()
    {
        [0.9f] =
        [
            0, 1, 1, 1, 1, 2, 1, 2, 3, 2, 3, 2, 3, 4, 5, 4, 5, 4, 3, 6, 7, 7, 7, 7, 6, 5, 10, 7, 9, 7, 9, 7,
        ],
        [0.95f] =
        [
            0, 1, 1, 1, 2, 1, 1, 2, 3, 2, 3, 2, 2, 5, 6, 6, 6, 6, 6, 7, 6, 7, 6, 6, 6, 6, 6, 11, 12, 12, 11, 11,
        ],
        [0.98f] =
        [
            0, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 6, 7, 6, 7, 7, 8, 7, 8, 8, 8, 8, 9, 9, 9, 9,
        ],
        [0.99f] =
        [
            1, 0, 2, 3, 2, 4, 3, 5, 5, 5, 7, 7, 7, 8, 8, 9, 9, 9, 10, 10, 12, 12, 12, 12, 13, 14, 13, 14, 15, 14, 15,
            16,
        ],
        [0.995f] =
        [
            0, 2, 1, 2, 2, 2, 2, 3, 2, 3, 3, 5, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 8, 7, 8, 8, 9, 9, 8, 9, 9,
        ],
        [0.999f] =
        [
            1, 2, 3, 3, 3, 6, 5, 7, 7, 9, 9, 10, 10, 11, 12, 13, 14, 15, 15, 16, 17, 18, 18, 20, 20, 21, 21, 23, 23,
            25, 25, 26,
        ],
        [0.9995f] =
        [
            0, 2, 3, 3, 4, 5, 5, 7, 7, 8, 9, 10, 10, 11, 12, 13, 13, 14, 16, 16, 17, 18, 19, 18, 20, 21, 21, 22, 24,
            25, 25, 26,
        ],
        [0.9999f] =
        [
            1, 2, 2, 3, 4, 4, 5, 6, 7, 7, 8, 10, 11, 12, 12, 13, 13, 14, 14, 15, 16, 16, 19, 20, 20, 20, 21, 22, 23,
            23, 24, 25,
        ],
    };

    /// <summary>The power.</summary>
    /// <param name="beta">β.</param>
    /// <param name="count">n, from 1.</param>
    public static float Of(float beta, long count)
    {
        float rounded = (float)Math.Pow(beta, count);
        if (!Above.TryGetValue(beta, out sbyte[]? above))
        {
            return rounded;
        }

        if (count <= above.Length)
        {
            return BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(rounded) + above[count - 1]);
        }

        double last = Math.Pow(beta, above.Length);
        double share = above[^1] * (double)(MathF.BitIncrement((float)last) - (float)last) / last / above.Length;
        return (float)(rounded * (1 + (share * count)));
    }
}
