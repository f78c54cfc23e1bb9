using TuneSharp.Config;

namespace TuneSharp.Training.Optimizers;

/// <summary>Scales each gradient by the ratio of past updates to past gradients, so that the rate has no unit.</summary>
/// <remarks>Paper: https://arxiv.org/abs/1212.5701. <c>torch.optim.Adadelta</c>; state: step, square_avg, acc_delta.</remarks>
[Component("torch.optim.Adadelta")]
public sealed class Adadelta : PerWeightOptimizer
{
    private readonly double _rho;
    private readonly double _eps;

    /// <summary>Creates it.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Factor on each update.</param>
    /// <param name="rho">Decay of both running means.</param>
    /// <param name="eps">Added under both roots.</param>
    /// <param name="weightDecay">Weight of the L2 term.</param>
    /// <param name="foreach">Accepted; a choice of implementation.</param>
    /// <param name="capturable">Accepted; there is no graph capture here that needs it.</param>
    /// <param name="maximize">Climb instead of descend.</param>
    /// <param name="differentiable">Must be false.</param>
    public Adadelta(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1.0, double rho = 0.9, double eps = 1e-6, double weightDecay = 0,
        bool? @foreach = null, bool capturable = false, bool maximize = false, bool differentiable = false)
        : base(parameters, lr, weightDecay, maximize)
    {
        Require(rho is >= 0 and <= 1, nameof(rho), rho, "from 0 to 1");
        Require(eps >= 0, nameof(eps), eps, "at least 0");
        Require(weightDecay >= 0, "weight_decay", weightDecay, "at least 0");
        RequireNotDifferentiable(differentiable);
        (_rho, _eps) = (rho, eps);
    }

    private protected override void CreateState(int index, Tensor weight)
    {
        Add("square_avg", index, zeros_like(weight));
        Add("acc_delta", index, zeros_like(weight));
    }

    private protected override long StateBytesOf(Tensor weight) => 2 * BytesOf(weight);

    private protected override void Update(int index, Tensor weight, Tensor grad)
    {
        Tensor square = State("square_avg", index), deltas = State("acc_delta", index);
        AverageSquare(square, grad, _rho);
        Tensor delta = deltas.add(_eps).sqrt_().div_(square.add(_eps).sqrt_()).mul_(grad);
        AverageSquare(deltas, delta, _rho);
        weight.add_(delta, -Lr);
    }
}
