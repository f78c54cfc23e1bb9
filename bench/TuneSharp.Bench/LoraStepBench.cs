using System.Diagnostics;
using TorchSharp;
using TuneSharp.Models.Llama3_2;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Modules.Peft;
using static TorchSharp.torch;

namespace TuneSharp.Bench;

/// <summary>A LoRA step of a 100M-parameter Llama shape against the plain matrix products that it contains.</summary>
internal static class LoraStepBench
{
    private const int Batch = 4, Length = 512;
    private const long V = 32_000, D = 768, F = 2048, N = 12, K = 4, H = 64;
    private const int Layers = 12;

    public static void Run(ScalarType dtype, int steps)
    {
        using DisposeScope all = NewDisposeScope();
        using BuildScope build = new(CPU, dtype);
        LoraConfig lora = new() { AttnModules = [LoraModule.QProj, LoraModule.VProj], Rank = 8, Alpha = 16 };
        using TransformerDecoder model = Llama3_2Builders.LoraLlama3_2(lora, V, Layers, (int)N, (int)K, D, 2048, intermediateDim: F);
        var adapters = Adapters.FreezeAllBut(model);
        LinearCrossEntropyLoss loss = new();
        Tensor tokens = randint(0, V, [Batch, Length], ScalarType.Int64);
        Tensor labels = randint(0, V, [Batch, Length], ScalarType.Int64);
        double plain = PlainProducts(dtype);
        List<double> times = [], fwds = [];
        for (int i = 0; i < steps + 1; i++)
        {
            using DisposeScope step = NewDisposeScope();
            long start = Stopwatch.GetTimestamp();
            Tensor hidden = model.Hidden(tokens);
            double fwd = Stopwatch.GetElapsedTime(start).TotalSeconds;
            Tensor sum = loss.Sum(model, hidden, labels);
            double lossT = Stopwatch.GetElapsedTime(start).TotalSeconds - fwd;
            sum.backward();
            double t = Stopwatch.GetElapsedTime(start).TotalSeconds;
            foreach (TorchSharp.Modules.Parameter p in adapters.Values)
            {
                p.grad?.zero_();
            }

            if (i > 0)
            {
                times.Add(t);
            }

            Console.WriteLine($"  {dtype} forward {fwd:F3} loss {lossT:F3} backward {t - fwd - lossT:F3}");
        }

        times.Sort();
        double median = times[times.Count / 2];
        double flops = 2.0 * Batch * Length * ((Layers * 2 * ((2 * D * D) + (2 * D * K * H) + (3 * D * F))) + (2 * V * D));
        Console.WriteLine(
            $"{dtype}: LoRA step {median:F3} s = {flops / median / 1e9:F0} GFLOP/s; the same products alone {plain:F3} s = {flops / plain / 1e9:F0} GFLOP/s; ratio {plain / median:P1}");
    }

    /// <summary>Seconds for all linear products of a step (forward and input gradients), run plainly.</summary>
    private static double PlainProducts(ScalarType dtype)
    {
        using DisposeScope scope = NewDisposeScope();
        long t = Batch * Length;
        double total = 0;
        foreach ((long inDim, long outDim, long count) in new[] { (D, D, 2L * Layers), (D, K * H, 2L * Layers), (D, F, 2L * Layers), (F, D, (long)Layers), (D, V, 1L) })
        {
            Tensor x = randn([t, inDim], dtype);
            Tensor w = randn([outDim, inDim], dtype);
            Tensor g = randn([t, outDim], dtype);
            double Time(Action run)
            {
                run();
                List<double> times = [];
                for (int i = 0; i < 5; i++)
                {
                    long start = Stopwatch.GetTimestamp();
                    run();
                    times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
                }

                times.Sort();
                return times[2];
            }

            double forward = Time(() => nn.functional.linear(x, w).Dispose());
            double backward = Time(() => mm(g, w).Dispose());
            total += count * (forward + backward);
        }

        return total;
    }
}
