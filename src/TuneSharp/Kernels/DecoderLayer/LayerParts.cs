namespace TuneSharp.Kernels;

/// <summary>A linear of a layer, as the fused layer sees it.</summary>
/// <param name="Weight">[out, in]; may be a <see cref="QuantizedParameter"/>.</param>
/// <param name="Bias">[out], or null.</param>
/// <param name="A">[r, in] of an adapter, or null.</param>
/// <param name="B">[out, r] of an adapter, or null.</param>
/// <param name="Scale">Factor on the adapter's product.</param>
internal sealed record LinearPart(Tensor Weight, Tensor? Bias, Tensor? A, Tensor? B, double Scale)
{
    /// <summary>Whether the weight itself is trained.</summary>
    public bool Trains => Weight.requires_grad;

    /// <summary>Whether the adapter is trained.</summary>
    public bool Adapts => A is not null;

    /// <summary>The weight as numbers: itself, or a new tensor of the current scope.</summary>
    public Tensor Dense() => Weight is QuantizedParameter quantised ? quantised.Dense() : Weight;
}

/// <summary>A norm of a layer.</summary>
/// <param name="Weight">[D].</param>
/// <param name="Eps">Added to the mean square.</param>
/// <param name="Offset">Added to the weight.</param>
internal sealed record NormPart(Tensor Weight, double Eps, double Offset);

/// <summary>A layer's parts: two norms, four projections, a gated block of three linears.</summary>
internal sealed record LayerParts
{
    public required NormPart AttentionNorm { get; init; }

    public required LinearPart Q { get; init; }

    public required LinearPart K { get; init; }

    public required LinearPart V { get; init; }

    public required LinearPart Output { get; init; }

    /// <summary>Norm of each query head, or null.</summary>
    public NormPart? QNorm { get; init; }

    /// <summary>Norm of each key head, or null.</summary>
    public NormPart? KNorm { get; init; }

    public required NormPart MlpNorm { get; init; }

    public required LinearPart Gate { get; init; }

    public required LinearPart Up { get; init; }

    public required LinearPart Down { get; init; }

    /// <summary>GELU by its tanh formula instead of silu.</summary>
    public bool Gelu { get; init; }

    public required long HeadDim { get; init; }

    /// <summary>Factor on the scores.</summary>
    public required double Scale { get; init; }

    /// <summary>All linears.</summary>
    public IEnumerable<LinearPart> Linears => [Q, K, V, Output, Gate, Up, Down];

    /// <summary>All norms.</summary>
    public IEnumerable<NormPart> Norms => [AttentionNorm, MlpNorm, .. ((NormPart?[])[QNorm, KNorm]).OfType<NormPart>()];
}
