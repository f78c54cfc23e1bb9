using TuneSharp.Modules;

namespace TuneSharp.Recipes;

/// <summary>Everything that the memory of a training run follows from. Bytes unless a name says otherwise.</summary>
internal sealed record MemoryInputs
{
    /// <summary>The model's numbers.</summary>
    public required DecoderConfig Shape { get; init; }

    /// <summary>Rows of a micro-batch.</summary>
    public required long Batch { get; init; }

    /// <summary>Tokens of a row.</summary>
    public required long Length { get; init; }

    /// <summary>Bytes of an element of weights and activations.</summary>
    public required long Element { get; init; }

    /// <summary>Weights that are not trained, or all where training has no adapters.</summary>
    public required long Weights { get; init; }

    /// <summary>Adapters.</summary>
    public required long Adapters { get; init; }

    /// <summary>Elements that learn.</summary>
    public required long Trained { get; init; }

    /// <summary>Elements of the largest tensor that learns: what a gradient takes that is used up at once.</summary>
    public required long LargestTrained { get; init; }

    /// <summary>Optimizer state.</summary>
    public required long Optimizer { get; init; }

    /// <summary>Weights of linears in the layers that are not quantised.</summary>
    public required long PlainLinears { get; init; }

    /// <summary>Elements of the largest quantised weight: one at a time is unpacked.</summary>
    public required long LargestQuantised { get; init; }

    /// <summary>Gradients of an adapter's side of a linear keep its small product: Σ of ranks over the linears of a layer.</summary>
    public required long RankSum { get; init; }

    /// <summary>How activations are saved.</summary>
    public required ActivationPolicy Activations { get; init; }

    /// <summary>Each gradient is used as soon as it is there.</summary>
    public required bool OptimizerInBackward { get; init; }

    /// <summary>Micro-batches of a step.</summary>
    public required int Accumulation { get; init; }

    /// <summary>Whether adapters learn, rather than all weights.</summary>
    public required bool IsLora { get; init; }

    /// <summary>Whether the run computes on a GPU.</summary>
    public required bool IsGpu { get; init; }

    /// <summary>Whether the inputs of layers wait in the machine's own memory.</summary>
    public bool Offloading => IsGpu && Activations is { Offload: true, Recompute: RecomputedPart.Full };

    /// <summary>Tokens of a micro-batch.</summary>
    public long Tokens => Batch * Length;
}
