using TuneSharp.Kernels;

namespace TuneSharp.Modules.Moe;

/// <summary>The router's auxiliary loss: E · Σₑ (share of rows that chose e) · (mean probability of e), over all layers together.</summary>
/// <remarks>
/// Paper: https://arxiv.org/abs/2101.03961, as transformers computes it: rows of all layers are one set, and the shares of the K slots are
/// summed, so that it is about K when experts are evenly used. The shares of all layers are known only when the last has run, and with
/// activation checkpointing a layer's graph exists only while its gradient is computed. So each router's scores pass through a function
/// that is the identity forwards and adds the loss's gradient backwards; by then everything it needs has been counted.
/// Not thread-safe: a model has one.
/// </remarks>
/// <param name="coefficient">Weight of the loss in training; 0 for none.</param>
public sealed class RouterBalance(double coefficient)
{
    private bool _counting;
    private long _rows;
    private Tensor? _chosen_E;
    private Tensor? _probability_E;
    private Tensor? _upstream;

    /// <summary>Weight of the loss in training.</summary>
    public double Coefficient { get; } = coefficient;

    /// <summary>Whether forward passes count. Default: when the loss has weight.</summary>
    public bool Enabled { get; set; } = coefficient > 0;

    /// <summary>The loss of the last forward pass, its gradient reaching all routers when that of <paramref name="hidden"/> is computed.</summary>
    /// <param name="hidden">What that pass gave: its gradient comes before those of all layers.</param>
    /// <returns>A fp32 scalar.</returns>
    /// <exception cref="InvalidOperationException">Nothing was counted.</exception>
    public Tensor Loss(Tensor hidden)
    {
        if (_chosen_E is null || _probability_E is null)
        {
            throw new InvalidOperationException("No router was counted: set Enabled before the forward pass.");
        }

        using DisposeScope scope = NewDisposeScope();
        Tensor value = (_chosen_E * _probability_E).sum() * ((double)_chosen_E.shape[0] / _rows / _rows);
        return (is_grad_enabled() && hidden.requires_grad ? LossFunction.apply(hidden, value, this) : value).MoveToOuterDisposeScope();
    }

    /// <summary>Begins to count a forward pass, until the result is disposed.</summary>
    internal IDisposable? Forward()
    {
        if (!Enabled)
        {
            return null;
        }

        foreach (Tensor? old in (Tensor?[])[_chosen_E, _probability_E, _upstream])
        {
            old?.Dispose();
        }

        (_chosen_E, _probability_E, _upstream, _rows, _counting) = (null, null, null, 0, true);
        return new Counting(this);
    }

    /// <summary>The same scores, through which the loss's gradient comes in.</summary>
    internal Tensor Watch(Tensor scores_TE) =>
        Enabled && is_grad_enabled() && scores_TE.requires_grad ? ScoreFunction.apply(scores_TE, this) : scores_TE;

    /// <summary>Counts one layer. A layer that runs again for its gradient is not counted again.</summary>
    internal void Count(Tensor scores_TE, Tensor ids_TK)
    {
        if (!_counting)
        {
            return;
        }

        using IDisposable off = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Tensor probability_E = scores_TE.detach().softmax(-1, ScalarType.Float32).sum(dim: 0);
        Tensor chosen_E = zeros_like(probability_E);
        foreach (Tensor ids_T in ids_TK.unbind(1))
        {
            chosen_E = chosen_E + ids_T.unsqueeze(1).eq(arange(chosen_E.shape[0], ScalarType.Int64, ids_T.device)).sum(dim: 0).to(ScalarType.Float32);
        }

        Add(ref _chosen_E, chosen_E);
        Add(ref _probability_E, probability_E);
        _rows += scores_TE.shape[0];
    }

    private static void Add(ref Tensor? sum, Tensor more)
    {
        if (sum is null)
        {
            sum = more.DetachFromDisposeScope();
        }
        else
        {
            sum.add_(more);
        }
    }

    /// <summary>dL/dscore of every row, [T, E].</summary>
    private Tensor Gradient(Tensor scores_TE, Tensor upstream)
    {
        Tensor p_TE = scores_TE.softmax(-1, ScalarType.Float32);
        Tensor g_E = _chosen_E! * ((double)_chosen_E!.shape[0] / _rows / _rows) * upstream;
        return (p_TE * (g_E - (p_TE * g_E).sum(dim: -1, keepdim: true))).to(scores_TE.dtype);
    }

    private sealed class Counting(RouterBalance owner) : IDisposable
    {
        public void Dispose() => owner._counting = false;
    }

    private sealed class ScoreFunction : autograd.SingleTensorFunction<ScoreFunction>
    {
        public override string Name => nameof(ScoreFunction);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            Tensor scores = (Tensor)vars[0];
            ctx.save_for_backward([scores]);
            ctx.save_data("balance", vars[1]);
            return scores.alias();
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient)
        {
            RouterBalance balance = (RouterBalance)ctx.get_data("balance");
            return BackwardErrors.Guard(2, ctx, gradient, saved =>
                [balance._upstream is { } upstream ? gradient + balance.Gradient(saved[0], upstream) : gradient.alias(), null!]);
        }
    }

    private sealed class LossFunction : autograd.SingleTensorFunction<LossFunction>
    {
        public override string Name => nameof(LossFunction);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            ctx.save_for_backward([(Tensor)vars[0]]);
            ctx.save_data("balance", vars[2]);
            return ((Tensor)vars[1]).clone();
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient)
        {
            RouterBalance balance = (RouterBalance)ctx.get_data("balance");
            return BackwardErrors.Guard(3, ctx, gradient, saved =>
            {
                balance._upstream?.Dispose();
                balance._upstream = gradient.clone().DetachFromDisposeScope();
                return [zeros_like(saved[0]), null!, null!];
            });
        }
    }
}
