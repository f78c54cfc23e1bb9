using TuneSharp.Kernels;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>SwiGLU: w2(silu(w1·x) ∘ w3·x). State-dict keys <c>w1</c> (gate), <c>w2</c> (down), <c>w3</c> (up).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2002.05202. torchtune counterpart: <c>torchtune/modules/feed_forward.py</c>.</remarks>
public sealed class FeedForward : Module<Tensor, Tensor>
{
    [ComponentName(Name = "w1")]
    private readonly Linear _w1;

    [ComponentName(Name = "w2")]
    private readonly Linear _w2;

    [ComponentName(Name = "w3")]
    private readonly Linear _w3;

    /// <summary>Builds the block.</summary>
    /// <param name="w1">Gate, D to F.</param>
    /// <param name="w2">Down, F to D.</param>
    /// <param name="w3">Up, D to F.</param>
    public FeedForward(Linear w1, Linear w2, Linear w3)
        : base(nameof(FeedForward))
    {
        (_w1, _w2, _w3) = (w1, w2, w3);
        RegisterComponents();
    }

    /// <summary>Applies the block.</summary>
    /// <param name="x">[B, T, D].</param>
    public override Tensor forward(Tensor x)
    {
        using DisposeScope scope = NewDisposeScope();
        return _w2.forward(FusedSwiGlu.Apply(_w1.forward(x), _w3.forward(x))).MoveToOuterDisposeScope();
    }
}
