using System.Globalization;
using TuneSharp.Backend;
using TuneSharp.Kernels;
using TuneSharp.Modules;

namespace TuneSharp.Recipes;

/// <summary>Times the kernels of a layer at the sizes of a model and sets each against its floor: the larger of its bytes and its operations.</summary>
internal static class KernelBench
{
    /// <summary>Runs and reports line by line.</summary>
    /// <param name="model">As for <see cref="StepBench"/>.</param>
    /// <param name="batch">Rows.</param>
    /// <param name="length">Tokens of a row.</param>
    /// <param name="rank">Of the adapters.</param>
    /// <param name="write">Takes each line.</param>
    public static void Run(string model, int batch, int length, int rank, Action<string> write)
    {
        Device device = RunSetup.Device("cuda");
        DecoderConfig s = BenchShape.Of(model);
        using DisposeScope all = NewDisposeScope();
        using IDisposable off = no_grad();
        double rate = StepWork.MatmulRate(device, ScalarType.BFloat16);
        double copy = CopyRate(device);
        write(string.Create(CultureInfo.InvariantCulture, $"{model} {batch}x{length}: plain product {rate:F0} TFLOP/s, copy {copy:F0} GB/s"));
        write("kernel                          ms     floor  times floor   GB/s  TFLOP/s");
        foreach (Case c in Cases(s, batch, length, rank, device))
        {
            c.Run();
            double milliseconds = Median(c.Run);
            double floor = Math.Max(c.Bytes / copy / 1e6, c.Operations / rate / 1e9);
            write(string.Create(CultureInfo.InvariantCulture,
                $"{c.Name,-28} {milliseconds,8:F4} {floor,8:F4} {milliseconds / floor,8:F2} {c.Bytes / milliseconds / 1e6,10:F0} {c.Operations / milliseconds / 1e9,8:F0}"));
        }
    }

    private sealed record Case(string Name, double Bytes, double Operations, Action Run);

    private static IEnumerable<Case> Cases(DecoderConfig s, int batch, int length, int rank, Device device)
    {
        long m = (long)batch * length, d = s.EmbedDim, f = s.HiddenDim, n = s.NumHeads, k = s.NumKvHeads, h = s.HeadDim;
        Tensor New(params long[] shape) => randn(shape, ScalarType.BFloat16, device);
        Tensor x = New(m, d), y = New(m, d), w = New(d), sum = New(m, d);
        yield return new("norm", 4.0 * m * d, 0, () => Drop(GpuRmsNorm.Forward(x, w, 1e-5)));
        yield return new("add and norm", 8.0 * m * d, 0, () => Drop(GpuRmsNorm.AddForward(x, y, w, 1e-5, sum)));
        yield return new("norm back, adding", 8.0 * m * d, 0, () => GpuRmsNorm.Backward(x, w, y, 1e-5, false, others: sum, into: y));
        yield return new("norm back, with weight", 6.0 * m * d, 0, () =>
        {
            using DisposeScope scope = NewDisposeScope();
            GpuRmsNorm.Backward(x, w, y, 1e-5, true, into: sum);
        });
        Tensor gate = New(m, f), up = New(m, f), inner = New(m, f);
        yield return new("swiglu", 6.0 * m * f, 0, () => GpuSwiGlu.Forward(gate, up, into: inner));
        yield return new("swiglu back", 12.0 * m * f, 0, () => GpuSwiGlu.Backward(gate, up, inner, gate, up, again: inner));
        Tensor q = New(batch, length, n, h), key = New(batch, length, k, h), v = New(batch, length, k, h);
        Tensor angles = randn([length, 1, h / 2, 2], ScalarType.Float32, device);
        yield return new("rope", 4.0 * m * (n + k) * h, 0, () => GpuRope.Turn(q, key, angles, inPlace: true));
        foreach (Case c in Attention(q, key, v, batch, length, device))
        {
            yield return c;
        }

        foreach ((string name, long inDim, long outDim) in new[] { ("q", d, n * h), ("k", d, k * h), ("gate", d, f), ("down", f, d) })
        {
            Tensor a = New(m, inDim), weight = New(outDim, inDim), g = New(m, outDim);
            Tensor low = New(m, rank), ra = New(rank, inDim), rb = New(outDim, rank);
            double work = 2.0 * m * inDim * outDim;
            yield return new($"product {name}", 0, work, () => Drop(mm(a, weight.t())));
            yield return new($"product {name}, back", 0, work, () => Drop(mm(g, weight)));
            yield return new($"product {name}, weight", 0, work, () => Drop(mm(g.t(), a)));
            yield return new($"adapter {name}: x·A", 2.0 * m * inDim, 0, () => Drop(mm(a, ra.t())));
            yield return new($"adapter {name}: adding ·B", 4.0 * m * outDim, 0, () => g.addmm_(low, rb.t(), 1, 1));
            yield return new($"adapter {name}: dy·B", 2.0 * m * outDim, 0, () => Drop(mm(g, rb)));
            yield return new($"adapter {name}: dB", 2.0 * m * outDim, 0, () => rb.addmm_(g.t(), low, 1, 1));
            yield return new($"adapter {name}: dA", 2.0 * m * inDim, 0, () => ra.addmm_(low.t(), a, 1, 1));
        }

        long rows = Math.Min(2048, m);
        Tensor logits = New(rows, s.VocabSize), losses = empty([rows], ScalarType.Float32, device);
        Tensor labels = randint(0, s.VocabSize, [rows], ScalarType.Int64, device);
        yield return new("loss of 2048 rows", 4.0 * rows * s.VocabSize, 0, () => GpuSoftmaxLoss.Rows(logits, labels, losses, true));
    }

    private static IEnumerable<Case> Attention(Tensor q, Tensor k, Tensor v, int batch, int length, Device device)
    {
        double scale = 1 / Math.Sqrt(q.shape[3]);
        double work = 2.0 * batch * length * length * q.shape[2] * q.shape[3];
        Tensor gradient = randn_like(q);
        AttentionPlan dense = new(null, length, null);
        using Tensor starts = arange(0, (batch + 1) * length, length, ScalarType.Int32).to(device);
        AttentionPlan packed = new(starts, length, null);
        foreach ((string name, AttentionPlan plan) in new[] { ("cudnn", dense), ("flash", packed) })
        {
            AttentionResult result = GpuAttention.Forward(q, k, v, plan, scale);
            yield return new($"attention {name}", 0, work, () =>
            {
                using DisposeScope scope = NewDisposeScope();
                GpuAttention.Forward(q, k, v, plan, scale);
            });
            yield return new($"attention {name}, back", 0, 2.5 * work, () =>
            {
                using DisposeScope scope = NewDisposeScope();
                GpuAttention.Backward(gradient, q, k, v, result, plan, scale);
            });
        }
    }

    private static void Drop(Tensor t) => t.Dispose();

    private static double CopyRate(Device device)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor a = empty([1L << 29], ScalarType.BFloat16, device), b = empty_like(a);
        b.copy_(a);
        return 4.0 * (1L << 29) / Median(() => b.copy_(a)) / 1e6;
    }

    private static double Median(Action run)
    {
        List<double> times = [];
        for (int i = 0; i < 21; i++)
        {
            using GpuMoment begin = new();
            for (int j = 0; j < 3; j++)
            {
                run();
            }

            using GpuMoment end = new();
            times.Add(begin.MillisecondsTo(end) / 3);
        }

        times.Sort();
        return times[times.Count / 2];
    }
}
