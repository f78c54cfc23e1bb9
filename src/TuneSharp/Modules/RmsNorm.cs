using TuneSharp.Kernels;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>x / √(mean(x²) + ε) · scale, over the last dimension, computed in fp32. State-dict key <c>scale</c> [D].</summary>
/// <remarks>
/// Paper: https://arxiv.org/abs/1910.07467. torchtune counterparts: <c>torchtune/modules/rms_norm.py</c>,
/// <c>torchtune/models/gemma/rms_norm.py</c>. The product is rounded once, to the input's dtype, as OLMo 2, gpt-oss and Gemma do;
/// transformers' Llama rounds before the scale too, which in bf16 is half an ulp worse.
/// </remarks>
public sealed class RmsNorm : Module<Tensor, Tensor>
{
    [ComponentName(Name = "scale")]
    private readonly Parameter _scale;

    private readonly double _eps;
    private readonly bool _offset;

    /// <summary>Builds the norm.</summary>
    /// <param name="dim">Width.</param>
    /// <param name="eps">Added to the mean square.</param>
    /// <param name="offset">Gemma's way: the factor is 1 + scale, taken in fp32.</param>
    public RmsNorm(long dim, double eps, bool offset = false)
        : base(nameof(RmsNorm))
    {
        (Dim, _eps, _offset) = (dim, eps, offset);
        _scale = BuildScope.NewParameter(s => s.fill_(offset ? 0 : 1), always: false, dim);
        RegisterComponents();
    }

    /// <summary>Width.</summary>
    public long Dim { get; }

    /// <summary>As the fused layer sees it.</summary>
    internal NormPart Part => new(_scale, _eps, _offset ? 1 : 0);

    /// <summary>Applies the norm.</summary>
    /// <param name="x">[..., D].</param>
    public override Tensor forward(Tensor x)
    {
        if (!_offset)
        {
            return FusedRmsNorm.Apply(x, _scale, _eps);
        }

        using DisposeScope scope = NewDisposeScope();
        Tensor factor = _scale.to(ScalarType.Float32) + 1;
        return FusedRmsNorm.Apply(x.to(ScalarType.Float32), factor, _eps).to(x.dtype).MoveToOuterDisposeScope();
    }
}
