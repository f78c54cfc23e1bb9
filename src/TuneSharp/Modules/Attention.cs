using TuneSharp.Backend;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>The attention product, by whichever of libtorch's ways fits the mask.</summary>
/// <remarks>Letters: B rows, T new tokens, S all tokens, N query heads, K key heads, G = N/K, H head width.</remarks>
internal static class Attention
{
    /// <summary>softmax(q·kᵀ·scale under the mask)·v, capped and with sinks where the options say so.</summary>
    public static Tensor Attend(
        Tensor q_BNTH, Tensor k_BKSH, Tensor v_BKSH, AttentionContext context, bool causal, double dropout,
        AttentionOptions? options = null, Tensor? sinks = null)
    {
        bool grouped = q_BNTH.shape[1] != k_BKSH.shape[1];
        double? scale = options?.Scale;
        if (options is { IsPlainSoftmax: false })
        {
            return Written(q_BNTH, k_BKSH, v_BKSH, context, causal, dropout, options, sinks);
        }

        if (context.Mask is { } mask)
        {
            return Aten.ScaledDotProductAttention(q_BNTH, k_BKSH, v_BKSH, mask, causal: false, scale, dropout, grouped);
        }

        if (context.SeqLens is { } seqLens)
        {
            return AttendPacked(q_BNTH, k_BKSH, v_BKSH, seqLens, scale, dropout, grouped);
        }

        // One new token sees everything before it: no mask is needed then.
        bool triangle = causal && q_BNTH.shape[2] > 1;
        return Aten.ScaledDotProductAttention(q_BNTH, k_BKSH, v_BKSH, null, triangle, scale, dropout, grouped);
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
        Tensor same_B1TT = BlockMask(seqLens, length, device);
        return same_B1TT.logical_and_(ones([length, length], ScalarType.Bool, device).tril()).MoveToOuterDisposeScope();
    }

    /// <summary>True where a query may look: at all tokens of its own sample. [B, 1, T, T].</summary>
    public static Tensor BlockMask(IReadOnlyList<int[]> seqLens, long length, Device device)
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
        return sample_BT.unsqueeze(2).eq(sample_BT.unsqueeze(1)).unsqueeze(1).MoveToOuterDisposeScope();
    }

    /// <summary>The formula term by term: what no kernel computes. Scores are capped before they are masked, as the models were trained.</summary>
    private static Tensor Written(
        Tensor q_BNTH, Tensor k_BKSH, Tensor v_BKSH, AttentionContext context, bool causal, double dropout, AttentionOptions options,
        Tensor? sinks)
    {
        using DisposeScope scope = NewDisposeScope();
        (long b, long n, long t, long h) = (q_BNTH.shape[0], q_BNTH.shape[1], q_BNTH.shape[2], q_BNTH.shape[3]);
        (long k, long s) = (k_BKSH.shape[1], k_BKSH.shape[2]);
        Tensor q_BKGTH = q_BNTH.reshape(b, k, n / k, t, h);
        Tensor scores_BNTS = Aten.Matmul(q_BKGTH, k_BKSH.unsqueeze(2).transpose(-1, -2)).reshape(b, n, t, s) * (options.Scale ?? 1 / Math.Sqrt(h));
        if (options.SoftCap is { } cap)
        {
            scores_BNTS = (scores_BNTS / cap).tanh() * cap;
        }

        Tensor? mask = context.Mask
            ?? (context.SeqLens is { } seqLens ? BlockCausalMask(seqLens, t, q_BNTH.device)
            : causal && t > 1 ? ones([t, s], ScalarType.Bool, q_BNTH.device).tril() : null);
        if (mask is not null)
        {
            scores_BNTS = scores_BNTS.masked_fill(mask.logical_not(), double.NegativeInfinity);
        }

        if (sinks is not null)
        {
            scores_BNTS = cat([scores_BNTS, sinks.to(scores_BNTS.dtype).reshape(1, -1, 1, 1).expand(b, n, t, 1)], -1);
        }

        Tensor weights_BNTS = scores_BNTS.softmax(-1, ScalarType.Float32).to(v_BKSH.dtype);
        if (sinks is not null)
        {
            weights_BNTS = weights_BNTS.narrow(-1, 0, s);
        }

        if (dropout > 0)
        {
            weights_BNTS = functional.dropout(weights_BNTS, dropout, training: true);
        }

        Tensor y_BKGTH = Aten.Matmul(weights_BNTS.reshape(b, k, n / k, t, s), v_BKSH.unsqueeze(2));
        return y_BKGTH.reshape(b, n, t, -1).MoveToOuterDisposeScope();
    }

    /// <summary>Each packed sample by itself: work grows with Σ length², and no T×T mask exists.</summary>
    private static Tensor AttendPacked(
        Tensor q_BNTH, Tensor k_BKTH, Tensor v_BKTH, IReadOnlyList<int[]> seqLens, double? scale, double dropout, bool grouped)
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
                    Part(q_BNTH), Part(k_BKTH), Part(v_BKTH), null, causal: true, scale, dropout, grouped));
                start += length;
            }

            rows.Add(cat(parts, 2));
        }

        return cat(rows, 0).MoveToOuterDisposeScope();
    }
}
