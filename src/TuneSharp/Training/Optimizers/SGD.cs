using TuneSharp.Backend;
using TuneSharp.Config;

namespace TuneSharp.Training.Optimizers;

/// <summary>Stochastic gradient descent, with momentum if wanted.</summary>
/// <remarks><c>torch.optim.SGD</c>, by libtorch's fused kernel; state: momentum_buffer, only with momentum.</remarks>
[Component("torch.optim.SGD")]
public sealed class SGD : Optimizer
{
    private readonly double _momentum;
    private readonly double _dampening;
    private readonly double _weightDecay;
    private readonly bool _nesterov;
    private readonly bool _maximize;
    private readonly List<Tensor> _weights = [];
    private readonly List<Tensor> _grads = [];
    private readonly List<Tensor> _buffers = [];

    /// <summary>Creates it.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="momentum">Decay of the momentum buffer; 0 for none.</param>
    /// <param name="dampening">Share of the gradient that the buffer does not take.</param>
    /// <param name="weightDecay">Weight of the L2 term.</param>
    /// <param name="nesterov">Look one step ahead; needs momentum and no dampening.</param>
    /// <param name="maximize">Climb instead of descend.</param>
    /// <param name="foreach">Accepted; the step is always fused.</param>
    /// <param name="differentiable">Must be false.</param>
    /// <param name="fused">Accepted; the step is always fused.</param>
    public SGD(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double momentum = 0, double dampening = 0,
        double weightDecay = 0, bool nesterov = false, bool maximize = false, bool? @foreach = null, bool differentiable = false,
        bool? fused = null)
        : base(parameters, lr)
    {
        Require(momentum >= 0, nameof(momentum), momentum, "at least 0");
        Require(weightDecay >= 0, "weight_decay", weightDecay, "at least 0");
        Require(!nesterov || momentum > 0, nameof(momentum), momentum, "above 0 when nesterov is true");
        Require(!nesterov || dampening == 0, nameof(dampening), dampening, "0 when nesterov is true");
        RequireNotDifferentiable(differentiable);
        RequireDense();
        (_momentum, _dampening, _weightDecay, _nesterov, _maximize) = (momentum, dampening, weightDecay, nesterov, maximize);
    }

    private protected override bool CountsSteps => false;

    private protected override void CreateState(int index, Tensor weight)
    {
        if (_momentum != 0)
        {
            Add("momentum_buffer", index, zeros_like(weight));
        }
    }

    private protected override long StateBytesOf(Tensor weight) => _momentum == 0 ? 0 : weight.numel() * weight.element_size();

    private protected override void Update()
    {
        UpdateThose(firstStep: true);
        UpdateThose(firstStep: false);
    }

    private void UpdateThose(bool firstStep)
    {
        _weights.Clear();
        _grads.Clear();
        _buffers.Clear();
        for (int k = 0; k < ActiveIndices.Count; k++)
        {
            int i = ActiveIndices[k];
            if ((Count(i) == 1) != firstStep)
            {
                continue;
            }

            _weights.Add(ActiveWeights[k]);
            _grads.Add(ActiveGradients[k]);
            if (_momentum != 0)
            {
                _buffers.Add(State("momentum_buffer", i));
            }
        }

        if (_weights.Count > 0)
        {
            Aten.FusedSgd(_weights, _grads, _buffers, Lr, _weightDecay, _momentum, _dampening, _nesterov, _maximize, firstStep);
        }
    }
}
