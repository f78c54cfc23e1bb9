using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>w2(act(w1·x)), without a gate. State-dict keys <c>w1</c> (up) and <c>w2</c> (down).</summary>
public sealed class PlainFeedForward : Module<Tensor, Tensor>
{
    [ComponentName(Name = "w1")]
    private readonly Linear _w1;

    [ComponentName(Name = "w2")]
    private readonly Linear _w2;

    private readonly GateActivation _activation;

    /// <summary>Builds the block.</summary>
    /// <param name="w1">Up, D to F.</param>
    /// <param name="w2">Down, F to D.</param>
    /// <param name="activation">Between them.</param>
    public PlainFeedForward(Linear w1, Linear w2, GateActivation activation)
        : base(nameof(PlainFeedForward))
    {
        (_w1, _w2, _activation) = (w1, w2, activation);
        RegisterComponents();
    }

    /// <summary>Applies the block.</summary>
    /// <param name="x">[..., D].</param>
    public override Tensor forward(Tensor x)
    {
        using DisposeScope scope = NewDisposeScope();
        return _w2.forward(Activate(_activation, _w1.forward(x))).MoveToOuterDisposeScope();
    }

    /// <summary>Applies an activation by name.</summary>
    internal static Tensor Activate(GateActivation activation, Tensor x) => activation switch
    {
        GateActivation.GeluTanh => Backend.Aten.GeluTanh(x),
        GateActivation.Gelu => functional.gelu(x),
        GateActivation.Relu => functional.relu(x),
        _ => functional.silu(x),
    };
}
