using TuneSharp.Kernels;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>y = x·Wᵀ (+ b). State-dict keys <c>weight</c> [out, in] and <c>bias</c> [out].</summary>
/// <remarks>
/// The weight may be held quantised (<see cref="QuantizedParameter"/>): it is frozen then, and given back for each product.
/// Initial values: normal with the standard deviation 0.02, as Hugging Face's models have; the bias is zero.
/// </remarks>
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
    /// <param name="quantization">How the weight is held, or null for plain numbers.</param>
    public Linear(long inDim, long outDim, bool bias = false, Quantization? quantization = null)
        : this(inDim, outDim, bias, quantization, nameof(Linear)) => RegisterComponents();

    /// <summary>For derived classes, which register their components after their own fields are set.</summary>
    private protected Linear(long inDim, long outDim, bool bias, Quantization? quantization, string name)
        : base(name)
    {
        (InDim, OutDim) = (inDim, outDim);
        _weight = quantization is null
            ? BuildScope.NewParameter(w => w.normal_(0, InitStd), always: false, outDim, inDim)
            : BuildScope.NewQuantized(w => w.normal_(0, InitStd), quantization, outDim, inDim);
        _bias = bias ? BuildScope.NewParameter(b => b.zero_(), always: false, outDim) : null;
    }

    /// <summary>Width of the input.</summary>
    public long InDim { get; }

    /// <summary>Width of the output.</summary>
    public long OutDim { get; }

    /// <summary>The weight, [out, in]. A <see cref="QuantizedParameter"/> has no numbers: ask <see cref="DenseWeight"/> for them.</summary>
    public Parameter Weight => _weight;

    /// <summary>The bias, [out], or null.</summary>
    public Parameter? Bias => _bias;

    /// <summary>Applies the layer.</summary>
    /// <param name="x">[..., in].</param>
    /// <returns>[..., out].</returns>
    public override Tensor forward(Tensor x)
    {
        if (_weight is not QuantizedParameter)
        {
            return functional.linear(x, _weight, _bias);
        }

        using DisposeScope scope = NewDisposeScope();
        Tensor y = Product(x);
        return (_bias is null ? y : y.add_(_bias)).MoveToOuterDisposeScope();
    }

    /// <summary>The weight as numbers, [out, in], without a gradient: a tensor of the current scope.</summary>
    /// <param name="dtype">What it is converted to; null for the weight's own.</param>
    public Tensor DenseWeight(ScalarType? dtype = null)
    {
        using IDisposable off = no_grad();
        return _weight is QuantizedParameter quantised ? quantised.Dense(dtype) : _weight.detach().to(dtype ?? _weight.dtype);
    }

    /// <summary>As the fused layer sees it; null where that cannot run it.</summary>
    internal virtual LinearPart? Part() => new(_weight, _bias, null, null, 0);

    /// <summary>The layer's gradients without its result, where that saves the product: the weight must be frozen. The values are undefined then.</summary>
    /// <param name="x">[..., in].</param>
    internal virtual Tensor ForwardForGradients(Tensor x) => _weight.requires_grad || !x.requires_grad ? forward(x) : SkippedProduct.Apply(x, this);

    /// <summary>x·Wᵀ, without the bias.</summary>
    private protected Tensor Product(Tensor x) =>
        _weight is QuantizedParameter quantised ? QuantizedProduct.Apply(x, quantised) : functional.linear(x, _weight);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && _weight is QuantizedParameter quantised)
        {
            quantised.Release();
        }

        base.Dispose(disposing);
    }
}
