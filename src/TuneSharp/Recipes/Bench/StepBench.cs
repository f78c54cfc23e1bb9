using System.Diagnostics;
using System.Globalization;
using TuneSharp.Backend;
using TuneSharp.Kernels;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Modules.Peft;
using TuneSharp.Training;
using TuneSharp.Training.Optimizers;

namespace TuneSharp.Recipes;

/// <summary>What <c>tune bench step</c> measures.</summary>
internal sealed record StepBenchOptions
{
    public required string Model { get; init; }

    /// <summary><c>lora</c>, <c>qlora</c> or <c>full</c>.</summary>
    public string Mode { get; init; } = "lora";

    public int BatchSize { get; init; } = 2;

    public int SeqLen { get; init; } = 2048;

    public int Rank { get; init; } = 16;

    public string LoraTargets { get; init; } = "all";

    public double Dropout { get; init; }

    public bool Checkpointing { get; init; }

    /// <summary>Lengths of samples packed into each row vary about this mean; 0 for one sample a row.</summary>
    public int MeanSample { get; init; }

    public int Steps { get; init; } = 10;

    public int Warmup { get; init; } = 3;

    public string Device { get; init; } = "auto";

    public ScalarType Dtype { get; init; } = ScalarType.BFloat16;

    public string Optimizer { get; init; } = "adamw";

    /// <summary>Run forward and backward as a CUDA graph where that pays.</summary>
    public bool Graphs { get; init; } = true;

    public double ClipGradNorm { get; init; } = 1;

    public int Seed { get; init; } = 42;
}

/// <summary>Times whole training steps of a model with random weights: nothing is read from disk.</summary>
internal static class StepBench
{
    private const double GiB = 1L << 30;

    /// <summary>Runs and reports line by line.</summary>
    /// <param name="options">What to measure.</param>
    /// <param name="write">Takes each line.</param>
    public static void Run(StepBenchOptions options, Action<string> write)
    {
        TorchBackend.EnsureLoaded();
        Device device = RunSetup.Device(options.Device);
        bool gpu = device.type == DeviceType.CUDA;
        Seed.Set(options.Seed, rank: 0);
        using DisposeScope all = NewDisposeScope();
        Tensor first = zeros(1, device: device); // the context itself is not the run's
        long before = TorchBackend.CudaUsedBytes() ?? 0;
        long start = Stopwatch.GetTimestamp();
        LoraConfig? lora = options.Mode == "full"
            ? null
            : BenchShape.Lora(options.LoraTargets, options.Rank, 2 * options.Rank, options.Dropout, options.Mode == "qlora");
        using TransformerDecoder model = Build(options, lora, device);
        NamedParameter[] trained = lora is null
            ? [.. model.named_parameters().Select(p => new NamedParameter(p.name, p.parameter))]
            : [.. Adapters.FreezeAllBut(model).Select(p => new NamedParameter(p.Key, p.Value))];
        model.Activations = options.Checkpointing ? ActivationPolicy.Full : new ActivationPolicy();
        model.train();
        using Optimizer optimizer = NewOptimizer(options, trained);
        ILoss loss = new LinearCrossEntropyLoss();
        (Tensor tokens, Tensor labels, Tensor? positions, IReadOnlyList<int[]>? lengths) = Batch(options, model.Shape.VocabSize, device);
        Wait(device);
        write(string.Create(CultureInfo.InvariantCulture,
            $"{options.Model} {options.Mode} {options.BatchSize}x{options.SeqLen} {options.Dtype} built in {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s"));

        using StepGraph? graph = options.Graphs && positions is null && lengths is null && StepGraph.Fits(model, loss, tokens)
            ? StepGraph.Record(model, loss, trained, tokens, labels)
            : null;
        List<double[]> times = [];
        List<double> walls = [];
        double lastLoss = 0;
        for (int i = 0; i < options.Warmup + options.Steps; i++)
        {
            Wait(device);
            long begin = Stopwatch.GetTimestamp();
            (double[] phases, lastLoss) = Step(model, loss, optimizer, trained, tokens, labels, positions, lengths, options.ClipGradNorm, gpu, graph);
            Wait(device);
            double wall = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
            if (i == 0)
            {
                write(string.Create(CultureInfo.InvariantCulture, $"  first step {wall:F0} ms, loss {lastLoss:F4}"));
            }

            if (i >= options.Warmup)
            {
                times.Add(phases);
                walls.Add(wall);
            }
        }

        Report(options, model, times, walls, lastLoss, before, device, graph is not null, write);
    }

    private static TransformerDecoder Build(StepBenchOptions options, LoraConfig? lora, Device device)
    {
        using BuildScope scope = new(device, options.Dtype);
        return BenchShape.Build(options.Model, lora);
    }

    private static Optimizer NewOptimizer(StepBenchOptions options, NamedParameter[] trained) => options.Optimizer switch
    {
        "adamw" => new AdamW(trained, lr: 1e-4),
        "sgd" => new SGD(trained, lr: 1e-4),
        _ => throw new ArgumentException($"--optimizer {options.Optimizer} is unknown. Use adamw or sgd."),
    };

    private static (Tensor Tokens, Tensor Labels, Tensor? Positions, IReadOnlyList<int[]>? Lengths) Batch(
        StepBenchOptions options, long vocab, Device device)
    {
        long[] shape = [options.BatchSize, options.SeqLen];
        Tensor tokens = randint(0, vocab, shape, ScalarType.Int64, device);
        Tensor labels = randint(0, vocab, shape, ScalarType.Int64, device);
        if (options.MeanSample <= 0)
        {
            return (tokens, labels, null, null);
        }

        Random random = new(options.Seed);
        List<int[]> lengths = [];
        long[] positions = new long[options.BatchSize * options.SeqLen];
        for (int row = 0; row < options.BatchSize; row++)
        {
            List<int> parts = [];
            for (int left = options.SeqLen; left > 0; left -= parts[^1])
            {
                parts.Add(Math.Min(left, random.Next(Math.Max(1, options.MeanSample / 2), (options.MeanSample * 3 / 2) + 1)));
            }

            int at = row * options.SeqLen;
            foreach (int part in parts)
            {
                for (int i = 0; i < part; i++)
                {
                    positions[at++] = i;
                }
            }

            lengths.Add([.. parts]);
        }

        return (tokens, labels, tensor(positions, ScalarType.Int64).reshape(shape).to(device), lengths);
    }

    private static (double[] Milliseconds, double Loss) Step(
        TransformerDecoder model, ILoss loss, Optimizer optimizer, NamedParameter[] trained, Tensor tokens, Tensor labels, Tensor? positions,
        IReadOnlyList<int[]>? lengths, double clip, bool gpu, StepGraph? graph)
    {
        using DisposeScope scope = NewDisposeScope();
        using Marks marks = new(gpu);
        Tensor sum;
        if (graph is not null)
        {
            sum = graph.Replay(tokens, labels);
            marks.Add();
            marks.Add();
        }
        else
        {
            Tensor hidden = model.Hidden(tokens, positions, null, lengths);
            marks.Add();
            sum = loss.Sum(model, hidden, labels);
            marks.Add();
            sum.backward();
            ActivationCheckpoint.ThrowIfFailed();
        }

        marks.Add();
        double norm = Gradients.ScaleAndClip(trained, 1.0 / labels.numel(), clip) ?? 0;
        optimizer.Step();
        optimizer.ZeroGrad();
        marks.Add();
        double mean = sum.item<float>() / labels.numel();
        return double.IsFinite(norm)
            ? (marks.Milliseconds(), mean)
            : throw new TrainingException(FormattableString.Invariant($"The gradient's norm is {norm} (loss {mean}): the step is wrong, its time means nothing."));
    }

    private static void Report(
        StepBenchOptions options, TransformerDecoder model, List<double[]> times, List<double> walls, double loss, long before, Device device,
        bool graph, Action<string> write)
    {
        double step = Median(walls);
        long tokens = (long)options.BatchSize * options.SeqLen;
        double[] phases = [.. Enumerable.Range(0, 4).Select(i => Median(times.Select(t => t[i])))];
        double work = StepWork.Operations(model.Shape, options);
        double reached = work / step / 1e9;
        double rate = StepWork.MatmulRate(device, options.Dtype);
        string memory = TorchBackend.CudaUsedBytes() is { } used
            ? string.Create(CultureInfo.InvariantCulture, $", peak memory {(used - before) / GiB:F2} GiB (reserved)")
            : "";
        write(string.Create(CultureInfo.InvariantCulture,
            $"  {tokens / step * 1000:F0} tokens/s: {step:F2} ms a step (median of {walls.Count}; least {walls.Min():F2}, most {walls.Max():F2}), loss {loss:F4}{memory}"));
        write(string.Create(CultureInfo.InvariantCulture,
            $"  forward {(graph ? "and backward as a graph " : "")}{phases[0]:F2} ms, loss {phases[1]:F2} ms, backward {phases[2]:F2} ms, clip and optimizer {phases[3]:F2} ms"));
        write(string.Create(CultureInfo.InvariantCulture,
            $"  {reached:F1} TFLOP/s of needed work, {reached / rate:P1} of the {rate:F0} that a plain product reaches"));
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    private static void Wait(Device device)
    {
        if (device.type == DeviceType.CUDA)
        {
            cuda.synchronize();
        }
    }

    /// <summary>Moments of a step, by the GPU's own clock where there is one.</summary>
    private sealed class Marks : IDisposable
    {
        private readonly bool _gpu;
        private readonly List<GpuMoment> _events = [];
        private readonly List<long> _ticks = [];

        public Marks(bool gpu)
        {
            _gpu = gpu;
            Add();
        }

        public void Add()
        {
            if (_gpu)
            {
                _events.Add(new GpuMoment());
            }
            else
            {
                _ticks.Add(Stopwatch.GetTimestamp());
            }
        }

        public double[] Milliseconds() => _gpu
            ? [.. Enumerable.Range(1, _events.Count - 1).Select(i => _events[i - 1].MillisecondsTo(_events[i]))]
            : [.. Enumerable.Range(1, _ticks.Count - 1).Select(i => Stopwatch.GetElapsedTime(_ticks[i - 1], _ticks[i]).TotalMilliseconds)];

        public void Dispose() => _events.ForEach(e => e.Dispose());
    }
}
