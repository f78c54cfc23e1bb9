using TuneSharp.Backend;
using TuneSharp.Kernels;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>Causal attention with rotary positions and shared key/value heads (MHA, GQA and MQA alike).</summary>
/// <remarks>
/// Papers: https://arxiv.org/abs/1706.03762, https://arxiv.org/abs/2305.13245. State-dict keys <c>q_proj</c>, <c>k_proj</c>, <c>v_proj</c>,
/// <c>output_proj</c>. The projections are given, so LoRA is another argument and not another attention.
/// Letters: B rows, T new tokens, S all tokens, D width, N query heads, K key heads, H head width.
/// </remarks>
public sealed class MultiHeadAttention : Module<Tensor, AttentionContext, Tensor>
{
    [ComponentName(Name = "q_proj")]
    private readonly Linear _qProj;

    [ComponentName(Name = "k_proj")]
    private readonly Linear _kProj;

    [ComponentName(Name = "v_proj")]
    private readonly Linear _vProj;

    [ComponentName(Name = "output_proj")]
    private readonly Linear _outputProj;

    private readonly int _layer;
    private readonly long _headDim;
    private readonly double _dropout;

    /// <summary>Builds the attention of one layer.</summary>
    /// <param name="layer">The layer's number, which is its place in the KV cache.</param>
    /// <param name="headDim">Head width.</param>
    /// <param name="qProj">D to N·H.</param>
    /// <param name="kProj">D to K·H.</param>
    /// <param name="vProj">D to K·H.</param>
    /// <param name="outputProj">N·H to D.</param>
    /// <param name="dropout">Dropout rate on attention weights while training.</param>
    public MultiHeadAttention(
        int layer, long headDim, Linear qProj, Linear kProj, Linear vProj, Linear outputProj, double dropout = 0)
        : base(nameof(MultiHeadAttention))
    {
        (_layer, _headDim, _dropout) = (layer, headDim, dropout);
        (_qProj, _kProj, _vProj, _outputProj) = (qProj, kProj, vProj, outputProj);
        RegisterComponents();
    }

    /// <summary>Attends.</summary>
    /// <param name="x">[B, T, D].</param>
    /// <param name="context">Positions, mask, cache.</param>
    /// <returns>[B, T, D].</returns>
    public override Tensor forward(Tensor x, AttentionContext context)
    {
        using DisposeScope scope = NewDisposeScope();
        (long b, long t) = (x.shape[0], x.shape[1]);
        Tensor Heads(Tensor y) => y.reshape(b, t, -1, _headDim);

        double dropout = training ? _dropout : 0;
        Tensor q_BTNH = Heads(_qProj.forward(x));
        Tensor k_BTKH = Heads(_kProj.forward(x));
        Tensor v_BTKH = Heads(_vProj.forward(x));
        if (context is { Mask: null, Cache: null } && dropout == 0 && FusedAttention.Fits(q_BTNH, k_BTKH, v_BTKH))
        {
            Tensor y_BTNH = FusedAttention.Apply(q_BTNH, k_BTKH, v_BTKH, context.Angles, context.SeqLens);
            return _outputProj.forward(y_BTNH.reshape(b, t, -1)).MoveToOuterDisposeScope();
        }

        Tensor q_BNTH = Rope.Apply(q_BTNH, context.Angles).transpose(1, 2);
        Tensor k_BKTH = Rope.Apply(k_BTKH, context.Angles).transpose(1, 2);
        Tensor v_BKTH = v_BTKH.transpose(1, 2);
        bool causal = true;
        if (context.Cache is { } cache)
        {
            causal = cache.Length == 0;
            (k_BKTH, v_BKTH) = cache.Append(_layer, k_BKTH, v_BKTH);
        }

        Tensor y_BNTH = Attention.Attend(q_BNTH, k_BKTH, v_BKTH, context, causal, dropout);
        return _outputProj.forward(y_BNTH.transpose(1, 2).reshape(b, t, -1)).MoveToOuterDisposeScope();
    }
}

/// <summary>The attention product, by whichever of libtorch's ways fits the mask.</summary>
internal static class Attention
{
    /// <summary>softmax(q·kᵀ/√H under the mask)·v.</summary>
    public static Tensor Attend(Tensor q_BNTH, Tensor k_BKSH, Tensor v_BKSH, AttentionContext context, bool causal, double dropout)
    {
        bool grouped = q_BNTH.shape[1] != k_BKSH.shape[1];
        if (context.Mask is { } mask)
        {
            return Aten.ScaledDotProductAttention(q_BNTH, k_BKSH, v_BKSH, mask, causal: false, null, dropout, grouped);
        }

        if (context.SeqLens is { } seqLens)
        {
            return AttendPacked(q_BNTH, k_BKSH, v_BKSH, seqLens, dropout, grouped);
        }

        // One new token sees everything before it: no mask is needed then.
        bool triangle = causal && q_BNTH.shape[2] > 1;
        return Aten.ScaledDotProductAttention(q_BNTH, k_BKSH, v_BKSH, null, triangle, null, dropout, grouped);
    }

    /// <summary>
    /// Whether packed rows are attended under one mask rather than sample by sample: on a GPU each sample would be a launch; the
    /// CPU's kernel takes the lengths as they are.
    /// </summary>
    public static bool PrefersMask(Device device) => device.type != DeviceType.CPU;

    /// <summary>Says when the packed samples do not fill their rows.</summary>
    public static void CheckSeqLens(IReadOnlyList<int[]> seqLens, long rows, long length)
    {
        if (seqLens.Count != rows)
        {
            throw new ArgumentException($"There are lengths of packed samples for {seqLens.Count} rows, the batch has {rows}.");
        }

        for (int row = 0; row < seqLens.Count; row++)
        {
            long packed = seqLens[row].Sum(n => (long)n);
            if (packed != length)
            {
                throw new ArgumentException(
                    $"The samples packed into row {row} have {packed} tokens together, the row has {length}. They must be equal.");
            }
        }
    }

    /// <summary>True where a query may look: at earlier tokens of its own sample. [B, 1, T, T].</summary>
    public static Tensor BlockCausalMask(IReadOnlyList<int[]> seqLens, long length, Device device)
    {
        using DisposeScope scope = NewDisposeScope();
        long[] sampleOf = new long[seqLens.Count * length];
        for (int row = 0; row < seqLens.Count; row++)
        {
            long at = row * length;
            for (int i = 0; i < seqLens[row].Length; i++)
            {
                sampleOf.AsSpan((int)at, seqLens[row][i]).Fill(i);
                at += seqLens[row][i];
            }
        }

        Tensor sample_BT = tensor(sampleOf).reshape(seqLens.Count, length).to(device);
        Tensor same_BTT = sample_BT.unsqueeze(2).eq(sample_BT.unsqueeze(1));
        return same_BTT.logical_and_(ones([length, length], ScalarType.Bool, device).tril()).unsqueeze(1).MoveToOuterDisposeScope();
    }

    /// <summary>Each packed sample by itself: work grows with Σ length², and no T×T mask exists.</summary>
    private static Tensor AttendPacked(
        Tensor q_BNTH, Tensor k_BKTH, Tensor v_BKTH, IReadOnlyList<int[]> seqLens, double dropout, bool grouped)
    {
        using DisposeScope scope = NewDisposeScope();
        List<Tensor> rows = [];
        for (int row = 0; row < seqLens.Count; row++)
        {
            List<Tensor> parts = [];
            long start = 0;
            foreach (int length in seqLens[row])
            {
                Tensor Part(Tensor t) => t.narrow(0, row, 1).narrow(2, start, length);
                parts.Add(Aten.ScaledDotProductAttention(
                    Part(q_BNTH), Part(k_BKTH), Part(v_BKTH), null, causal: true, null, dropout, grouped));
                start += length;
            }

            rows.Add(cat(parts, 2));
        }

        return cat(rows, 0).MoveToOuterDisposeScope();
    }
}
