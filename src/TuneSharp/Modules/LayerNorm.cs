using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>(x − mean) / √(variance + ε) · scale + bias, over the last dimension. State-dict keys <c>scale</c> and <c>bias</c> [D].</summary>
/// <remarks>Paper: https://arxiv.org/abs/1607.06450.</remarks>
public sealed class LayerNorm : Module<Tensor, Tensor>
{
    [ComponentName(Name = "scale")]
    private readonly Parameter _scale;

    [ComponentName(Name = "bias")]
    private readonly Parameter _bias;

    private readonly double _eps;

    /// <summary>Builds the norm.</summary>
    /// <param name="dim">Width.</param>
    /// <param name="eps">Added to the variance.</param>
    public LayerNorm(long dim, double eps)
        : base(nameof(LayerNorm))
    {
        _eps = eps;
        _scale = BuildScope.NewParameter(s => s.fill_(1), always: false, dim);
        _bias = BuildScope.NewParameter(b => b.zero_(), always: false, dim);
        RegisterComponents();
    }

    /// <summary>Applies the norm.</summary>
    /// <param name="x">[..., D].</param>
    public override Tensor forward(Tensor x) => functional.layer_norm(x, [x.shape[^1]], _scale, _bias, _eps);
}
