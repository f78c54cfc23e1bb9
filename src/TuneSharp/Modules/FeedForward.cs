using TuneSharp.Kernels;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>What a gated feed-forward block applies to its gate.</summary>
public enum GateActivation
{
    /// <summary>x · σ(x).</summary>
    Silu,

    /// <summary>GELU by its tanh formula (Gemma, GPT-2).</summary>
    GeluTanh,

    /// <summary>GELU exactly, by the error function (BERT).</summary>
    Gelu,

    /// <summary>max(0, x).</summary>
    Relu,
}

/// <summary>SwiGLU or GEGLU: w2(act(w1·x) ∘ w3·x). State-dict keys <c>w1</c> (gate), <c>w2</c> (down), <c>w3</c> (up).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2002.05202. torchtune counterpart: <c>torchtune/modules/feed_forward.py</c>.</remarks>
public sealed class FeedForward : Module<Tensor, Tensor>
{
    [ComponentName(Name = "w1")]
    private readonly Linear _w1;

    [ComponentName(Name = "w2")]
    private readonly Linear _w2;

    [ComponentName(Name = "w3")]
    private readonly Linear _w3;

    private readonly GateActivation _activation;

    /// <summary>Builds the block.</summary>
    /// <param name="w1">Gate, D to F.</param>
    /// <param name="w2">Down, F to D.</param>
    /// <param name="w3">Up, D to F.</param>
    /// <param name="activation">Applied to the gate.</param>
    public FeedForward(Linear w1, Linear w2, Linear w3, GateActivation activation = GateActivation.Silu)
        : base(nameof(FeedForward))
    {
        (_w1, _w2, _w3, _activation) = (w1, w2, w3, activation);
        RegisterComponents();
    }

    /// <summary>Gate, up and down, as the fused layer sees them; null where it cannot run one of them.</summary>
    internal (LinearPart Gate, LinearPart Up, LinearPart Down, bool Gelu)? Parts() =>
        _activation is GateActivation.Silu or GateActivation.GeluTanh && (_w1.Part(), _w3.Part(), _w2.Part()) is ({ } gate, { } up, { } down) ? (gate, up, down, _activation == GateActivation.GeluTanh) : null;

    /// <summary>Applies the block.</summary>
    /// <param name="x">[B, T, D].</param>
    public override Tensor forward(Tensor x) => Compute(x, ofValue: true);

    /// <summary>Applies the block.</summary>
    /// <param name="x">[B, T, D].</param>
    /// <param name="ofValue">False when only gradients are wanted: the result's values are then undefined.</param>
    internal Tensor Compute(Tensor x, bool ofValue)
    {
        using DisposeScope scope = NewDisposeScope();
        (Tensor gate, Tensor up) = (_w1.forward(x), _w3.forward(x));
        Tensor inner = _activation == GateActivation.Silu ? FusedSwiGlu.Apply(gate, up) : PlainFeedForward.Activate(_activation, gate) * up;
        return (ofValue ? _w2.forward(inner) : _w2.ForwardForGradients(inner)).MoveToOuterDisposeScope();
    }
}
