using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TuneSharp.Backend;

namespace TuneSharp.Kernels;

/// <summary>Root-mean-square norm over rows: one pass forward, one back; on a GPU by <see cref="GpuRmsNorm"/>.</summary>
/// <remarks>
/// With r = 1/√(mean(x²) + ε): y = x·r·w, dx = r·(dy∘w − x·r²·mean(dy∘w∘x)), dw = Σ dy∘x·r over rows. Saves x and w; r is computed again,
/// since x is read anyway. A frozen w costs nothing. Twin: <c>aten::rms_norm</c>.
/// </remarks>
internal static class FusedRmsNorm
{
    private const int RowsInTask = 16;

    /// <summary>
    /// Tasks of a backward pass, at most. Each sums a part of dw of its own: which thread does which task is chance, and a sum for
    /// each thread would round differently from run to run.
    /// </summary>
    private const int MostParts = 64;

    /// <summary>x / √(mean(x²) + ε) · weight.</summary>
    /// <param name="x">[..., D].</param>
    /// <param name="weight">[D].</param>
    /// <param name="eps">Added to the mean square.</param>
    public static Tensor Apply(Tensor x, Tensor weight, double eps)
    {
        if (!KernelChoice.Fused || !KernelChoice.Fits(x) || !KernelChoice.Fits(weight) || x.dtype != weight.dtype
            || weight.dim() != 1 || x.shape[^1] != weight.shape[0])
        {
            return Aten.RmsNorm(x, weight, eps);
        }

        BackwardErrors.ThrowIfFailed();
        return is_grad_enabled() && (x.requires_grad || weight.requires_grad)
            ? Function.apply(x, weight, eps)
            : Forward(x, weight, eps);
    }

    private static unsafe Tensor Forward(Tensor x, Tensor weight, double eps)
    {
        if (x.device_type == DeviceType.CUDA)
        {
            return GpuRmsNorm.Forward(x, weight, eps);
        }

        Tensor y = empty_like(x);
        Arguments a = Arguments.Of(x, weight, eps);
        a.Y = Aten.DataPointer(y);
        Workers.Run(a.Tasks, x.dtype, 0, &Ahead.Body, &a);
        return y;
    }

    private static unsafe List<Tensor> Backward(Tensor x, Tensor weight, Tensor gradient, double eps)
    {
        if (x.device_type == DeviceType.CUDA)
        {
            (Tensor onGpu, Tensor? weightGradient) = GpuRmsNorm.Backward(x, weight, gradient.contiguous(), eps, weight.requires_grad);
            return [onGpu, weightGradient!, null!];
        }

        Tensor dx = empty_like(x);
        Arguments a = Arguments.Of(x, weight, eps);
        a.RowsInTask = Math.Max(RowsInTask, (a.Rows + MostParts - 1) / MostParts);
        Tensor? parts = weight.requires_grad ? zeros([a.Tasks, weight.shape[0]], ScalarType.Float32) : null;
        a.Y = Aten.DataPointer(gradient.contiguous());
        a.XGradient = Aten.DataPointer(dx);
        a.WeightGradients = parts is null ? null : (float*)Aten.DataPointer(parts);
        Workers.Run(a.Tasks, x.dtype, 0, &Back.Body, &a);
        return [dx, parts?.sum(dim: 0).to(weight.dtype)!, null!];
    }

    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Arguments
    {
        public byte* X, Weight, Y, XGradient; // Y is dy in the backward pass
        public float* WeightGradients;        // [tasks, D], or null
        public long Rows, RowsInTask;
        public int Width;
        public float Eps;

        public readonly long Tasks => (Rows + RowsInTask - 1) / RowsInTask;

        public static Arguments Of(Tensor x, Tensor weight, double eps) => new()
        {
            X = Aten.DataPointer(x),
            Weight = Aten.DataPointer(weight),
            Width = (int)weight.shape[0],
            Rows = x.numel() / weight.shape[0],
            RowsInTask = FusedRmsNorm.RowsInTask,
            Eps = (float)eps,
        };

        /// <summary>1 / √(mean(x²) + ε) of a row.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly float InverseRoot<TLanes, TVector, TElement>(byte* x)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
            where TElement : struct, IElement
        {
            (TVector even, TVector odd) = (TLanes.Zero, TLanes.Zero); // two chains of sums hide the latency of one
            int i = 0;
            for (; i + (2 * TLanes.Count) <= Width; i += 2 * TLanes.Count)
            {
                TVector v = TElement.Load<TLanes, TVector>(x, i);
                TVector w = TElement.Load<TLanes, TVector>(x, i + TLanes.Count);
                (even, odd) = (TLanes.Fma(v, v, even), TLanes.Fma(w, w, odd));
            }

            float sum = TLanes.Sum(TLanes.Add(even, odd));
            for (; i < Width; i++)
            {
                sum += TElement.Get(x, i) * TElement.Get(x, i);
            }

            return 1f / MathF.Sqrt((sum / Width) + Eps);
        }
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
            for (long row = task * a->RowsInTask; row < Math.Min((task + 1) * a->RowsInTask, a->Rows); row++)
            {
                byte* x = a->X + (row * a->Width * TElement.Size);
                byte* y = a->Y + (row * a->Width * TElement.Size);
                float root = a->InverseRoot<TLanes, TVector, TElement>(x);
                int i = 0;
                for (; i + TLanes.Count <= a->Width; i += TLanes.Count)
                {
                    TVector normal = TLanes.Mul(TElement.Load<TLanes, TVector>(x, i), TLanes.Create(root));
                    TElement.Store<TLanes, TVector>(y, i, TLanes.Mul(normal, TElement.Load<TLanes, TVector>(a->Weight, i)));
                }

                for (; i < a->Width; i++)
                {
                    TElement.Set(y, i, TElement.Get(x, i) * root * TElement.Get(a->Weight, i));
                }
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
            int width = a->Width;
            float* dw = a->WeightGradients == null ? null : a->WeightGradients + (task * width);
            for (long row = task * a->RowsInTask; row < Math.Min((task + 1) * a->RowsInTask, a->Rows); row++)
            {
                long offset = row * width * TElement.Size;
                byte* x = a->X + offset;
                byte* dy = a->Y + offset;
                byte* dx = a->XGradient + offset;
                float root = a->InverseRoot<TLanes, TVector, TElement>(x);
                TVector dots = TLanes.Zero;
                int i = 0;
                for (; i + TLanes.Count <= width; i += TLanes.Count)
                {
                    TVector v = TElement.Load<TLanes, TVector>(x, i);
                    TVector g = TElement.Load<TLanes, TVector>(dy, i);
                    dots = TLanes.Fma(TLanes.Mul(g, TElement.Load<TLanes, TVector>(a->Weight, i)), v, dots);
                    if (dw != null)
                    {
                        TLanes.Store(dw + i, TLanes.Fma(TLanes.Mul(g, v), TLanes.Create(root), TLanes.Load(dw + i)));
                    }
                }

                float dot = TLanes.Sum(dots);
                for (; i < width; i++)
                {
                    (float v, float g) = (TElement.Get(x, i), TElement.Get(dy, i));
                    dot += g * TElement.Get(a->Weight, i) * v;
                    if (dw != null)
                    {
                        dw[i] += g * v * root;
                    }
                }

                float pull = -root * root * root * dot / width;
                for (i = 0; i + TLanes.Count <= width; i += TLanes.Count)
                {
                    TVector along = TLanes.Mul(
                        TElement.Load<TLanes, TVector>(dy, i),
                        TLanes.Mul(TElement.Load<TLanes, TVector>(a->Weight, i), TLanes.Create(root)));
                    TElement.Store<TLanes, TVector>(
                        dx, i, TLanes.Fma(TElement.Load<TLanes, TVector>(x, i), TLanes.Create(pull), along));
                }

                for (; i < width; i++)
                {
                    TElement.Set(
                        dx, i, (TElement.Get(dy, i) * TElement.Get(a->Weight, i) * root) + (TElement.Get(x, i) * pull));
                }
            }
        }
    }

    private sealed class Function : autograd.SingleTensorFunction<Function>
    {
        public override string Name => nameof(FusedRmsNorm);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            (Tensor x, Tensor weight, double eps) = ((Tensor)vars[0], (Tensor)vars[1], (double)vars[2]);
            ctx.save_for_backward([x, weight]);
            ctx.save_data("eps", eps);
            return Forward(x, weight, eps);
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient) =>
            BackwardErrors.Guard(3, ctx, gradient, saved => Backward(saved[0], saved[1], gradient, (double)ctx.get_data("eps")));
    }
}
