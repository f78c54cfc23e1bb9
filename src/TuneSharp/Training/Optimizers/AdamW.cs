using TuneSharp.Config;

namespace TuneSharp.Training.Optimizers;

/// <summary>Adam with decoupled weight decay.</summary>
/// <remarks>Paper: https://arxiv.org/abs/1711.05101. <c>torch.optim.AdamW</c>; state: step, exp_avg, exp_avg_sq, max_exp_avg_sq.</remarks>
/// <param name="parameters">What it trains.</param>
/// <param name="lr">Learning rate.</param>
/// <param name="betas">Decay of the running means of gradient and square; null for (0.9, 0.999).</param>
/// <param name="eps">Added to the root of the second mean.</param>
/// <param name="weightDecay">Each step multiplies a weight by 1 - lr·decay first.</param>
/// <param name="amsgrad">Divide by the largest second mean so far.</param>
/// <param name="maximize">Climb instead of descend.</param>
/// <param name="foreach">Accepted; the step is always fused.</param>
/// <param name="capturable">Accepted; there is no graph capture here that needs it.</param>
/// <param name="differentiable">Must be false.</param>
/// <param name="fused">Accepted; the step is always fused.</param>
[Component("torch.optim.AdamW")]
#pragma warning disable CS9113 // torch's choices of implementation: all give the same numbers, and we have one
public sealed class AdamW(
    [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double[]? betas = null, double eps = 1e-8,
    double weightDecay = 1e-2, bool amsgrad = false, bool maximize = false, bool? @foreach = null, bool capturable = false,
    bool differentiable = false, bool? fused = null)
    : AdamBase(parameters, lr, betas, eps, weightDecay, amsgrad, maximize, differentiable, decoupled: true);
#pragma warning restore CS9113
