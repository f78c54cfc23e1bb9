using System.Diagnostics;
using TuneSharp.Modules;
using TuneSharp.Backend;

namespace TuneSharp.Recipes;

/// <summary>How much arithmetic a training step cannot do without, and how fast the device does plain products.</summary>
/// <remarks>
/// A product of [T, in] by [in, out] is 2·T·in·out operations. Forward counts once, the gradient of the input once more, and for trained weights
/// their gradient a third time. Causal attention of a sample of S tokens is 2·S²·N·H forward (half of the square of both products) and 2.5
/// times that back. Recomputing repeats a layer's products but its last, and its attention. The adapters' own work is not counted.
/// </remarks>
internal static class StepWork
{
    /// <summary>Operations of a step.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="options">What is run.</param>
    public static double Operations(DecoderConfig shape, StepBenchOptions options)
    {
        double tokens = (double)options.BatchSize * options.SeqLen;
        double attentionWidth = (double)shape.NumHeads * shape.HeadDim, kvWidth = (double)shape.NumKvHeads * shape.HeadDim;
        double down = (double)shape.EmbedDim * shape.HiddenDim;
        double layer = (shape.EmbedDim * ((2 * attentionWidth) + (2 * kvWidth))) + (3 * down);
        double products = 2 * tokens * layer * shape.NumLayers;
        double head = 2 * tokens * shape.EmbedDim * shape.VocabSize;
        double sample = options.MeanSample > 0 ? Math.Min(options.MeanSample, options.SeqLen) : options.SeqLen;
        double attention = 2 * tokens * sample * attentionWidth * shape.NumLayers;
        double passes = options.Mode == "full" ? 3 : 2;
        double again = options.Checkpointing ? products - (2 * tokens * down * shape.NumLayers) + attention : 0;
        return (passes * (products + head)) + (3.5 * attention) + again;
    }

    /// <summary>TFLOP/s of a large square product, or of a small one on the CPU.</summary>
    public static double MatmulRate(Device device, ScalarType dtype)
    {
        using DisposeScope scope = NewDisposeScope();
        bool gpu = device.type == DeviceType.CUDA;
        long n = gpu ? 8192 : 1024;
        Tensor a = randn([n, n], dtype, device), b = randn([n, n], dtype, device);
        List<double> times = [];
        for (int i = 0; i < 8; i++)
        {
            double milliseconds;
            if (gpu)
            {
                using GpuMoment begin = new();
                mm(a, b).Dispose();
                using GpuMoment end = new();
                milliseconds = begin.MillisecondsTo(end);
            }
            else
            {
                long begin = Stopwatch.GetTimestamp();
                mm(a, b).Dispose();
                milliseconds = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
            }

            times.Add(milliseconds);
        }

        times.Sort();
        return 2.0 * n * n * n / times[times.Count / 2] / 1e9;
    }
}
