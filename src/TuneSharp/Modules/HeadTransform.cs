using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>A linear, an activation and perhaps a norm before a head. State-dict keys <c>dense</c> and <c>norm</c>.</summary>
/// <remarks>BERT's head for masked tokens has GELU and a norm; its pooler, which classifiers read at the first token, tanh and none.</remarks>
public sealed class HeadTransform : Module<Tensor, Tensor>
{
    [ComponentName(Name = "dense")]
    private readonly Linear _dense;

    [ComponentName(Name = "norm")]
    private readonly LayerNorm? _norm;

    private readonly GateActivation? _activation;
    private readonly double _dropout;

    /// <summary>Builds the transform.</summary>
    /// <param name="dim">Width.</param>
    /// <param name="activation">After the linear; null for tanh.</param>
    /// <param name="norm">After the activation, or null.</param>
    /// <param name="dropout">Dropout rate on the result while training.</param>
    public HeadTransform(long dim, GateActivation? activation, LayerNorm? norm, double dropout = 0)
        : base(nameof(HeadTransform))
    {
        (_dense, _activation, _norm, _dropout) = (new Linear(dim, dim, bias: true), activation, norm, dropout);
        RegisterComponents();
    }

    /// <summary>Applies the transform.</summary>
    /// <param name="x">[..., D].</param>
    public override Tensor forward(Tensor x)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor y = _dense.forward(x);
        y = _activation is { } activation ? PlainFeedForward.Activate(activation, y) : y.tanh();
        y = _norm?.forward(y) ?? y;
        return (training && _dropout > 0 ? functional.dropout(y, _dropout, training: true) : y).MoveToOuterDisposeScope();
    }
}
