using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TuneSharp.Backend;
using static TorchSharp.torch.nn;

namespace TuneSharp.Kernels;

/// <summary>silu(gate) ∘ up in one pass, and both gradients in another; on a GPU by <see cref="GpuSwiGlu"/>.</summary>
/// <remarks>
/// With σ = 1/(1 + e^−g): y = g·σ·u, du = dy·g·σ, dg = dy·u·σ·(1 + g·(1 − σ)). Saves gate and up only. Twin: libtorch's silu and product.
/// </remarks>
internal static class FusedSwiGlu
{
    /// <summary>silu(gate) ∘ up.</summary>
    /// <param name="gate">Any shape.</param>
    /// <param name="up">The same shape and dtype.</param>
    public static Tensor Apply(Tensor gate, Tensor up)
    {
        if (!KernelChoice.Fused || !KernelChoice.Fits(gate) || !KernelChoice.Fits(up)
            || gate.dtype != up.dtype || !gate.shape.AsSpan().SequenceEqual(up.shape))
        {
            using DisposeScope plain = NewDisposeScope();
            return (functional.silu(gate) * up).MoveToOuterDisposeScope();
        }

        BackwardErrors.ThrowIfFailed();
        return is_grad_enabled() && (gate.requires_grad || up.requires_grad) ? Function.apply(gate, up) : Forward(gate, up);
    }

    private static unsafe Tensor Forward(Tensor gate, Tensor up)
    {
        if (gate.device_type == DeviceType.CUDA)
        {
            return GpuSwiGlu.Forward(gate, up);
        }

        Tensor y = empty_like(gate);
        Arguments a = new() { Gate = Aten.DataPointer(gate), Up = Aten.DataPointer(up), Y = Aten.DataPointer(y), Count = gate.numel() };
        Workers.Run(a.Tasks, gate.dtype, 0, &Ahead.Body, &a);
        return y;
    }

    private static unsafe List<Tensor> Backward(Tensor gate, Tensor up, Tensor dy)
    {
        Tensor dGate = empty_like(gate), dUp = empty_like(up);
        if (gate.device_type == DeviceType.CUDA)
        {
            GpuSwiGlu.Backward(gate, up, dy.contiguous(), dGate, dUp);
            return [dGate, dUp];
        }

        Arguments a = new()
        {
            Gate = Aten.DataPointer(gate),
            Up = Aten.DataPointer(up),
            Y = Aten.DataPointer(dy.contiguous()),
            GateGradient = Aten.DataPointer(dGate),
            UpGradient = Aten.DataPointer(dUp),
            Count = gate.numel(),
        };
        Workers.Run(a.Tasks, gate.dtype, 0, &Back.Body, &a);
        return [dGate, dUp];
    }

    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Arguments
    {
        private const long Piece = 1 << 15; // elements a task: long enough to hide taking it, short enough to share out evenly

        public byte* Gate, Up, Y, GateGradient, UpGradient;
        public long Count;

        public readonly long Tasks => (Count + Piece - 1) / Piece;

        public readonly (nint Begin, nint End) Range(long task) => ((nint)(task * Piece), (nint)Math.Min((task + 1) * Piece, Count));
    }

    private readonly unsafe struct Ahead : ITaskKernel
    {
        [UnmanagedCallersOnly]
        public static void Body(long begin, long end, void* context) => Workers.Enter<Ahead>(begin, end, context);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<TLanes, TVector, TElement>(void* arguments, long task, int worker, float* scratch)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
            where TElement : struct, IElement
        {
            Arguments* a = (Arguments*)arguments;
            (nint i, nint end) = a->Range(task);
            for (; i + TLanes.Count <= end; i += TLanes.Count)
            {
                TVector g = TElement.Load<TLanes, TVector>(a->Gate, i);
                TVector u = TElement.Load<TLanes, TVector>(a->Up, i);
                TElement.Store<TLanes, TVector>(a->Y, i, TLanes.Mul(TLanes.Mul(g, VectorMath.Sigmoid<TLanes, TVector>(g)), u));
            }

            for (; i < end; i++)
            {
                float g = TElement.Get(a->Gate, i);
                TElement.Set(a->Y, i, g / (1 + MathF.Exp(-g)) * TElement.Get(a->Up, i));
            }
        }
    }

    private readonly unsafe struct Back : ITaskKernel
    {
        [UnmanagedCallersOnly]
        public static void Body(long begin, long end, void* context) => Workers.Enter<Back>(begin, end, context);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<TLanes, TVector, TElement>(void* arguments, long task, int worker, float* scratch)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
            where TElement : struct, IElement
        {
            Arguments* a = (Arguments*)arguments;
            (nint i, nint end) = a->Range(task);
            TVector one = TLanes.Create(1f);
            for (; i + TLanes.Count <= end; i += TLanes.Count)
            {
                TVector g = TElement.Load<TLanes, TVector>(a->Gate, i);
                TVector dy = TElement.Load<TLanes, TVector>(a->Y, i);
                TVector sigmoid = VectorMath.Sigmoid<TLanes, TVector>(g);
                TElement.Store<TLanes, TVector>(a->UpGradient, i, TLanes.Mul(dy, TLanes.Mul(g, sigmoid)));
                TVector slope = TLanes.Mul(sigmoid, TLanes.Fma(g, TLanes.Sub(one, sigmoid), one));
                TVector u = TElement.Load<TLanes, TVector>(a->Up, i);
                TElement.Store<TLanes, TVector>(a->GateGradient, i, TLanes.Mul(TLanes.Mul(dy, u), slope));
            }

            for (; i < end; i++)
            {
                float g = TElement.Get(a->Gate, i);
                float dy = TElement.Get(a->Y, i);
                float sigmoid = 1 / (1 + MathF.Exp(-g));
                TElement.Set(a->UpGradient, i, dy * g * sigmoid);
                TElement.Set(a->GateGradient, i, dy * TElement.Get(a->Up, i) * sigmoid * (1 + (g * (1 - sigmoid))));
            }
        }
    }

    private sealed class Function : autograd.SingleTensorFunction<Function>
    {
        public override string Name => nameof(FusedSwiGlu);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            (Tensor gate, Tensor up) = ((Tensor)vars[0], (Tensor)vars[1]);
            ctx.save_for_backward([gate, up]);
            return Forward(gate, up);
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient) =>
            BackwardErrors.Guard(2, ctx, gradient, saved => Backward(saved[0], saved[1], gradient));
    }
}
