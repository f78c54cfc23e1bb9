using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>y = x·Wᵀ (+ b). State-dict keys <c>weight</c> [out, in] and <c>bias</c> [out].</summary>
/// <remarks>Initial values: normal with the standard deviation 0.02, as Hugging Face's models have; the bias is zero.</remarks>
public class Linear : Module<Tensor, Tensor>
{
    /// <summary>Standard deviation of initial weights (Hugging Face's <c>initializer_range</c>).</summary>
    public const double InitStd = 0.02;

    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? _bias;

    /// <summary>Builds a linear layer.</summary>
    /// <param name="inDim">Width of the input.</param>
    /// <param name="outDim">Width of the output.</param>
    /// <param name="bias">Whether there is a bias.</param>
    public Linear(long inDim, long outDim, bool bias = false)
        : this(inDim, outDim, bias, nameof(Linear)) => RegisterComponents();

    /// <summary>For derived classes, which register their components after their own fields are set.</summary>
    private protected Linear(long inDim, long outDim, bool bias, string name)
        : base(name)
    {
        (InDim, OutDim) = (inDim, outDim);
        _weight = BuildScope.NewParameter(w => w.normal_(0, InitStd), always: false, outDim, inDim);
        _bias = bias ? BuildScope.NewParameter(b => b.zero_(), always: false, outDim) : null;
    }

    /// <summary>Width of the input.</summary>
    public long InDim { get; }

    /// <summary>Width of the output.</summary>
    public long OutDim { get; }

    /// <summary>The weight, [out, in].</summary>
    public Parameter Weight => _weight;

    /// <summary>The bias, [out], or null.</summary>
    public Parameter? Bias => _bias;

    /// <summary>Applies the layer.</summary>
    /// <param name="x">[..., in].</param>
    /// <returns>[..., out].</returns>
    public override Tensor forward(Tensor x) => functional.linear(x, _weight, _bias);
}
