using TuneSharp.Kernels;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules.Moe;

/// <summary>The experts of one layer. Letters: M sorted rows, E experts, D width, F width inside an expert.</summary>
public abstract class Experts : Module<Tensor, Tensor>
{
    /// <summary>For derived classes.</summary>
    /// <param name="name">The module's name.</param>
    private protected Experts(string name)
        : base(name)
    {
    }

    /// <summary>Runs the first expert on every row: experts are otherwise run through the layer that sorts.</summary>
    /// <param name="x">[M, D].</param>
    public override Tensor forward(Tensor x)
    {
        using DisposeScope scope = NewDisposeScope();
        return Apply(x, new ExpertGroups(zeros([x.shape[0], 1], ScalarType.Int64, x.device), 1)).MoveToOuterDisposeScope();
    }

    /// <summary>Runs each expert on its slice.</summary>
    /// <param name="x_MD">Rows, sorted by expert.</param>
    /// <param name="groups">Which slice is whose.</param>
    /// <returns>[M, D].</returns>
    internal abstract Tensor Apply(Tensor x_MD, ExpertGroups groups);
}

/// <summary>Experts whose files hold three linears for each. Keys <c>N.w1</c> (gate), <c>N.w2</c> (down), <c>N.w3</c> (up).</summary>
/// <remarks>
/// Each linear may be plain, adapted or quantised, like any other. On a GPU the plain weights of all experts lie in one block
/// (<see cref="ExpertStack"/>), of which each linear's is a slice, and one grouped product serves them all.
/// </remarks>
public sealed class SplitExperts : Experts
{
    private readonly FeedForward[] _experts;
    private readonly ExpertStack[] _stacks;

    /// <summary>Builds the experts.</summary>
    /// <param name="count">E.</param>
    /// <param name="linears">Makes the linears of an expert: gate, down, up.</param>
    public SplitExperts(int count, Func<int, (Linear W1, Linear W2, Linear W3)> linears)
        : base(nameof(SplitExperts))
    {
        (Linear W1, Linear W2, Linear W3)[] made = [.. Enumerable.Range(0, count).Select(linears)];
        _experts = [.. made.Select(l => new FeedForward(l.W1, l.W2, l.W3))];
        _stacks = [new([.. made.Select(l => l.W1)]), new([.. made.Select(l => l.W2)]), new([.. made.Select(l => l.W3)])];
        for (int e = 0; e < count; e++)
        {
            register_module(e.ToString(System.Globalization.CultureInfo.InvariantCulture), _experts[e]);
        }
    }

    /// <inheritdoc/>
    internal override Tensor Apply(Tensor x_MD, ExpertGroups groups)
    {
        using DisposeScope scope = NewDisposeScope();
        if (!_stacks.All(s => s.CanGroup(x_MD)))
        {
            return groups.ForEach(x_MD, (e, x) => _experts[e].forward(x)).MoveToOuterDisposeScope();
        }

        Tensor inner_MF = FusedSwiGlu.Apply(_stacks[0].Apply(x_MD, groups), _stacks[2].Apply(x_MD, groups));
        return _stacks[1].Apply(inner_MF, groups).MoveToOuterDisposeScope();
    }
}

/// <summary>Experts whose files hold one tensor for all. Keys <c>gate_up_proj</c> [E, D, 2F], <c>down_proj</c> [E, F, D], and their biases.</summary>
public sealed class FusedExperts : Experts
{
    private const double Limit = 7; // gpt-oss's constants are in no config file
    private const double Alpha = 1.702;

    [ComponentName(Name = "gate_up_proj")]
    private readonly Parameter _gateUpProj;

    [ComponentName(Name = "gate_up_bias")]
    private readonly Parameter? _gateUpBias;

    [ComponentName(Name = "down_proj")]
    private readonly Parameter _downProj;

    [ComponentName(Name = "down_bias")]
    private readonly Parameter? _downBias;

    [ComponentName(Name = "gate_up_adapter")]
    private readonly ExpertAdapter? _gateUpAdapter;

    [ComponentName(Name = "down_adapter")]
    private readonly ExpertAdapter? _downAdapter;

    private readonly bool _interleaved;

    /// <summary>Builds the experts.</summary>
    /// <param name="count">E.</param>
    /// <param name="embedDim">D.</param>
    /// <param name="hiddenDim">F.</param>
    /// <param name="interleaved">gpt-oss's way: gate and up alternate, both are clamped, up counts one more, and there are biases.</param>
    /// <param name="lora">Adapters on both products, or null.</param>
    public FusedExperts(int count, long embedDim, long hiddenDim, bool interleaved = false, Peft.LoraConfig? lora = null)
        : base(nameof(FusedExperts))
    {
        _interleaved = interleaved;
        _gateUpProj = BuildScope.NewParameter(w => w.normal_(0, Linear.InitStd), always: false, count, embedDim, 2 * hiddenDim);
        _downProj = BuildScope.NewParameter(w => w.normal_(0, Linear.InitStd), always: false, count, hiddenDim, embedDim);
        _gateUpBias = interleaved ? BuildScope.NewParameter(b => b.zero_(), always: false, count, 2 * hiddenDim) : null;
        _downBias = interleaved ? BuildScope.NewParameter(b => b.zero_(), always: false, count, embedDim) : null;
        if (lora is not null && Enum.GetValues<Peft.LoraMlpModule>().Any(lora.Targets))
        {
            // Both or none: PEFT's names for one alone do not say which it is.
            _gateUpAdapter = new ExpertAdapter(count, embedDim, 2 * hiddenDim, lora);
            _downAdapter = new ExpertAdapter(count, hiddenDim, embedDim, lora);
        }

        RegisterComponents();
    }

    /// <summary>The adapters, both or none.</summary>
    public IReadOnlyList<ExpertAdapter> Adapters => [.. ((ExpertAdapter?[])[_gateUpAdapter, _downAdapter]).OfType<ExpertAdapter>()];

    /// <summary>A weight with its update added, in the weight's dtype; null for a part without adapters.</summary>
    /// <param name="part"><c>gate_up_proj</c> or <c>down_proj</c>.</param>
    public Tensor? Merged(string part)
    {
        (Parameter Weight, ExpertAdapter? Adapter) = part switch
        {
            "gate_up_proj" => (_gateUpProj, _gateUpAdapter),
            "down_proj" => (_downProj, _downAdapter),
            _ => (_downProj, null),
        };
        if (Adapter is null)
        {
            return null;
        }

        using IDisposable off = no_grad();
        using DisposeScope scope = NewDisposeScope();
        return Adapter.Delta().add_(Weight.to(ScalarType.Float32)).to(Weight.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>Adds the updates to the weights, in place, and switches the adapters off.</summary>
    internal void Merge()
    {
        using IDisposable off = no_grad();
        using DisposeScope scope = NewDisposeScope();
        foreach ((string part, Parameter weight) in ((string, Parameter)[])[("gate_up_proj", _gateUpProj), ("down_proj", _downProj)])
        {
            weight.copy_(Merged(part)!);
        }

        foreach (ExpertAdapter adapter in Adapters)
        {
            adapter.Enabled = false;
        }
    }

    /// <inheritdoc/>
    internal override Tensor Apply(Tensor x_MD, ExpertGroups groups)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor both_M2F = Product(x_MD, _gateUpProj, _gateUpBias, _gateUpAdapter, groups);
        return Product(Activate(both_M2F), _downProj, _downBias, _downAdapter, groups).MoveToOuterDisposeScope();
    }

    private static Tensor Product(Tensor x, Parameter weight, Parameter? bias, ExpertAdapter? adapter, ExpertGroups groups)
    {
        Tensor y = GroupedProduct.Apply(x, weight, groups);
        y = adapter is { Enabled: true } ? y + adapter.Apply(x, groups) : y;
        return bias is null ? y : y + bias.index_select(0, groups.Expert_M);
    }

    private Tensor Activate(Tensor both_M2F)
    {
        long inner = both_M2F.shape[^1] / 2;
        if (!_interleaved)
        {
            return FusedSwiGlu.Apply(both_M2F.narrow(-1, 0, inner).contiguous(), both_M2F.narrow(-1, inner, inner).contiguous());
        }

        Tensor[] pair = both_M2F.reshape(-1, inner, 2).unbind(-1);
        Tensor gate = pair[0].clamp_max(Limit);
        Tensor up = pair[1].clamp(-Limit, Limit);
        return (up + 1) * (gate * (gate * Alpha).sigmoid());
    }
}
