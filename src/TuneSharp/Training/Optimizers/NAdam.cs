using TuneSharp.Config;

namespace TuneSharp.Training.Optimizers;

/// <summary>Adam with Nesterov momentum.</summary>
/// <remarks>
/// Paper: https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ. <c>torch.optim.NAdam</c>; state: step, mu_product, exp_avg, exp_avg_sq.
/// </remarks>
[Component("torch.optim.NAdam")]
public sealed class NAdam : PerWeightOptimizer
{
    private readonly double _beta1;
    private readonly double _beta2;
    private readonly double _eps;
    private readonly double _momentumDecay;
    private readonly double _decoupledDecay;

    /// <summary>Creates it.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="betas">Decay of the running means of gradient and square; null for (0.9, 0.999).</param>
    /// <param name="eps">Added to the root of the second mean.</param>
    /// <param name="weightDecay">Weight of the decay.</param>
    /// <param name="momentumDecay">How fast the momentum rises to its full value.</param>
    /// <param name="decoupledWeightDecay">Decay the weight itself instead of adding to the gradient.</param>
    /// <param name="foreach">Accepted; a choice of implementation.</param>
    /// <param name="maximize">Climb instead of descend.</param>
    /// <param name="capturable">Accepted; there is no graph capture here that needs it.</param>
    /// <param name="differentiable">Must be false.</param>
    public NAdam(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 2e-3, double[]? betas = null, double eps = 1e-8, double weightDecay = 0,
        double momentumDecay = 4e-3, bool decoupledWeightDecay = false, bool? @foreach = null, bool maximize = false,
        bool capturable = false, bool differentiable = false)
        : base(parameters, lr, decoupledWeightDecay ? 0 : weightDecay, maximize)
    {
        (_beta1, _beta2) = Betas(betas);
        Require(eps >= 0, nameof(eps), eps, "at least 0");
        Require(weightDecay >= 0, "weight_decay", weightDecay, "at least 0");
        Require(momentumDecay >= 0, "momentum_decay", momentumDecay, "at least 0");
        RequireNotDifferentiable(differentiable);
        (_eps, _momentumDecay, _decoupledDecay) = (eps, momentumDecay, decoupledWeightDecay ? weightDecay : 0);
    }

    private protected override void CreateState(int index, Tensor weight)
    {
        // On the CPU: it only enters the host's arithmetic, and reading it must not wait for a GPU.
        Add("mu_product", index, ones([], float32));
        Add("exp_avg", index, zeros_like(weight));
        Add("exp_avg_sq", index, zeros_like(weight));
    }

    private protected override long StateBytesOf(Tensor weight) => 2 * BytesOf(weight);

    private protected override void Update(int index, Tensor weight, Tensor grad)
    {
        long step = Count(index);
        double mu = Momentum(step), next = Momentum(step + 1);
        Tensor product = State("mu_product", index).mul_(mu);
        double muProduct = product.item<float>();
        if (_decoupledDecay != 0)
        {
            weight.mul_(1 - (Lr * _decoupledDecay));
        }

        Tensor mean = State("exp_avg", index), square = State("exp_avg_sq", index);
        Average(mean, grad, _beta1);
        AverageSquare(square, grad, _beta2);
        Tensor root = square.div(1 - Math.Pow(_beta2, step)).sqrt_().add_(_eps);
        weight.addcdiv_(grad, root, -Lr * (1 - mu) / (1 - muProduct));
        weight.addcdiv_(mean, root, -Lr * next / (1 - (muProduct * next)));
    }

    private double Momentum(long step) => _beta1 * (1 - (0.5 * Math.Pow(0.96, step * _momentumDecay)));
}
