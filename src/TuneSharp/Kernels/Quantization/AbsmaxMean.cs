namespace TuneSharp.Kernels;

/// <summary>The mean of the scales of a weight, to the bit that bitsandbytes gets on a GPU: nested codes depend on it.</summary>
/// <remarks>
/// libtorch's reduction of one row: up to 512 threads read four neighbours each, again and again; the four sums of a thread are added,
/// then those of the threads: above 32 by halves, within 32 neighbours first. The sum is multiplied by 1/n.
/// </remarks>
internal static class AbsmaxMean
{
    private const int MaxThreads = 512;
    private const int Warp = 32;
    private const int Wide = 4;

    /// <summary>The mean.</summary>
    /// <param name="absmax">fp32, [n].</param>
    public static float Of(Tensor absmax)
    {
        if (absmax.device_type != DeviceType.CPU)
        {
            using Tensor mean = absmax.mean();
            return mean.item<float>();
        }

        using DisposeScope scope = NewDisposeScope();
        ReadOnlySpan<float> values = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(absmax.contiguous().bytes);
        return Sum(values) * (1f / values.Length);
    }

    private static float Sum(ReadOnlySpan<float> values)
    {
        bool wide = values.Length >= Wide;
        int rows = wide ? values.Length / Wide : values.Length;
        int threads = Math.Min(MaxThreads, 1 << System.Numerics.BitOperations.Log2((uint)Math.Max(1, rows)));
        float[] sums = new float[threads];
        if (!wide)
        {
            float few = 0;
            foreach (float value in values)
            {
                few += value;
            }

            return few;
        }

        Span<float> four = stackalloc float[Wide];
        int tail = values.Length - (values.Length % Wide);
        for (int thread = 0; thread < threads; thread++)
        {
            four.Clear();
            for (int row = thread; row < rows; row += threads)
            {
                for (int i = 0; i < Wide; i++)
                {
                    four[i] += values[(row * Wide) + i];
                }
            }

            if (tail + thread < values.Length)
            {
                four[0] += values[tail + thread];
            }

            sums[thread] = four[0] + four[1] + four[2] + four[3];
        }

        int left = threads;
        for (; left > Warp; left /= 2)
        {
            for (int i = 0; i < left / 2; i++)
            {
                sums[i] += sums[i + (left / 2)];
            }
        }

        for (int step = 1; step < left; step *= 2)
        {
            for (int i = 0; i + step < left; i += 2 * step)
            {
                sums[i] += sums[i + step];
            }
        }

        return sums[0];
    }
}
