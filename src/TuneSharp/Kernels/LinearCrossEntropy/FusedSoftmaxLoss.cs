using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TuneSharp.Backend;

namespace TuneSharp.Kernels;

/// <summary>Cross-entropy of rows of logits and, in their place, its gradient: on the CPU, each row while it lies in the cache.</summary>
/// <remarks>loss = m + log Σe^(z − m) − z[y] and z ← softmax(z) − onehot(y), with label smoothing and z-loss on request. Each e^(z − m) is
/// computed once and kept in fp32.</remarks>
internal static class FusedSoftmaxLoss
{
    /// <summary>Whether <see cref="Sum"/> can take these logits.</summary>
    public static bool Fits(Tensor x, Tensor weight) =>
        KernelChoice.Fused && KernelChoice.FitsCpu(x) && KernelChoice.FitsCpu(weight) && x.dtype == weight.dtype;

    /// <summary>The rows' losses together. A cap on logits is not for this kernel.</summary>
    /// <param name="logits">[C, V], dense; holds the gradient afterwards if that is wanted.</param>
    /// <param name="targets">[C], int64, dense.</param>
    /// <param name="wantsGradient">Whether to overwrite the logits.</param>
    /// <param name="options">Smoothing and z-loss.</param>
    /// <exception cref="ArgumentException">A target outside the vocabulary.</exception>
    public static unsafe double Sum(Tensor logits, Tensor targets, bool wantsGradient, SoftmaxLossOptions options = default)
    {
        (long rows, long width) = (logits.shape[0], logits.shape[1]);
        long* y = (long*)Aten.DataPointer(targets);
        for (long row = 0; row < rows; row++)
        {
            if ((ulong)y[row] >= (ulong)width)
            {
                throw new ArgumentException(
                    $"A label is {y[row]}, and the model's vocabulary has {width} tokens (0 to {width - 1}). " +
                    "Use the tokenizer that belongs to the model.");
            }
        }

        float[] losses = new float[rows];
        fixed (float* p = losses)
        {
            Arguments a = new()
            {
                Logits = Aten.DataPointer(logits), Targets = y, Losses = p, Width = (nint)width, WantsGradient = wantsGradient,
                Smoothing = (float)options.LabelSmoothing, ZLoss = (float)options.ZLoss,
            };
            Workers.Run(rows, logits.dtype, width, &Rows.Body, &a);
        }

        double sum = 0;
        foreach (float loss in losses)
        {
            sum += loss;
        }

        return sum;
    }

    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Arguments
    {
        public byte* Logits;
        public long* Targets;
        public float* Losses;
        public nint Width;
        public float Smoothing;
        public float ZLoss;
        public bool WantsGradient;
    }

    private readonly unsafe struct Rows : ITaskKernel
    {
        [UnmanagedCallersOnly]
        public static void Body(long begin, long end, void* context) => Workers.Enter<Rows>(begin, end, context);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<TLanes, TVector, TElement>(void* arguments, long task, int worker, float* scratch)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
            where TElement : struct, IElement
        {
            Arguments* a = (Arguments*)arguments;
            byte* z = a->Logits + (task * a->Width * TElement.Size);
            nint target = (nint)a->Targets[task];
            float atTarget = TElement.Get(z, target);
            float top = Highest<TLanes, TVector, TElement>(z, a->Width);
            float sum = Exponentials<TLanes, TVector, TElement>(z, a->Width, top, scratch);
            float lse = top + MathF.Log(sum);
            float smoothing = a->Smoothing;
            float loss = lse - atTarget + (a->ZLoss * lse * lse);
            if (smoothing > 0)
            {
                loss += smoothing * (atTarget - (Total<TLanes, TVector, TElement>(z, a->Width) / a->Width));
            }

            a->Losses[task] = loss;
            if (!a->WantsGradient)
            {
                return;
            }

            float factor = (1 + (2 * a->ZLoss * lse)) / sum;
            float everywhere = smoothing / a->Width;
            nint i = 0;
            for (; i + TLanes.Count <= a->Width; i += TLanes.Count)
            {
                TVector p = TLanes.Mul(TLanes.Load(scratch + i), TLanes.Create(factor));
                TElement.Store<TLanes, TVector>(z, i, TLanes.Sub(p, TLanes.Create(everywhere)));
            }

            for (; i < a->Width; i++)
            {
                TElement.Set(z, i, (scratch[i] * factor) - everywhere);
            }

            TElement.Set(z, target, (scratch[target] * factor) - (1f - smoothing) - everywhere);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static float Highest<TLanes, TVector, TElement>(byte* z, nint width)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
            where TElement : struct, IElement
        {
            TVector highest = TLanes.Create(float.NegativeInfinity);
            nint i = 0;
            for (; i + TLanes.Count <= width; i += TLanes.Count)
            {
                highest = TLanes.Max(highest, TElement.Load<TLanes, TVector>(z, i));
            }

            float top = TLanes.MaxAcross(highest);
            for (; i < width; i++)
            {
                top = MathF.Max(top, TElement.Get(z, i));
            }

            return top;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static float Total<TLanes, TVector, TElement>(byte* z, nint width)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
            where TElement : struct, IElement
        {
            TVector sums = TLanes.Zero;
            nint i = 0;
            for (; i + TLanes.Count <= width; i += TLanes.Count)
            {
                sums = TLanes.Add(sums, TElement.Load<TLanes, TVector>(z, i));
            }

            float sum = TLanes.Sum(sums);
            for (; i < width; i++)
            {
                sum += TElement.Get(z, i);
            }

            return sum;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static float Exponentials<TLanes, TVector, TElement>(byte* z, nint width, float top, float* to)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
            where TElement : struct, IElement
        {
            (TVector sums, TVector m) = (TLanes.Zero, TLanes.Create(top));
            nint i = 0;
            for (; i + TLanes.Count <= width; i += TLanes.Count)
            {
                TVector e = VectorMath.Exp<TLanes, TVector>(TLanes.Sub(TElement.Load<TLanes, TVector>(z, i), m));
                TLanes.Store(to + i, e);
                sums = TLanes.Add(sums, e);
            }

            float sum = TLanes.Sum(sums);
            for (; i < width; i++)
            {
                to[i] = MathF.Exp(TElement.Get(z, i) - top);
                sum += to[i];
            }

            return sum;
        }
    }
}
