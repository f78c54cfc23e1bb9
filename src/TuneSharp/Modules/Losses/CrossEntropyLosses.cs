using TuneSharp.Config;
using TuneSharp.Kernels;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules.Losses;

/// <summary>Cross-entropy that applies the head chunk by chunk: at no time are all logits in memory.</summary>
/// <remarks>
/// torchtune counterpart: <c>torchtune/modules/loss/cross_entropy_loss.py</c>. Ignored positions are dropped before the head.
/// While a plain head is used, gradients are computed in the forward sweep and only dX (and dW) is kept: see
/// <see cref="Kernels.LinearCrossEntropy"/>. A head with adapters goes through autograd.
/// </remarks>
[Component("torchtune.modules.loss.LinearCrossEntropyLoss")]
public sealed class LinearCrossEntropyLoss : ILoss
{
    private readonly int _numOutputChunks;
    private readonly SoftmaxLossOptions _options;

    /// <summary>Builds the loss.</summary>
    /// <param name="numOutputChunks">Pieces that the positions are cut into.</param>
    /// <param name="ignoreIndex">The label that does not count.</param>
    /// <param name="tpEnabled">Part of torchtune's signature; tensor parallelism comes later and must be off.</param>
    /// <param name="maskIgnoredTokens">Drop ignored positions before the head. The result is the same.</param>
    /// <param name="labelSmoothing">Share of the target spread over the whole vocabulary, in [0, 1).</param>
    /// <param name="zLoss">λ: adds λ·(log Σe^z)² for each position; 0 for none.</param>
    public LinearCrossEntropyLoss(
        int numOutputChunks = 8, int ignoreIndex = -100, bool tpEnabled = false, bool maskIgnoredTokens = true,
        double labelSmoothing = 0, double zLoss = 0)
    {
        if (numOutputChunks < 1)
        {
            throw new ArgumentException($"num_output_chunks is {numOutputChunks}; it must be at least 1.");
        }

        if (tpEnabled)
        {
            throw new ArgumentException("tp_enabled: tensor parallelism is not available in this version. Set it to False.");
        }

        _options = new SoftmaxLossOptions(0, labelSmoothing, zLoss).Checked();
        (_numOutputChunks, IgnoreIndex, _) = (numOutputChunks, ignoreIndex, maskIgnoredTokens);
    }

    /// <inheritdoc/>
    public int IgnoreIndex { get; }

    /// <summary>Ignored positions go through the head too: the work is the same whatever the labels, and nothing waits for their number.</summary>
    internal bool FixedShape { get; set; }

    /// <summary>Whether <see cref="FixedShape"/> can be: a plain head on a GPU.</summary>
    internal static bool FitsFixedShape(TransformerDecoder model, Tensor hidden) =>
        model.HasPlainHead && model.OutputWeight is not QuantizedParameter && LinearCrossEntropy.FitsIgnored(hidden, model.OutputWeight);

    /// <inheritdoc/>
    public Tensor Sum(TransformerDecoder model, Tensor hidden, Tensor labels)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor flat_ND = hidden.reshape(-1, hidden.shape[^1]);
        Tensor targets_N = labels.reshape(-1);
        if (FixedShape && FitsFixedShape(model, flat_ND))
        {
            SoftmaxLossOptions fixedOptions = _options with { SoftCap = model.Shape.LogitSoftCap ?? 0 };
            return LinearCrossEntropy.Sum(flat_ND, model.DenseOutputWeight, targets_N, _numOutputChunks, fixedOptions, IgnoreIndex).MoveToOuterDisposeScope();
        }

        Tensor learned = targets_N.ne(IgnoreIndex).nonzero().squeeze(-1);
        if (learned.shape[0] == 0)
        {
            // Still part of the graph, so that backward() works on it.
            return (hidden.to(ScalarType.Float32).sum() * 0).MoveToOuterDisposeScope();
        }

        Tensor h_MD = flat_ND.index_select(0, learned);
        Tensor t_M = targets_N.index_select(0, learned);
        SoftmaxLossOptions options = _options with { SoftCap = model.Shape.LogitSoftCap ?? 0 };
        Tensor sum = !model.HasPlainHead
            ? SumThroughAutograd(model, h_MD, t_M, _numOutputChunks, options)
            : LinearCrossEntropy.Sum(h_MD, model.DenseOutputWeight, t_M, _numOutputChunks, options);
        return sum.MoveToOuterDisposeScope();
    }

    /// <summary>The obvious way, for heads with adapters, and the twin that the fast way is tested against.</summary>
    internal static Tensor SumThroughAutograd(TransformerDecoder model, Tensor h_MD, Tensor t_M, int chunks, SoftmaxLossOptions options = default)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor sum = zeros([], ScalarType.Float32, h_MD.device);
        Tensor[] parts = h_MD.chunk(chunks);
        Tensor[] targets = t_M.chunk(chunks);
        for (int i = 0; i < parts.Length; i++)
        {
            Tensor z_CV = model.Unembed(parts[i]);
            sum = sum + functional.cross_entropy(z_CV, targets[i], reduction: Reduction.Sum, label_smoothing: options.LabelSmoothing);
            if (options.ZLoss > 0)
            {
                sum = sum + (z_CV.logsumexp(1).square().sum() * options.ZLoss);
            }
        }

        return sum.MoveToOuterDisposeScope();
    }
}

/// <summary>Plain cross-entropy over all logits at once.</summary>
/// <remarks>The name is PyTorch's; torchtune's <c>CEWithChunkedOutputLoss</c> is <see cref="CEWithChunkedOutputLoss"/>.</remarks>
[Component("torch.nn.CrossEntropyLoss")]
public sealed class CrossEntropyLoss : ILoss
{
    private readonly double _labelSmoothing;

    /// <summary>Builds the loss.</summary>
    /// <param name="ignoreIndex">The label that does not count.</param>
    /// <param name="labelSmoothing">Share of the target spread over all classes, from 0 to 1.</param>
    public CrossEntropyLoss(int ignoreIndex = -100, double labelSmoothing = 0)
    {
        if (labelSmoothing is < 0 or > 1)
        {
            throw new ArgumentException(FormattableString.Invariant($"label_smoothing is {labelSmoothing}; it must lie in [0, 1]."));
        }

        (IgnoreIndex, _labelSmoothing) = (ignoreIndex, labelSmoothing);
    }

    /// <inheritdoc/>
    public int IgnoreIndex { get; }

    /// <inheritdoc/>
    public Tensor Sum(TransformerDecoder model, Tensor hidden, Tensor labels)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor logits_NV = model.Unembed(hidden.reshape(-1, hidden.shape[^1]));
        return functional.cross_entropy(
            logits_NV, labels.reshape(-1), ignore_index: IgnoreIndex, reduction: Reduction.Sum, label_smoothing: _labelSmoothing)
            .MoveToOuterDisposeScope();
    }
}

/// <summary>torchtune's older chunked loss, kept for its configs: the same numbers as <see cref="LinearCrossEntropyLoss"/>.</summary>
[Component("torchtune.modules.loss.CEWithChunkedOutputLoss")]
public sealed class CEWithChunkedOutputLoss : ILoss
{
    private readonly LinearCrossEntropyLoss _loss;

    /// <summary>Builds the loss.</summary>
    /// <param name="numOutputChunks">Pieces that the positions are cut into.</param>
    /// <param name="ignoreIndex">The label that does not count.</param>
    public CEWithChunkedOutputLoss(int numOutputChunks = 8, int ignoreIndex = -100) =>
        _loss = new LinearCrossEntropyLoss(numOutputChunks, ignoreIndex);

    /// <inheritdoc/>
    public int IgnoreIndex => _loss.IgnoreIndex;

    /// <inheritdoc/>
    public Tensor Sum(TransformerDecoder model, Tensor hidden, Tensor labels) => _loss.Sum(model, hidden, labels);
}
