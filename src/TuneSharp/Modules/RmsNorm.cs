using TuneSharp.Kernels;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>x / √(mean(x²) + ε) · scale, over the last dimension, computed in fp32. State-dict key <c>scale</c> [D].</summary>
/// <remarks>Paper: https://arxiv.org/abs/1910.07467. torchtune counterpart: <c>torchtune/modules/rms_norm.py</c>.</remarks>
public sealed class RmsNorm : Module<Tensor, Tensor>
{
    [ComponentName(Name = "scale")]
    private readonly Parameter _scale;

    private readonly double _eps;

    /// <summary>Builds the norm.</summary>
    /// <param name="dim">Width.</param>
    /// <param name="eps">Added to the mean square.</param>
    public RmsNorm(long dim, double eps)
        : base(nameof(RmsNorm))
    {
        _eps = eps;
        _scale = BuildScope.NewParameter(s => s.fill_(1), always: false, dim);
        RegisterComponents();
    }

    /// <summary>Applies the norm.</summary>
    /// <param name="x">[..., D].</param>
    public override Tensor forward(Tensor x) => FusedRmsNorm.Apply(x, _scale, _eps);
}
