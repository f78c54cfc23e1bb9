using TuneSharp.Kernels;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules.Peft;

/// <summary>A frozen linear with a low-rank update: W·x + scale·B·A·x. Keys <c>weight</c>, <c>lora_a.weight</c> [r, in], <c>lora_b.weight</c> [out, r].</summary>
/// <remarks>
/// Paper: https://arxiv.org/abs/2106.09685. torchtune counterpart: <c>torchtune/modules/peft/lora.py</c>. A starts Kaiming-uniform with
/// a = √5, B at zero, so that training starts from the base model exactly.
/// </remarks>
public class LoraLinear : Linear
{
    [ComponentName(Name = "lora_a")]
    private readonly Adapter _loraA;

    [ComponentName(Name = "lora_b")]
    private readonly Adapter _loraB;

    /// <summary>Builds the layer.</summary>
    /// <param name="inDim">Width of the input.</param>
    /// <param name="outDim">Width of the output.</param>
    /// <param name="lora">Rank, scale, dropout.</param>
    /// <param name="bias">Whether the base has a bias.</param>
    /// <param name="quantization">How the base's weight is held, or null for plain numbers.</param>
    public LoraLinear(long inDim, long outDim, LoraConfig lora, bool bias = false, Quantization? quantization = null)
        : this(inDim, outDim, lora, bias, quantization, nameof(LoraLinear)) => RegisterComponents();

    private protected LoraLinear(long inDim, long outDim, LoraConfig lora, bool bias, Quantization? quantization, string name)
        : base(inDim, outDim, bias, quantization, name)
    {
        (Scale, Dropout) = (lora.Scale, lora.Dropout);
        double bound = Math.Sqrt(1.0 / inDim); // Kaiming-uniform with a = √5: √(6 / ((1 + 5)·in))
        _loraA = new Adapter(a => a.uniform_(-bound, bound), lora.Rank, inDim);
        _loraB = new Adapter(b => b.zero_(), outDim, lora.Rank);
    }

    /// <summary>Factor on the update.</summary>
    public double Scale { get; }

    /// <summary>Dropout rate on the adapters' input while training.</summary>
    public double Dropout { get; }

    /// <summary>False to compute the base layer alone.</summary>
    public bool AdaptersEnabled { get; set; } = true;

    /// <summary>A, [r, in].</summary>
    public Parameter LoraA => _loraA.Weight;

    /// <summary>B, [out, r].</summary>
    public Parameter LoraB => _loraB.Weight;

    /// <summary>The parameters that training changes.</summary>
    public virtual IEnumerable<Parameter> AdapterParameters => [LoraA, LoraB];

    /// <inheritdoc/>
    public override Tensor forward(Tensor x)
    {
        if (!AdaptersEnabled)
        {
            return base.forward(x);
        }

        using DisposeScope scope = NewDisposeScope();
        return base.forward(x).add_(Update(x)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    internal override LinearPart? Part() =>
        !AdaptersEnabled ? base.Part() : training && Dropout > 0 ? null : new LinearPart(Weight, Bias, LoraA, LoraB, Scale);

    /// <inheritdoc/>
    internal override Tensor ForwardForGradients(Tensor x)
    {
        if (!AdaptersEnabled || Weight.requires_grad || !x.requires_grad)
        {
            return forward(x);
        }

        using DisposeScope scope = NewDisposeScope();
        return SkippedProduct.Apply(x, this).add_(Update(x)).MoveToOuterDisposeScope();
    }

    /// <summary>The weight with the update added, [out, in], computed in fp32 and returned in the base's dtype.</summary>
    public virtual Tensor MergedWeight()
    {
        using DisposeScope scope = NewDisposeScope();
        return Sum().to(Weight.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>scale·B·A·x, with dropout on x while training.</summary>
    private protected Tensor Update(Tensor x)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor seen = training && Dropout > 0 ? functional.dropout(x, Dropout, training: true) : x;
        Tensor low = functional.linear(seen, LoraA) * Scale;
        return functional.linear(low, LoraB).MoveToOuterDisposeScope();
    }

    /// <summary>W + scale·B·A in fp32.</summary>
    private protected Tensor Sum()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor update = mm(LoraB.to(ScalarType.Float32), LoraA.to(ScalarType.Float32)) * Scale;
        return update.add_(DenseWeight(ScalarType.Float32)).MoveToOuterDisposeScope();
    }

    /// <summary>Holds one of the two factors under the key <c>weight</c>. Initialised even when a checkpoint is loaded.</summary>
    private sealed class Adapter : Module<Tensor, Tensor>
    {
        [ComponentName(Name = "weight")]
        private readonly Parameter _weight;

        public Adapter(Action<Tensor> initialise, long rows, long columns)
            : base(nameof(Adapter))
        {
            _weight = BuildScope.NewParameter(initialise, always: true, rows, columns);
            RegisterComponents();
        }

        public Parameter Weight => _weight;

        public override Tensor forward(Tensor x) => functional.linear(x, _weight);
    }
}

/// <summary>LoRA whose result is turned to a learned length: m ∘ (W·x + scale·B·A·x) / ‖W + scale·B·A‖. Further key <c>magnitude</c> [out].</summary>
/// <remarks>
/// Paper: https://arxiv.org/abs/2402.09353; the norm is a constant for the gradient (its section 4.3). torchtune counterpart:
/// <c>torchtune/modules/peft/dora.py</c>. Call <see cref="InitialiseMagnitude"/> once the base weight is loaded.
/// </remarks>
public sealed class DoraLinear : LoraLinear
{
    [ComponentName(Name = "magnitude")]
    private readonly Parameter _magnitude;

    /// <summary>Builds the layer.</summary>
    /// <param name="inDim">Width of the input.</param>
    /// <param name="outDim">Width of the output.</param>
    /// <param name="lora">Rank, scale, dropout.</param>
    /// <param name="bias">Whether the base has a bias.</param>
    /// <param name="quantization">How the base's weight is held, or null for plain numbers.</param>
    public DoraLinear(long inDim, long outDim, LoraConfig lora, bool bias = false, Quantization? quantization = null)
        : base(inDim, outDim, lora, bias, quantization, nameof(DoraLinear))
    {
        _magnitude = BuildScope.NewParameter(m => m.fill_(1), always: true, outDim);
        RegisterComponents();
        if (_magnitude.device_type != DeviceType.META && Weight is not QuantizedParameter { IsEmpty: true })
        {
            InitialiseMagnitude();
        }
    }

    /// <summary>Learned length of each row, [out].</summary>
    public Parameter Magnitude => _magnitude;

    /// <inheritdoc/>
    public override IEnumerable<Parameter> AdapterParameters => [LoraA, LoraB, Magnitude];

    /// <inheritdoc/>
    internal override LinearPart? Part() => AdaptersEnabled ? null : base.Part();

    /// <summary>Sets the magnitude to the rows' present lengths, so that the layer starts as its base.</summary>
    public void InitialiseMagnitude()
    {
        using IDisposable off = no_grad();
        using DisposeScope scope = NewDisposeScope();
        _magnitude.copy_(RowNorms());
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor x)
    {
        if (!AdaptersEnabled)
        {
            return base.forward(x);
        }

        using DisposeScope scope = NewDisposeScope();
        Tensor turn = (Magnitude / RowNorms().to(Magnitude.dtype)).unsqueeze(0);
        Tensor y = turn * Product(x).add_(Update(x));
        return (Bias is null ? y : y + Bias).MoveToOuterDisposeScope();
    }

    /// <summary>The magnitude's gradient needs the result.</summary>
    internal override Tensor ForwardForGradients(Tensor x) => forward(x);

    /// <inheritdoc/>
    public override Tensor MergedWeight()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor turn = (Magnitude.to(ScalarType.Float32) / RowNorms()).unsqueeze(1);
        return (Sum() * turn).to(Weight.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>‖W + scale·B·A‖ of each row, fp32, without a gradient.</summary>
    private Tensor RowNorms()
    {
        using IDisposable off = no_grad();
        using DisposeScope scope = NewDisposeScope();
        return Sum().square().sum(dim: 1).sqrt().MoveToOuterDisposeScope();
    }
}
