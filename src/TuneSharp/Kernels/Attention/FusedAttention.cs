using TuneSharp.Backend;

namespace TuneSharp.Kernels;

/// <summary>Rotary positions and causal attention in one kernel on the CPU.</summary>
/// <remarks>
/// Saves q, k and v as the projections gave them, the result, and one number a row; the rotated copies never exist outside the tiles.
/// Twin: <c>Rope.Apply</c>, then libtorch's <c>scaled_dot_product_attention</c>.
/// </remarks>
internal static class FusedAttention
{
    /// <summary>Whether <see cref="Apply"/> can take these.</summary>
    /// <param name="q">[B, T, N, H].</param>
    /// <param name="k">[B, T, K, H].</param>
    /// <param name="v">[B, T, K, H].</param>
    public static bool Fits(Tensor q, Tensor k, Tensor v) =>
        KernelChoice.Fused && KernelChoice.FitsCpu(q) && KernelChoice.FitsCpu(k) && KernelChoice.FitsCpu(v)
        && q.dtype == k.dtype && q.dtype == v.dtype && q.shape[3] % 16 == 0 && q.shape[1] > 1 && q.shape[1] == k.shape[1];

    /// <summary>softmax((turned q)·(turned k)ᵀ·scale, causal)·v.</summary>
    /// <param name="q">[B, T, N, H], before the rotation.</param>
    /// <param name="k">[B, T, K, H], before the rotation; K divides N.</param>
    /// <param name="v">[B, T, K, H].</param>
    /// <param name="angles">[T or B×T, 1, H/2, 2], fp32: cosines and sines; null to turn nothing.</param>
    /// <param name="seqLens">Lengths of the samples packed into each row, or null when a row is one sample.</param>
    /// <param name="scale">On the scores; null for 1/√H.</param>
    /// <returns>[B, T, N, H].</returns>
    public static Tensor Apply(Tensor q, Tensor k, Tensor v, Tensor? angles, IReadOnlyList<int[]>? seqLens, double? scale = null)
    {
        BackwardErrors.ThrowIfFailed();
        using DisposeScope scope = NewDisposeScope();
        Call call = new(Segments(q.shape[0], q.shape[1], seqLens), scale is { } s ? (float)s : 1f / MathF.Sqrt(q.shape[3]));
        angles ??= empty([0], ScalarType.Float32); // autograd keeps tensors only
        return is_grad_enabled() && (q.requires_grad || k.requires_grad || v.requires_grad)
            ? Function.apply(q, k, v, angles, call).MoveToOuterDisposeScope()
            : Forward(q, k, v, angles, call).Out.MoveToOuterDisposeScope();
    }

    /// <summary>What is no tensor: where samples begin, and the factor on the scores.</summary>
    private sealed record Call(long[] Segments, float Scale);

    /// <summary>First token of each sample, counted over all rows, and the end.</summary>
    private static long[] Segments(long rows, long length, IReadOnlyList<int[]>? seqLens)
    {
        List<long> starts = [];
        for (int row = 0; row < rows; row++)
        {
            long start = row * length;
            foreach (int part in seqLens?[row] ?? [(int)length])
            {
                starts.Add(start);
                start += part;
            }

            if (start != (row + 1) * length)
            {
                throw new ArgumentException(
                    $"The samples packed into row {row} have {start - (row * length)} tokens together, the row has {length}. They must be equal.");
            }
        }

        return [.. starts, rows * length];
    }

    private static unsafe AttentionArguments Arguments(Tensor q, Tensor k, Tensor v, Tensor o, Tensor logSum, Tensor angles, float scale) => new()
    {
        Q = Aten.DataPointer(q),
        K = Aten.DataPointer(k),
        V = Aten.DataPointer(v),
        Out = Aten.DataPointer(o),
        LogSum = (float*)Aten.DataPointer(logSum),
        Angles = angles.numel() == 0 ? null : (float*)Aten.DataPointer(angles),
        AngleRows = angles.numel() / q.shape[3],
        NumHeads = (int)q.shape[2],
        NumKvHeads = (int)k.shape[2],
        HeadDim = (int)q.shape[3],
        Scale = scale,
    };

    private static unsafe (Tensor Out, Tensor LogSum) Forward(Tensor q, Tensor k, Tensor v, Tensor angles, Call call)
    {
        Tensor o = empty_like(q);
        Tensor logSum = empty([q.shape[0] * q.shape[1] * q.shape[2]], ScalarType.Float32);
        AttentionArguments a = Arguments(q, k, v, o, logSum, angles, call.Scale);
        fixed (long* starts = call.Segments)
        {
            a.Segments = starts;
            a.NumSegments = call.Segments.Length - 1;
            Workers.Run(
                (long)a.NumSegments * a.NumKvHeads, q.dtype, AttentionForward.ScratchFloats(&a), &AttentionForward.Body, &a);
        }

        return (o, logSum);
    }

    private static unsafe List<Tensor> Backward(IReadOnlyList<Tensor> saved, Tensor outGradient, Call call)
    {
        (Tensor q, Tensor k, Tensor v) = (saved[0], saved[1], saved[2]);
        Tensor dq = empty_like(q), dk = empty_like(k), dv = empty_like(v);
        Tensor dense = outGradient.contiguous();
        AttentionArguments a = Arguments(q, k, v, saved[3], saved[4], saved[5], call.Scale);
        a.OutGradient = Aten.DataPointer(dense);
        a.QGradient = Aten.DataPointer(dq);
        a.KGradient = Aten.DataPointer(dk);
        a.VGradient = Aten.DataPointer(dv);
        fixed (long* starts = call.Segments)
        {
            a.Segments = starts;
            a.NumSegments = call.Segments.Length - 1;
            Workers.Run(
                (long)a.NumSegments * a.NumKvHeads, q.dtype, AttentionBackward.ScratchFloats(&a), &AttentionBackward.Body, &a);
        }

        return [dq, dk, dv, null!, null!];
    }

    private sealed class Function : autograd.SingleTensorFunction<Function>
    {
        public override string Name => nameof(FusedAttention);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            (Tensor q, Tensor k, Tensor v, Tensor angles) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2], (Tensor)vars[3]);
            Call call = (Call)vars[4];
            (Tensor o, Tensor logSum) = Forward(q, k, v, angles, call);
            ctx.save_for_backward([q, k, v, o.detach(), logSum, angles]);
            ctx.save_data("call", call);
            return o;
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient) =>
            BackwardErrors.Guard(5, ctx, gradient, saved => Backward(saved, gradient, (Call)ctx.get_data("call")));
    }
}
