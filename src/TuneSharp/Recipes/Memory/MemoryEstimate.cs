namespace TuneSharp.Recipes;

/// <summary>Bytes that a training run holds at its fullest moment, by what holds them.</summary>
/// <remarks>
/// Four moments compete: the loss (all that layers keep, and a block of logits), the backward pass of the last layer (all that layers
/// keep, and one layer's own), that of the first (all gradients, one layer's own), and the optimizer's step. The parts are those of
/// the moment that wins. Counting: docs/memory.md.
/// </remarks>
internal sealed record MemoryEstimate(
    long Weights, long Adapters, long Gradients, long Optimizer, long Activations, long Loss, long Overhead)
{
    /// <summary>All together.</summary>
    public long Total => Weights + Adapters + Gradients + Optimizer + Activations + Loss + Overhead;

    /// <summary>The parts by name, in the order of the columns.</summary>
    public IReadOnlyList<(string Name, long Bytes)> Parts =>
    [
        ("weights", Weights), ("adapters", Adapters), ("gradients", Gradients), ("optimizer", Optimizer),
        ("activations", Activations), ("loss", Loss), ("overhead", Overhead),
    ];

    /// <summary>Adds up.</summary>
    public static MemoryEstimate Of(MemoryInputs i)
    {
        long kept = ActivationBytes.Kept(i);
        long layer = ActivationBytes.OneLayer(i);
        long all = i.Trained * i.Element;
        long head = i.IsLora ? 0 : i.Shape.VocabSize * i.Shape.EmbedDim * i.Element;
        long earlier = i.Accumulation > 1 ? all : 0; // the micro-batches before this one left theirs
        long first = i.OptimizerInBackward ? i.LargestTrained * i.Element : all;
        (long Gradients, long Activations, long Loss)[] moments =
        [
            (earlier, kept, ActivationBytes.Loss(i) + head),
            (Math.Max(earlier, head), kept + layer, 0),
            (first, layer, 0),
        ];
        (long gradients, long activations, long loss) = moments.MaxBy(m => m.Gradients + m.Activations + m.Loss);
        return new(i.Weights, i.Adapters, gradients, i.Optimizer, activations, loss, Besides(i));
    }

    /// <summary>What is there besides: the runtime, CUDA's context and kernels, one unpacked weight, and blocks the allocator cannot fill.</summary>
    private static long Besides(MemoryInputs i)
    {
        const long Runtime = 250L << 20; // .NET and libtorch's own memory of the process
        const long Context = 620L << 20; // CUDA's context, libtorch's kernels, the workspace of its products
        return i.IsGpu ? Context + (2 * i.LargestQuantised) : Runtime + (4 * i.LargestQuantised);
    }
}
