using TuneSharp.Backend;

namespace TuneSharp.Training.Optimizers;

/// <summary>The step that Adam and AdamW share, by libtorch's fused kernel over all weights at once.</summary>
public abstract class AdamBase : Optimizer
{
    private readonly double _beta1;
    private readonly double _beta2;
    private readonly double _eps;
    private readonly double _weightDecay;
    private readonly bool _amsgrad;
    private readonly bool _maximize;
    private readonly bool _decoupled;
    private readonly List<Tensor> _means = [];
    private readonly List<Tensor> _squares = [];
    private readonly List<Tensor> _maxima = [];
    private readonly List<Tensor> _steps = [];

    private protected AdamBase(
        IReadOnlyList<NamedParameter> parameters, double lr, double[]? betas, double eps, double weightDecay, bool amsgrad,
        bool maximize, bool differentiable, bool decoupled)
        : base(parameters, lr)
    {
        (_beta1, _beta2) = Betas(betas);
        Require(eps >= 0, nameof(eps), eps, "at least 0");
        Require(weightDecay >= 0, "weight_decay", weightDecay, "at least 0");
        RequireNotDifferentiable(differentiable);
        RequireDense();
        (_eps, _weightDecay, _amsgrad, _maximize, _decoupled) = (eps, weightDecay, amsgrad, maximize, decoupled);
    }

    private protected override void CreateState(int index, Tensor weight)
    {
        Add("exp_avg", index, zeros_like(weight));
        Add("exp_avg_sq", index, zeros_like(weight));
        if (_amsgrad)
        {
            Add("max_exp_avg_sq", index, zeros_like(weight));
        }
    }

    private protected override long StateBytesOf(Tensor weight) =>
        (_amsgrad ? 3 : 2) * weight.numel() * weight.element_size();

    private protected override void Update()
    {
        // Weights that joined later have taken fewer steps. Mostly all share one count, and so one scalar on the device.
        _steps.Clear();
        Dictionary<long, Tensor>? others = null;
        long first = Count(ActiveIndices[0]);
        Tensor shared = Scalar32(first);
        foreach (int i in ActiveIndices)
        {
            long count = Count(i);
            if (count == first)
            {
                _steps.Add(shared);
                continue;
            }

            others ??= [];
            if (!others.TryGetValue(count, out Tensor? scalar))
            {
                others[count] = scalar = Scalar32(count);
            }

            _steps.Add(scalar);
        }

        Aten.FusedAdam(
            ActiveWeights, ActiveGradients, Collect("exp_avg", _means), Collect("exp_avg_sq", _squares),
            _amsgrad ? Collect("max_exp_avg_sq", _maxima) : _maxima, _steps,
            Lr, _beta1, _beta2, _weightDecay, _eps, _amsgrad, _maximize, _decoupled);
    }

    private Tensor Scalar32(long value) => full([], value, float32, ActiveWeights[0].device);
}
