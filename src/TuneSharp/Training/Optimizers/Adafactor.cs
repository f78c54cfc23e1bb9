using System.Globalization;
using TuneSharp.Config;

namespace TuneSharp.Training.Optimizers;

/// <summary>Adam's second mean kept as one row and one column for each matrix: state of next to no size.</summary>
/// <remarks>
/// Paper: https://arxiv.org/abs/1804.04235. <c>torch.optim.Adafactor</c>; state: step, and row_var and col_var of a matrix
/// ([..., R, 1] and [..., 1, C]) or variance of a vector.
/// </remarks>
[Component("torch.optim.Adafactor")]
public sealed class Adafactor : PerWeightOptimizer
{
    private readonly double _beta2Decay;
    private readonly double? _eps1;
    private readonly double _eps2;
    private readonly double _d;
    private readonly double _weightDecay;

    /// <summary>Creates it.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Upper bound of the relative step; the step itself also falls as 1/√t.</param>
    /// <param name="beta2Decay">The second mean of step t takes t to this power of the new square; at most 0.</param>
    /// <param name="eps">Floor of the second mean (null for the dtype's epsilon) and of a weight's root mean square; null for (null, 1e-3).</param>
    /// <param name="d">Updates with a larger root mean square are scaled down to it; at least 1.</param>
    /// <param name="weightDecay">Each step multiplies a weight by 1 - lr·decay first.</param>
    /// <param name="foreach">Accepted; a choice of implementation.</param>
    /// <param name="maximize">Climb instead of descend.</param>
    public Adafactor(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-2, double beta2Decay = -0.8, double?[]? eps = null, double d = 1,
        double weightDecay = 0, bool? @foreach = null, bool maximize = false)
        : base(parameters, lr, l2: 0, maximize)
    {
        eps ??= [null, 1e-3];
        string given = $"[{string.Join(", ", eps.Select(e => e?.ToString(CultureInfo.InvariantCulture) ?? "null"))}]";
        Require(eps is [null or >= 0, >= 0], nameof(eps), given, "two numbers of at least 0, as in [null, 0.001]");
        Require(beta2Decay <= 0, "beta2_decay", beta2Decay, "at most 0");
        Require(d >= 1, nameof(d), d, "at least 1");
        Require(weightDecay >= 0, "weight_decay", weightDecay, "at least 0");
        (_beta2Decay, _eps1, _eps2, _d, _weightDecay) = (beta2Decay, eps[0], eps[1]!.Value, d, weightDecay);
    }

    private protected override void CreateState(int index, Tensor weight)
    {
        if (weight.ndim < 2)
        {
            Add("variance", index, zeros_like(weight));
            return;
        }

        Add("row_var", index, zeros([.. weight.shape[..^1], 1], weight.dtype, weight.device));
        Add("col_var", index, zeros([.. weight.shape[..^2], 1, weight.shape[^1]], weight.dtype, weight.device));
    }

    private protected override long StateBytesOf(Tensor weight) => weight.ndim < 2
        ? BytesOf(weight)
        : ((weight.numel() / weight.shape[^1]) + (weight.numel() / weight.shape[^2])) * weight.element_size();

    private protected override void Update(int index, Tensor weight, Tensor grad)
    {
        long step = Count(index);
        double newShare = Math.Pow(step, _beta2Decay);
        double eps1 = _eps1 ?? finfo(weight.dtype).eps;

        // Both norms stay on the device as scalars: reading them would make a GPU wait twice for each weight.
        double root = Math.Sqrt(weight.numel());
        Tensor size = weight.norm().div_(root).clamp_min(_eps2).mul_(Math.Min(Lr, 1 / Math.Sqrt(step)));
        if (_weightDecay != 0)
        {
            weight.mul_(1 - (Lr * _weightDecay));
        }

        Tensor estimate;
        if (weight.ndim < 2)
        {
            Tensor variance = State("variance", index);
            AverageSquare(variance, grad, 1 - newShare);
            estimate = variance;
        }
        else
        {
            Tensor rows = State("row_var", index), columns = State("col_var", index);
            Average(rows, grad.norm(-1, true).square().div_(grad.shape[^1]), 1 - newShare);
            Average(columns, grad.norm(-2, true).square().div_(grad.shape[^2]), 1 - newShare);
            estimate = rows.mul(columns).div_(rows.mean([-2], keepdim: true).clamp_min(eps1));
        }

        Tensor update = estimate.clamp_min(eps1 * eps1).rsqrt_().mul_(grad);
        Tensor excess = update.norm().div_(root * _d).clamp_min(1);
        weight.addcmul_(update, size.div_(excess), -1);
    }
}
