using static TorchSharp.torch.nn;

namespace TuneSharp.Modules.Moe;

/// <summary>Low-rank updates of a fused expert weight: expert e adds scale·x·Aₑᵀ·Bₑᵀ. Keys <c>lora_a.weight</c> [E·r, I], <c>lora_b.weight</c> [O, r·E].</summary>
/// <remarks>The layout is PEFT's for <c>target_parameters</c>: A's rows go expert by expert, B's columns rank by rank. Letters: M rows, E experts, r rank, I in, O out.</remarks>
public sealed class ExpertAdapter : Module<Tensor, Tensor>
{
    [ComponentName(Name = "lora_a")]
    private readonly Factor _loraA;

    [ComponentName(Name = "lora_b")]
    private readonly Factor _loraB;

    private readonly int _count;
    private readonly double _dropout;

    /// <summary>Builds the updates.</summary>
    /// <param name="count">E.</param>
    /// <param name="inDim">I.</param>
    /// <param name="outDim">O.</param>
    /// <param name="lora">Rank, scale, dropout.</param>
    /// <exception cref="ArgumentException">DoRA was asked for.</exception>
    public ExpertAdapter(int count, long inDim, long outDim, Peft.LoraConfig lora)
        : base(nameof(ExpertAdapter))
    {
        if (lora.UseDora)
        {
            throw new ArgumentException(
                "use_dora is not defined for experts that share one weight tensor. Set use_dora=False, or leave the experts out (apply_lora_to_mlp=False).");
        }

        (_count, Scale, _dropout) = (count, lora.Scale, lora.Dropout);
        double bound = Math.Sqrt(1.0 / inDim); // as LoraLinear
        _loraA = new Factor(a => a.uniform_(-bound, bound), count * lora.Rank, inDim);
        _loraB = new Factor(b => b.zero_(), outDim, lora.Rank * count);
        RegisterComponents();
    }

    /// <summary>Factor on the update.</summary>
    public double Scale { get; }

    /// <summary>False to compute the base alone.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>The parameters that training changes.</summary>
    public IEnumerable<Parameter> AdapterParameters => [_loraA.Weight, _loraB.Weight];

    /// <summary>The first expert's update of every row.</summary>
    /// <param name="x">[M, I].</param>
    public override Tensor forward(Tensor x)
    {
        using DisposeScope scope = NewDisposeScope();
        return Apply(x, new ExpertGroups(zeros([x.shape[0], 1], ScalarType.Int64, x.device), 1)).MoveToOuterDisposeScope();
    }

    /// <summary>The update of each row by its own expert.</summary>
    internal Tensor Apply(Tensor x_MI, ExpertGroups groups)
    {
        Tensor seen = training && _dropout > 0 ? functional.dropout(x_MI, _dropout, training: true) : x_MI;
        Tensor low = GroupedProduct.Apply(seen, A_EIR(), groups) * Scale;
        return GroupedProduct.Apply(low, B_ERO(), groups);
    }

    /// <summary>What merging adds to the weight, [E, I, O], fp32.</summary>
    public Tensor Delta()
    {
        using DisposeScope scope = NewDisposeScope();
        return A_EIR().to(ScalarType.Float32).bmm(B_ERO().to(ScalarType.Float32)).mul(Scale).MoveToOuterDisposeScope();
    }

    private Tensor A_EIR() => _loraA.Weight.reshape(_count, -1, _loraA.Weight.shape[1]).transpose(1, 2);

    private Tensor B_ERO() => _loraB.Weight.reshape(_loraB.Weight.shape[0], -1, _count).permute(2, 1, 0);

    /// <summary>Holds one of the two factors under the key <c>weight</c>.</summary>
    private sealed class Factor : Module<Tensor, Tensor>
    {
        [ComponentName(Name = "weight")]
        private readonly Parameter _weight;

        public Factor(Action<Tensor> initialise, long rows, long columns)
            : base(nameof(Factor))
        {
            _weight = BuildScope.NewParameter(initialise, always: true, rows, columns);
            RegisterComponents();
        }

        public Parameter Weight => _weight;

        public override Tensor forward(Tensor x) => functional.linear(x, _weight);
    }
}
