using TuneSharp.Config;

namespace TuneSharp.Training.Optimizers;

/// <summary>Adam whose first steps are rectified for the few squares seen so far.</summary>
/// <remarks>Paper: https://arxiv.org/abs/1908.03265. <c>torch.optim.RAdam</c>; state: step, exp_avg, exp_avg_sq.</remarks>
[Component("torch.optim.RAdam")]
public sealed class RAdam : PerWeightOptimizer
{
    private readonly double _beta1;
    private readonly double _beta2;
    private readonly double _eps;
    private readonly double _decoupledDecay;

    /// <summary>Creates it.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="betas">Decay of the running means of gradient and square; null for (0.9, 0.999).</param>
    /// <param name="eps">Added to the root of the second mean.</param>
    /// <param name="weightDecay">Weight of the decay.</param>
    /// <param name="decoupledWeightDecay">Decay the weight itself instead of adding to the gradient.</param>
    /// <param name="foreach">Accepted; a choice of implementation.</param>
    /// <param name="maximize">Climb instead of descend.</param>
    /// <param name="capturable">Accepted; there is no graph capture here that needs it.</param>
    /// <param name="differentiable">Must be false.</param>
    public RAdam(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double[]? betas = null, double eps = 1e-8, double weightDecay = 0,
        bool decoupledWeightDecay = false, bool? @foreach = null, bool maximize = false, bool capturable = false,
        bool differentiable = false)
        : base(parameters, lr, decoupledWeightDecay ? 0 : weightDecay, maximize)
    {
        (_beta1, _beta2) = Betas(betas);
        Require(eps >= 0, nameof(eps), eps, "at least 0");
        Require(weightDecay >= 0, "weight_decay", weightDecay, "at least 0");
        RequireNotDifferentiable(differentiable);
        (_eps, _decoupledDecay) = (eps, decoupledWeightDecay ? weightDecay : 0);
    }

    private protected override void CreateState(int index, Tensor weight)
    {
        Add("exp_avg", index, zeros_like(weight));
        Add("exp_avg_sq", index, zeros_like(weight));
    }

    private protected override long StateBytesOf(Tensor weight) => 2 * BytesOf(weight);

    private protected override void Update(int index, Tensor weight, Tensor grad)
    {
        if (_decoupledDecay != 0)
        {
            weight.mul_(1 - (Lr * _decoupledDecay));
        }

        Tensor mean = State("exp_avg", index), square = State("exp_avg_sq", index);
        Average(mean, grad, _beta1);
        AverageSquare(square, grad, _beta2);

        // ρ is the number of squares that the second mean effectively averages; up to 5 its variance is not finite.
        long step = Count(index);
        double correction1 = 1 - Math.Pow(_beta1, step), correction2 = 1 - Math.Pow(_beta2, step);
        double rhoMax = (2 / (1 - _beta2)) - 1;
        double rho = rhoMax - (2 * step * Math.Pow(_beta2, step) / correction2);
        if (rho <= 5)
        {
            weight.add_(mean, -Lr / correction1);
            return;
        }

        double rectification = Math.Sqrt((rho - 4) * (rho - 2) * rhoMax / ((rhoMax - 4) * (rhoMax - 2) * rho));
        weight.addcdiv_(mean, square.sqrt().add_(_eps), -Lr * rectification * Math.Sqrt(correction2) / correction1);
    }
}
