using TuneSharp.Backend;

namespace TuneSharp.Kernels;

/// <summary>Rotary positions and causal attention on a GPU: own kernel for the rotation, libtorch's for the rest.</summary>
/// <remarks>
/// Rows of one sample go to cuDNN's kernel, the fastest on Hopper; packed samples and sliding windows to flash attention over samples laid end to
/// end, whose work grows with Σ length² and which needs no T×T mask. Twin: <c>Rope.Apply</c>, then <c>scaled_dot_product_attention</c>.
/// </remarks>
internal static class GpuAttention
{
    /// <summary>Whether <see cref="Apply"/> can take heads of this kind.</summary>
    public static bool Fits(Tensor q, Tensor k, Tensor v) =>
        KernelChoice.Fused && q.dtype == ScalarType.BFloat16 && k.dtype == q.dtype && v.dtype == q.dtype && FitsWidth(q.shape[3])
        && GpuKernel.Fits(q) && GpuKernel.Fits(k) && GpuKernel.Fits(v) && q.shape[1] == k.shape[1];

    /// <summary>Whether the kernels know heads of this width.</summary>
    public static bool FitsWidth(long width) => width % 8 == 0 && width <= 256;

    /// <summary>softmax((turned q)·(turned k)ᵀ·scale, causal)·v.</summary>
    /// <param name="q">[B, T, N, H], before the rotation.</param>
    /// <param name="k">[B, T, K, H], before the rotation; K divides N.</param>
    /// <param name="v">[B, T, K, H].</param>
    /// <param name="angles">[T or B×T, 1, H/2, 2], fp32; null to turn nothing.</param>
    /// <param name="plan">What queries see.</param>
    /// <param name="scale">On the scores; null for 1/√H.</param>
    /// <returns>[B, T, N, H].</returns>
    public static Tensor Apply(Tensor q, Tensor k, Tensor v, Tensor? angles, AttentionPlan plan, double? scale = null)
    {
        BackwardErrors.ThrowIfFailed();
        double factor = scale ?? 1 / Math.Sqrt(q.shape[3]);
        if (is_grad_enabled() && (q.requires_grad || k.requires_grad || v.requires_grad))
        {
            return Function.apply(q, k, v, new Call(angles, plan, factor));
        }

        using DisposeScope scope = NewDisposeScope();
        (Tensor tq, Tensor tk) = angles is null ? (q, k) : GpuRope.Turn(q, k, angles);
        return Forward(tq, tk, v, plan, factor).Out.MoveToOuterDisposeScope();
    }

    /// <summary>The product alone, without autograd; q and k are turned already.</summary>
    /// <returns>The result's <c>Out</c> is [B, T, N, H], dense.</returns>
    public static AttentionResult Forward(Tensor q, Tensor k, Tensor v, AttentionPlan plan, double scale)
    {
        AttentionResult r;
        if (plan.Starts is null)
        {
            r = Aten.CudnnAttention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), scale);
            return r with { Out = r.Out.transpose(1, 2).contiguous() };
        }

        r = Aten.FlashVarlen(Flat(q), Flat(k), Flat(v), plan.Starts, plan.Longest, scale, plan.Window - 1);
        return r with { Out = r.Out.reshape(q.shape) };
    }

    /// <summary>The gradients of <see cref="Forward"/>, each as its input, dense.</summary>
    public static (Tensor Q, Tensor K, Tensor V) Backward(
        Tensor gradient, Tensor q, Tensor k, Tensor v, AttentionResult result, AttentionPlan plan, double scale)
    {
        if (plan.Starts is null)
        {
            static Tensor Turned(Tensor t) => t.transpose(1, 2);
            (Tensor a, Tensor b, Tensor c) = Aten.CudnnAttentionBackward(
                Turned(gradient), Turned(q), Turned(k), Turned(v), result with { Out = Turned(result.Out) }, scale);
            return (Turned(a).contiguous(), Turned(b).contiguous(), Turned(c).contiguous());
        }

        (Tensor dq, Tensor dk, Tensor dv) = Aten.FlashVarlenBackward(
            Flat(gradient), Flat(q), Flat(k), Flat(v), result with { Out = Flat(result.Out) }, plan.Starts, plan.Longest, scale, plan.Window - 1);
        return (dq.reshape(q.shape), dk.reshape(k.shape), dv.reshape(v.shape));
    }

    private static Tensor Flat(Tensor t) => t.reshape(-1, t.shape[^2], t.shape[^1]);

    private sealed record Call(Tensor? Angles, AttentionPlan Plan, double Scale);

    /// <summary>What the backward pass keeps, out of reach of scopes until it is done.</summary>
    private sealed record Kept(bool Turned, bool Packed, long Longest, long? Window, double Scale);

    private sealed class Function : autograd.SingleTensorFunction<Function>
    {
        public override string Name => nameof(GpuAttention);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            (Tensor q, Tensor k, Tensor v, Call call) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2], (Call)vars[3]);
            (Tensor tq, Tensor tk) = call.Angles is null ? (q, k) : GpuRope.Turn(q, k, call.Angles);
            AttentionResult r = Forward(tq, tk, v, call.Plan, call.Scale);
            List<Tensor> saved = [tq.detach(), tk.detach(), v, r.Out.detach(), r.LogSumExp, r.SeedA, r.SeedB];
            if (call.Angles is not null)
            {
                saved.Add(call.Angles);
            }

            if (call.Plan.Starts is not null)
            {
                saved.Add(call.Plan.Starts);
            }

            ctx.save_for_backward(saved);
            ctx.save_data("kept", new Kept(call.Angles is not null, call.Plan.Starts is not null, call.Plan.Longest, call.Plan.Window, call.Scale));
            return r.Out;
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient) => BackwardErrors.Guard(4, ctx, gradient, saved =>
        {
            Kept kept = (Kept)ctx.get_data("kept");
            AttentionPlan plan = new(kept.Packed ? saved[^1] : null, kept.Longest, kept.Window);
            AttentionResult result = new(saved[3], saved[4], saved[5], saved[6]);
            (Tensor dq, Tensor dk, Tensor dv) = Backward(gradient.contiguous(), saved[0], saved[1], saved[2], result, plan, kept.Scale);
            if (kept.Turned)
            {
                GpuRope.Turn(dq, dk, saved[7], back: true, inPlace: true);
            }

            return [dq, dk, dv, null!];
        });
    }
}
