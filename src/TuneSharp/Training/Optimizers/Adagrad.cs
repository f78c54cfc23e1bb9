using TuneSharp.Config;

namespace TuneSharp.Training.Optimizers;

/// <summary>Divides each gradient by the root of the sum of all its squares so far.</summary>
/// <remarks>Paper: https://jmlr.org/papers/v12/duchi11a.html. <c>torch.optim.Adagrad</c>; state: step, sum.</remarks>
[Component("torch.optim.Adagrad")]
public sealed class Adagrad : PerWeightOptimizer
{
    private readonly double _lrDecay;
    private readonly double _eps;
    private readonly double _start;

    /// <summary>Creates it.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="lrDecay">The rate of step t is lr / (1 + (t - 1)·decay).</param>
    /// <param name="weightDecay">Weight of the L2 term.</param>
    /// <param name="initialAccumulatorValue">First value of the sum.</param>
    /// <param name="eps">Added to the root.</param>
    /// <param name="foreach">Accepted; a choice of implementation.</param>
    /// <param name="maximize">Climb instead of descend.</param>
    /// <param name="differentiable">Must be false.</param>
    /// <param name="fused">Accepted; a choice of implementation.</param>
    public Adagrad(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-2, double lrDecay = 0, double weightDecay = 0,
        double initialAccumulatorValue = 0, double eps = 1e-10, bool? @foreach = null, bool maximize = false,
        bool differentiable = false, bool? fused = null)
        : base(parameters, lr, weightDecay, maximize)
    {
        Require(lrDecay >= 0, "lr_decay", lrDecay, "at least 0");
        Require(weightDecay >= 0, "weight_decay", weightDecay, "at least 0");
        Require(initialAccumulatorValue >= 0, "initial_accumulator_value", initialAccumulatorValue, "at least 0");
        Require(eps >= 0, nameof(eps), eps, "at least 0");
        RequireNotDifferentiable(differentiable);
        (_lrDecay, _eps, _start) = (lrDecay, eps, initialAccumulatorValue);
    }

    private protected override void CreateState(int index, Tensor weight) => Add("sum", index, full_like(weight, _start));

    private protected override long StateBytesOf(Tensor weight) => BytesOf(weight);

    private protected override void Update(int index, Tensor weight, Tensor grad)
    {
        Tensor sum = State("sum", index).addcmul_(grad, grad, 1);
        weight.addcdiv_(grad, sum.sqrt().add_(_eps), -Lr / (1 + ((Count(index) - 1) * _lrDecay)));
    }
}
