using TuneSharp.Config;

namespace TuneSharp.Training.Optimizers;

/// <summary>Divides each gradient by the running root of its square.</summary>
/// <remarks><c>torch.optim.RMSprop</c>; state: step, square_avg, momentum_buffer (with momentum), grad_avg (when centered).</remarks>
[Component("torch.optim.RMSprop")]
public sealed class RMSprop : PerWeightOptimizer
{
    private readonly double _alpha;
    private readonly double _eps;
    private readonly double _momentum;
    private readonly bool _centered;

    /// <summary>Creates it.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="alpha">Decay of the running mean of squares.</param>
    /// <param name="eps">Added to its root.</param>
    /// <param name="weightDecay">Weight of the L2 term.</param>
    /// <param name="momentum">Decay of the momentum buffer; 0 for none.</param>
    /// <param name="centered">Take the variance instead of the mean square.</param>
    /// <param name="capturable">Accepted; there is no graph capture here that needs it.</param>
    /// <param name="foreach">Accepted; a choice of implementation.</param>
    /// <param name="maximize">Climb instead of descend.</param>
    /// <param name="differentiable">Must be false.</param>
    public RMSprop(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-2, double alpha = 0.99, double eps = 1e-8, double weightDecay = 0,
        double momentum = 0, bool centered = false, bool capturable = false, bool? @foreach = null, bool maximize = false,
        bool differentiable = false)
        : base(parameters, lr, weightDecay, maximize)
    {
        Require(alpha >= 0, nameof(alpha), alpha, "at least 0");
        Require(eps >= 0, nameof(eps), eps, "at least 0");
        Require(momentum >= 0, nameof(momentum), momentum, "at least 0");
        Require(weightDecay >= 0, "weight_decay", weightDecay, "at least 0");
        RequireNotDifferentiable(differentiable);
        (_alpha, _eps, _momentum, _centered) = (alpha, eps, momentum, centered);
    }

    private protected override void CreateState(int index, Tensor weight)
    {
        Add("square_avg", index, zeros_like(weight));
        if (_momentum > 0)
        {
            Add("momentum_buffer", index, zeros_like(weight));
        }

        if (_centered)
        {
            Add("grad_avg", index, zeros_like(weight));
        }
    }

    private protected override long StateBytesOf(Tensor weight) => (1 + (_momentum > 0 ? 1 : 0) + (_centered ? 1 : 0)) * BytesOf(weight);

    private protected override void Update(int index, Tensor weight, Tensor grad)
    {
        Tensor square = State("square_avg", index);
        AverageSquare(square, grad, _alpha);
        Tensor root = square;
        if (_centered)
        {
            Tensor mean = State("grad_avg", index);
            Average(mean, grad, _alpha);
            root = square.addcmul(mean, mean, -1);
        }

        root = root.sqrt().add_(_eps);
        if (_momentum > 0)
        {
            weight.add_(State("momentum_buffer", index).mul_(_momentum).addcdiv_(grad, root, 1), -Lr);
        }
        else
        {
            weight.addcdiv_(grad, root, -Lr);
        }
    }
}
