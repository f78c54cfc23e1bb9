using TuneSharp.Config;

namespace TuneSharp.Training.Optimizers;

/// <summary>Adaptive moments; weight decay is an L2 term in the gradient.</summary>
/// <remarks>Paper: https://arxiv.org/abs/1412.6980. <c>torch.optim.Adam</c>; state: step, exp_avg, exp_avg_sq, max_exp_avg_sq.</remarks>
/// <param name="parameters">What it trains.</param>
/// <param name="lr">Learning rate.</param>
/// <param name="betas">Decay of the running means of gradient and square; null for (0.9, 0.999).</param>
/// <param name="eps">Added to the root of the second mean.</param>
/// <param name="weightDecay">Weight of the L2 term.</param>
/// <param name="amsgrad">Divide by the largest second mean so far.</param>
/// <param name="foreach">Accepted; the step is always fused.</param>
/// <param name="maximize">Climb instead of descend.</param>
/// <param name="capturable">Accepted; there is no graph capture here that needs it.</param>
/// <param name="differentiable">Must be false.</param>
/// <param name="fused">Accepted; the step is always fused.</param>
/// <param name="decoupledWeightDecay">Decay the weight instead of adding to the gradient: AdamW.</param>
[Component("torch.optim.Adam")]
#pragma warning disable CS9113 // torch's choices of implementation: all give the same numbers, and we have one
public sealed class Adam(
    [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double[]? betas = null, double eps = 1e-8,
    double weightDecay = 0, bool amsgrad = false, bool? @foreach = null, bool maximize = false, bool capturable = false,
    bool differentiable = false, bool? fused = null, bool decoupledWeightDecay = false)
    : AdamBase(parameters, lr, betas, eps, weightDecay, amsgrad, maximize, differentiable, decoupledWeightDecay);
#pragma warning restore CS9113
