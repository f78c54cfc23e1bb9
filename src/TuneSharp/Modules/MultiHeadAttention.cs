using TuneSharp.Backend;
using TuneSharp.Kernels;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>Causal attention with rotary positions and shared key/value heads (MHA, GQA and MQA alike).</summary>
/// <remarks>
/// Papers: https://arxiv.org/abs/1706.03762, https://arxiv.org/abs/2305.13245. State-dict keys <c>q_proj</c>, <c>k_proj</c>, <c>v_proj</c>,
/// <c>output_proj</c>, and where a family has them <c>q_norm</c>, <c>k_norm</c>, <c>sinks</c>. The projections are given, so LoRA is
/// another argument and not another attention. What a query sees comes with the <see cref="AttentionContext"/> of the layer's kind.
/// Letters: B rows, T new tokens, S all tokens, D width, N query heads, K key heads, H head width.
/// </remarks>
public sealed class MultiHeadAttention : Module<Tensor, AttentionContext, Tensor>
{
    private static readonly AttentionOptions Plain = new();

    [ComponentName(Name = "q_proj")]
    private readonly Linear _qProj;

    [ComponentName(Name = "k_proj")]
    private readonly Linear _kProj;

    [ComponentName(Name = "v_proj")]
    private readonly Linear _vProj;

    [ComponentName(Name = "output_proj")]
    private readonly Linear _outputProj;

    [ComponentName(Name = "q_norm")]
    private readonly RmsNorm? _qNorm;

    [ComponentName(Name = "k_norm")]
    private readonly RmsNorm? _kNorm;

    [ComponentName(Name = "sinks")]
    private readonly Parameter? _sinks;

    private readonly int _layer;
    private readonly long _headDim;
    private readonly AttentionOptions _options;

    /// <summary>Builds the attention of one layer.</summary>
    /// <param name="layer">The layer's number, which is its place in the KV cache.</param>
    /// <param name="headDim">Head width.</param>
    /// <param name="qProj">D to N·H.</param>
    /// <param name="kProj">D to K·H.</param>
    /// <param name="vProj">D to K·H.</param>
    /// <param name="outputProj">N·H to D.</param>
    /// <param name="qNorm">Norm of the queries before the rotation: as wide as a head for each by itself, or N·H for all at once; or null.</param>
    /// <param name="kNorm">The same for the keys.</param>
    /// <param name="options">Departures from the plain softmax.</param>
    public MultiHeadAttention(
        int layer, long headDim, Linear qProj, Linear kProj, Linear vProj, Linear outputProj, RmsNorm? qNorm = null, RmsNorm? kNorm = null,
        AttentionOptions? options = null)
        : base(nameof(MultiHeadAttention))
    {
        (_layer, _headDim, _options) = (layer, headDim, options ?? Plain);
        (_qProj, _kProj, _vProj, _outputProj, _qNorm, _kNorm) = (qProj, kProj, vProj, outputProj, qNorm, kNorm);
        _sinks = _options.Sinks
            ? BuildScope.NewParameter(s => s.normal_(0, Linear.InitStd), always: false, qProj.OutDim / headDim)
            : null;
        RegisterComponents();
    }

    /// <summary>Whether the kernels on a GPU can attend as this layer does.</summary>
    internal bool FitsKernels => _options is { IsPlainSoftmax: true, NormAfterRope: null }
        && (_options.Dropout == 0 || !training) && GpuAttention.FitsWidth(_headDim);

    /// <summary>The layer as the fused one sees it; null where that cannot run a part of it.</summary>
    internal LayerParts? Parts(RmsNorm attentionNorm, RmsNorm mlpNorm, FeedForward mlp)
    {
        bool perHead = (_qNorm is null || _qNorm.Dim == _headDim) && (_kNorm is null || _kNorm.Dim == _headDim);
        if (!perHead || !FitsKernels || mlp.Parts() is not { } gated
            || (_qProj.Part(), _kProj.Part(), _vProj.Part(), _outputProj.Part()) is not ({ } q, { } k, { } v, { } output))
        {
            return null;
        }

        return new LayerParts
        {
            AttentionNorm = attentionNorm.Part, MlpNorm = mlpNorm.Part, QNorm = _qNorm?.Part, KNorm = _kNorm?.Part,
            Q = q, K = k, V = v, Output = output, Gate = gated.Gate, Up = gated.Up, Down = gated.Down, Gelu = gated.Gelu,
            HeadDim = _headDim, Scale = _options.Scale ?? 1 / Math.Sqrt(_headDim),
        };
    }

    /// <summary>Attends.</summary>
    /// <param name="x">[B, T, D].</param>
    /// <param name="context">Positions, mask, cache.</param>
    /// <returns>[B, T, D].</returns>
    public override Tensor forward(Tensor x, AttentionContext context)
    {
        using DisposeScope scope = NewDisposeScope();
        (long b, long t) = (x.shape[0], x.shape[1]);
        double dropout = training ? _options.Dropout : 0;
        Tensor q_BTNH = Heads(_qProj.forward(x), _qNorm);
        Tensor k_BTKH = Heads(_kProj.forward(x), _kNorm);
        Tensor v_BTKH = Heads(_vProj.forward(x), null);
        if (context.QueryScale is { } factors)
        {
            q_BTNH = (q_BTNH * factors).to(q_BTNH.dtype); // turning and scaling commute
        }

        if (context.Plan is { } plan && FitsKernels && GpuAttention.Fits(q_BTNH, k_BTKH, v_BTKH))
        {
            Tensor y_BTNH = GpuAttention.Apply(q_BTNH, k_BTKH, v_BTKH, context.Angles, plan, _options.Scale);
            return _outputProj.forward(y_BTNH.reshape(b, t, -1)).MoveToOuterDisposeScope();
        }

        if (context is { Mask: null, Cache: null, Causal: true } && dropout == 0 && _options is { IsPlainSoftmax: true, NormAfterRope: null }
            && FusedAttention.Fits(q_BTNH, k_BTKH, v_BTKH))
        {
            Tensor y_BTNH = FusedAttention.Apply(q_BTNH, k_BTKH, v_BTKH, context.Angles, context.SeqLens, _options.Scale);
            return _outputProj.forward(y_BTNH.reshape(b, t, -1)).MoveToOuterDisposeScope();
        }

        Tensor q_BNTH = Turned(q_BTNH, context.Angles).transpose(1, 2);
        Tensor k_BKTH = Turned(k_BTKH, context.Angles).transpose(1, 2);
        Tensor v_BKTH = v_BTKH.transpose(1, 2);
        bool causal = context.Causal;
        if (context.Cache is { } cache)
        {
            causal = cache.Length == 0;
            (k_BKTH, v_BKTH) = cache.Append(_layer, k_BKTH, v_BKTH);
        }

        Tensor y_BNTH = Attention.Attend(q_BNTH, k_BKTH, v_BKTH, context, causal, dropout, _options, _sinks);
        return _outputProj.forward(y_BNTH.transpose(1, 2).reshape(b, t, -1)).MoveToOuterDisposeScope();
    }

    /// <summary>Splits a projection into heads, [B, T, N, H], normed where the family does that.</summary>
    private Tensor Heads(Tensor y, RmsNorm? norm)
    {
        bool whole = norm is not null && norm.Dim != _headDim;
        Tensor heads = (whole ? norm!.forward(y) : y).reshape(y.shape[0], y.shape[1], -1, _headDim);
        return norm is null || whole ? heads : norm.forward(heads);
    }

    /// <summary>Rotated, and then normed where the family does that. A layer that turns nothing norms nothing either (Llama 4).</summary>
    private Tensor Turned(Tensor x, Tensor? angles)
    {
        if (angles is null)
        {
            return x;
        }

        Tensor turned = Rope.Apply(x, angles);
        return _options.NormAfterRope is { } eps ? Aten.RmsNorm(turned, null, eps) : turned;
    }
}
