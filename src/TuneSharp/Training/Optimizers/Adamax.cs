using TuneSharp.Config;

namespace TuneSharp.Training.Optimizers;

/// <summary>Adam by the infinity norm: a decaying maximum takes the place of the mean square.</summary>
/// <remarks>Paper: https://arxiv.org/abs/1412.6980, section 7. <c>torch.optim.Adamax</c>; state: step, exp_avg, exp_inf.</remarks>
[Component("torch.optim.Adamax")]
public sealed class Adamax : PerWeightOptimizer
{
    private readonly double _beta1;
    private readonly double _beta2;
    private readonly double _eps;

    /// <summary>Creates it.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="betas">Decay of the running mean and of the maximum; null for (0.9, 0.999).</param>
    /// <param name="eps">Added to each gradient's magnitude.</param>
    /// <param name="weightDecay">Weight of the L2 term.</param>
    /// <param name="foreach">Accepted; a choice of implementation.</param>
    /// <param name="maximize">Climb instead of descend.</param>
    /// <param name="differentiable">Must be false.</param>
    /// <param name="capturable">Accepted; there is no graph capture here that needs it.</param>
    public Adamax(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 2e-3, double[]? betas = null, double eps = 1e-8, double weightDecay = 0,
        bool? @foreach = null, bool maximize = false, bool differentiable = false, bool capturable = false)
        : base(parameters, lr, weightDecay, maximize)
    {
        (_beta1, _beta2) = Betas(betas);
        Require(eps >= 0, nameof(eps), eps, "at least 0");
        Require(weightDecay >= 0, "weight_decay", weightDecay, "at least 0");
        RequireNotDifferentiable(differentiable);
        _eps = eps;
    }

    private protected override void CreateState(int index, Tensor weight)
    {
        Add("exp_avg", index, zeros_like(weight));
        Add("exp_inf", index, zeros_like(weight));
    }

    private protected override long StateBytesOf(Tensor weight) => 2 * BytesOf(weight);

    private protected override void Update(int index, Tensor weight, Tensor grad)
    {
        Tensor mean = State("exp_avg", index), largest = State("exp_inf", index);
        Average(mean, grad, _beta1);
        largest.copy_(largest.mul(_beta2).maximum(grad.abs().add_(_eps)));
        weight.addcdiv_(mean, largest, -Lr / (1 - Math.Pow(_beta1, Count(index))));
    }
}
