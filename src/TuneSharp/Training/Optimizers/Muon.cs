using System.Globalization;
using TuneSharp.Config;

namespace TuneSharp.Training.Optimizers;

/// <summary>Momentum whose update is made orthogonal: every direction of a matrix moves by the same amount.</summary>
/// <remarks>
/// https://kellerjordan.github.io/posts/muon. <c>torch.optim.Muon</c>; matrices only; state: momentum_buffer. The Newton-Schulz
/// steps run in bf16, as torch's.
/// </remarks>
[Component("torch.optim.Muon")]
public sealed class Muon : PerWeightOptimizer
{
    private readonly double _weightDecay;
    private readonly double _momentum;
    private readonly bool _nesterov;
    private readonly double[] _coefficients;
    private readonly double _eps;
    private readonly int _nsSteps;
    private readonly bool _matchAdam;

    /// <summary>Creates it.</summary>
    /// <param name="parameters">What it trains; each of two dimensions.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="weightDecay">Each step multiplies a weight by 1 - lr·decay first.</param>
    /// <param name="momentum">Decay of the momentum buffer.</param>
    /// <param name="nesterov">Look one step ahead.</param>
    /// <param name="nsCoefficients">The three coefficients of the Newton-Schulz polynomial; null for (3.4445, -4.775, 2.0315).</param>
    /// <param name="eps">Lowest norm that the update is divided by.</param>
    /// <param name="nsSteps">Newton-Schulz steps, below 100.</param>
    /// <param name="adjustLrFn"><c>original</c> (or null) scales tall matrices by √(R/C); <c>match_rms_adamw</c> by 0.2·√max(R, C).</param>
    public Muon(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double weightDecay = 0.1, double momentum = 0.95,
        bool nesterov = true, double[]? nsCoefficients = null, double eps = 1e-7, int nsSteps = 5, string? adjustLrFn = null)
        : base(parameters, lr, l2: 0, maximize: false)
    {
        nsCoefficients ??= [3.4445, -4.7750, 2.0315];
        string given = $"[{string.Join(", ", nsCoefficients.Select(c => c.ToString(CultureInfo.InvariantCulture)))}]";
        Require(weightDecay >= 0, "weight_decay", weightDecay, "at least 0");
        Require(momentum >= 0, nameof(momentum), momentum, "at least 0");
        Require(nsCoefficients.Length == 3, "ns_coefficients", given, "three numbers");
        Require(nsSteps is >= 0 and < 100, "ns_steps", nsSteps, "from 0 to 99");
        Require(adjustLrFn is null or "original" or "match_rms_adamw", "adjust_lr_fn", adjustLrFn, "original or match_rms_adamw");
        foreach (NamedParameter parameter in parameters.Where(p => p.Value.ndim != 2))
        {
            throw new ArgumentException(
                $"Muon: {parameter.Name} has shape [{string.Join(", ", parameter.Value.shape)}]; Muon trains matrices only. " +
                "Train LoRA adapters with it, or use torch.optim.AdamW for the whole model.");
        }

        (_weightDecay, _momentum, _nesterov, _coefficients) = (weightDecay, momentum, nesterov, nsCoefficients);
        (_eps, _nsSteps, _matchAdam) = (eps, nsSteps, adjustLrFn == "match_rms_adamw");
    }

    private protected override bool CountsSteps => false;

    private protected override void CreateState(int index, Tensor weight) => Add("momentum_buffer", index, zeros_like(weight));

    private protected override long StateBytesOf(Tensor weight) => BytesOf(weight);

    private protected override void Update(int index, Tensor weight, Tensor grad)
    {
        Tensor buffer = State("momentum_buffer", index);
        Average(buffer, grad, _momentum);
        Tensor update = _nesterov ? grad.mul(1 - _momentum).add_(buffer, _momentum) : buffer;
        update = Orthogonal(update);
        (double rows, double columns) = (weight.shape[0], weight.shape[1]);
        double adjust = _matchAdam ? 0.2 * Math.Sqrt(Math.Max(rows, columns)) : Math.Sqrt(Math.Max(1, rows / columns));
        weight.mul_(1 - (Lr * _weightDecay));
        weight.add_(update.to(weight.dtype), -Lr * adjust);
    }

    /// <summary>The nearest matrix with all singular values about 1, by a fifth-degree polynomial of the matrix.</summary>
    private Tensor Orthogonal(Tensor update_RC)
    {
        bool tall = update_RC.shape[0] > update_RC.shape[1];
        Tensor x = update_RC.to(bfloat16);
        x = tall ? x.t() : x;
        x = x.div(x.norm().clamp_min(_eps));
        for (int i = 0; i < _nsSteps; i++)
        {
            Tensor gram = mm(x, x.t());
            Tensor polynomial = addmm(gram, gram, gram, (float)_coefficients[1], (float)_coefficients[2]);
            x = addmm(x, polynomial, x, (float)_coefficients[0], 1);
        }

        return tall ? x.t() : x;
    }
}
