using System.Diagnostics;
using TorchSharp;
using TuneSharp.Models.Llama3_2;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Modules.Peft;
using TuneSharp.Training.Optimizers;
using static TorchSharp.torch;

namespace TuneSharp.Bench;

/// <summary>A whole LoRA step of a 100M-parameter Llama shape against the plain matrix products that it contains.</summary>
/// <remarks>
/// Counted are only the products with the frozen weights that a step cannot do without: each forward, and back to the input; not the
/// gradients that nothing needs (into the q, k and v of the first layer), and neither the adapters' nor the attention's own products,
/// so the step does more than it is credited with. The plain products run the way that suits libtorch best: the head in pieces
/// of 256 rows, whose result fits the allocator, since all at once it takes twice as long. Rounds of products and steps alternate, so that
/// a busy machine slows both; the medians are compared, and beside them the best of each, which other programs disturb least.
/// </remarks>
internal static class LoraStepBench
{
    private const int Batch = 4, Length = 512, HeadRows = 256;
    private const long V = 32_000, D = 768, F = 2048, N = 12, K = 4, H = 64;
    private const int Layers = 12;

    /// <summary>Input width, output width, rows, times forward, times back.</summary>
    private static readonly (long In, long Out, long Rows, int Forward, int Back)[] Products =
    [
        (D, D, Batch * Length, 2 * Layers, (2 * Layers) - 1),
        (D, K * H, Batch * Length, 2 * Layers, (2 * Layers) - 2),
        (D, F, Batch * Length, 2 * Layers, 2 * Layers),
        (F, D, Batch * Length, Layers, Layers),
        (D, V, HeadRows, Batch * Length / HeadRows, Batch * Length / HeadRows),
    ];

    public static void Run(ScalarType dtype, int rounds)
    {
        using DisposeScope all = NewDisposeScope();
        using BuildScope build = new(CPU, dtype);
        LoraConfig lora = new() { AttnModules = [LoraModule.QProj, LoraModule.VProj], Rank = 8, Alpha = 16 };
        using TransformerDecoder model = Llama3_2Builders.LoraLlama3_2(lora, V, Layers, (int)N, (int)K, D, 2048, intermediateDim: F);
        var adapters = Adapters.FreezeAllBut(model);
        using AdamW optimizer = new([.. adapters.Select(p => new NamedParameter(p.Key, p.Value))], lr: 1e-4);
        LinearCrossEntropyLoss loss = new();
        Tensor tokens = randint(0, V, [Batch, Length], ScalarType.Int64);
        Tensor labels = randint(0, V, [Batch, Length], ScalarType.Int64);
        List<double> steps = [], plain = [];
        for (int round = 0; round <= rounds; round++)
        {
            double products = PlainProducts(dtype);
            (double forward, double head, double backward, double update) = Step(model, loss, optimizer, tokens, labels);
            double step = forward + head + backward + update;
            Console.WriteLine(
                $"  {dtype} products {products:F3}; forward {forward:F3} loss {head:F3} backward {backward:F3} AdamW {update:F3} step {step:F3}");
            if (round > 0) // the first compiles
            {
                steps.Add(step);
                plain.Add(products);
            }
        }

        double flops = Products.Sum(p => 2.0 * p.In * p.Out * p.Rows * (p.Forward + p.Back));
        (double ours, double theirs) = (Median(steps), Median(plain));
        Console.WriteLine(
            $"{dtype}: LoRA step {ours:F3} s = {flops / ours / 1e9:F0} GFLOP/s; the same products alone {theirs:F3} s = {flops / theirs / 1e9:F0} GFLOP/s; ratio {theirs / ours:P1}; best of each {steps.Min():F3} s and {plain.Min():F3} s, ratio {plain.Min() / steps.Min():P1}");
    }

    private static (double Forward, double Loss, double Backward, double Update) Step(
        TransformerDecoder model, LinearCrossEntropyLoss loss, AdamW optimizer, Tensor tokens, Tensor labels)
    {
        using DisposeScope scope = NewDisposeScope();
        long start = Stopwatch.GetTimestamp();
        Tensor hidden = model.Hidden(tokens);
        long forward = Stopwatch.GetTimestamp();
        Tensor sum = loss.Sum(model, hidden, labels) / (Batch * Length);
        long head = Stopwatch.GetTimestamp();
        sum.backward();
        long backward = Stopwatch.GetTimestamp();
        optimizer.Step();
        optimizer.ZeroGrad();
        long end = Stopwatch.GetTimestamp();
        static double Seconds(long from, long to) => Stopwatch.GetElapsedTime(from, to).TotalSeconds;
        return (Seconds(start, forward), Seconds(forward, head), Seconds(head, backward), Seconds(backward, end));
    }

    /// <summary>Seconds for all products of a step, run plainly.</summary>
    private static double PlainProducts(ScalarType dtype)
    {
        using DisposeScope scope = NewDisposeScope();
        double total = 0;
        foreach ((long inDim, long outDim, long rows, int forward, int back) in Products)
        {
            Tensor x = randn([rows, inDim], dtype);
            Tensor w = randn([outDim, inDim], dtype);
            Tensor g = randn([rows, outDim], dtype);
            total += forward * Time(() => nn.functional.linear(x, w).Dispose());
            total += back * Time(() => mm(g, w).Dispose());
        }

        return total;
    }

    private static double Time(Action run)
    {
        run();
        List<double> times = [];
        for (int i = 0; i < 5; i++)
        {
            long start = Stopwatch.GetTimestamp();
            run();
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return Median(times);
    }

    private static double Median(List<double> times)
    {
        times.Sort();
        return times[times.Count / 2];
    }
}
