using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TuneSharp.Backend;

namespace TuneSharp.Kernels;

/// <summary>Steps of 8-bit optimizers on the CPU, block by block on all threads. Twin: <see cref="Blockwise8Plain"/>.</summary>
internal static unsafe class Blockwise8Cpu
{
    public static void Run(in Blockwise8Step step)
    {
        Arguments a = new()
        {
            Rule = step.Rule,
            Weight = Aten.DataPointer(step.Weight),
            Gradient = Aten.DataPointer(step.Gradient),
            Codes1 = Aten.DataPointer(step.Codes1),
            Absmax1 = (float*)Aten.DataPointer(step.Absmax1!),
            Codes2 = step.Codes2 is null ? null : Aten.DataPointer(step.Codes2),
            Absmax2 = step.Absmax2 is null ? null : (float*)Aten.DataPointer(step.Absmax2),
            Beta1 = step.Beta1,
            Beta2 = step.Beta2,
            Eps = step.Eps,
            Decay = step.WeightDecay,
            Lr = step.Lr,
            IsFirst = step.Count == 1,
            Correction2 = step.Correction2,
            StepSize = step.StepSize,
            Signed = CodeBook.Dynamic.Pointers,
            Unsigned = CodeBook.DynamicUnsigned.Pointers,
            Count = (nint)step.Weight.numel(),
        };
        Workers.Run(a.Tasks, step.Weight.dtype, 4 * Blockwise8Step.Block, &Kernel.Body, &a);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        private const long BlocksOfTask = 64;

        public Rule8 Rule;
        public byte* Weight, Gradient, Codes1, Codes2;
        public float* Absmax1, Absmax2;
        public float Beta1, Beta2, Eps, Decay, Lr, Correction2, StepSize;
        public bool IsFirst;
        public CodeBookPointers Signed, Unsigned;
        public nint Count;

        private readonly long Blocks => Quantization.Ceil(Count, Blockwise8Step.Block);

        public readonly long Tasks => Quantization.Ceil(Blocks, BlocksOfTask);

        public readonly (nint Begin, nint End) Range(long task) => ((nint)(task * BlocksOfTask), (nint)Math.Min((task + 1) * BlocksOfTask, Blocks));
    }

    private readonly struct Kernel : ITaskKernel
    {
        [UnmanagedCallersOnly]
        public static void Body(long begin, long end, void* context) => Workers.Enter<Kernel>(begin, end, context);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<TLanes, TVector, TElement>(void* arguments, long task, int worker, float* scratch)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
            where TElement : struct, IElement
        {
            Arguments* a = (Arguments*)arguments;
            (nint block, nint end) = a->Range(task);
            for (; block < end; block++)
            {
                nint start = block * Blockwise8Step.Block;
                int count = (int)Math.Min(Blockwise8Step.Block, a->Count - start);
                if (a->Rule == Rule8.Adam)
                {
                    Two<TElement>(a, block, start, count, scratch);
                }
                else
                {
                    One<TElement>(a, block, start, count, scratch);
                }
            }
        }

        private static void Two<TElement>(Arguments* a, nint block, nint start, int count, float* m)
            where TElement : struct, IElement
        {
            float* v = m + Blockwise8Step.Block;
            byte* c1 = a->Codes1 + start, c2 = a->Codes2 + start;
            byte* weight = a->Weight + (start * TElement.Size), gradient = a->Gradient + (start * TElement.Size);
            (float scale1, float scale2, float top1, float top2) = (a->Absmax1[block], a->Absmax2[block], 0f, 0f);
            for (int i = 0; i < count; i++)
            {
                float g = TElement.Get(gradient, i);
                if (float.IsFinite(g))
                {
                    v[i] = MathF.FusedMultiplyAdd(a->Unsigned.Values[c2[i]] * scale2, a->Beta2, (1 - a->Beta2) * g * g);
                    m[i] = MathF.FusedMultiplyAdd(a->Signed.Values[c1[i]] * scale1, a->Beta1, (1 - a->Beta1) * g);
                }
                else
                {
                    (m[i], v[i]) = (0, 0);
                }

                top1 = MathF.Max(top1, MathF.Abs(m[i]));
                top2 = MathF.Max(top2, v[i]);
            }

            (a->Absmax1[block], a->Absmax2[block]) = (top1, top2);
            float eps = a->Correction2 * a->Eps;
            (float inverse1, float inverse2) = (FastReciprocal.Of(top1), FastReciprocal.Of(top2));
            for (int i = 0; i < count; i++)
            {
                if (float.IsFinite(TElement.Get(gradient, i)))
                {
                    float moved = MathF.FusedMultiplyAdd(-a->StepSize, m[i] / (MathF.Sqrt(v[i]) + eps), TElement.Get(weight, i));
                    TElement.Set(weight, i, moved);
                    if (a->Decay > 0)
                    {
                        TElement.Set(weight, i, TElement.Get(weight, i) * (1 - (a->Lr * a->Decay)));
                    }
                }

                c1[i] = Signed(a, m[i], inverse1);
                c2[i] = a->Unsigned.Encode(v[i] * inverse2);
            }
        }

        private static void One<TElement>(Arguments* a, nint block, nint start, int count, float* state)
            where TElement : struct, IElement
        {
            float* move = state + Blockwise8Step.Block;
            byte* codes = a->Codes1 + start;
            byte* weight = a->Weight + (start * TElement.Size), gradient = a->Gradient + (start * TElement.Size);
            (float scale, float top) = (a->Absmax1[block], 0f);
            for (int i = 0; i < count; i++)
            {
                float g = TElement.Get(gradient, i);
                float p = TElement.Get(weight, i);
                if (!float.IsFinite(g))
                {
                    (state[i], move[i]) = (0, 0);
                    continue;
                }

                float s = a->Signed.Values[codes[i]] * scale;
                if (a->Decay > 0)
                {
                    if (a->Rule == Rule8.Lion)
                    {
                        TElement.Set(weight, i, p * (1 - (a->Lr * a->Decay)));
                    }
                    else
                    {
                        g = MathF.FusedMultiplyAdd(p, a->Decay, g);
                    }
                }

                (state[i], move[i]) = a->Rule switch
                {
                    Rule8.Momentum => a->IsFirst ? (g, 0) : (MathF.FusedMultiplyAdd(s, a->Beta1, g), 0),
                    Rule8.RmsProp => (MathF.FusedMultiplyAdd(s, a->Beta1, (1 - a->Beta1) * (g * g)), g),
                    Rule8.Adagrad => (MathF.FusedMultiplyAdd(g, g, s), g),
                    _ => (
                        MathF.FusedMultiplyAdd(s, a->Beta2, (1 - a->Beta2) * g),
                        a->Lr * MathF.Sign(MathF.FusedMultiplyAdd(s, a->Beta1, (1 - a->Beta1) * g))),
                };
                top = MathF.Max(top, MathF.Abs(state[i]));
            }

            a->Absmax1[block] = top;
            float inverse = FastReciprocal.Of(top);
            for (int i = 0; i < count; i++)
            {
                if (float.IsFinite(TElement.Get(gradient, i)))
                {
                    float p = TElement.Get(weight, i);
                    TElement.Set(weight, i, a->Rule switch
                    {
                        Rule8.Momentum => MathF.FusedMultiplyAdd(-a->Lr, state[i], p),
                        Rule8.Lion => p - move[i],
                        _ => MathF.FusedMultiplyAdd(-a->Lr, move[i] / (MathF.Sqrt(state[i]) + a->Eps), p),
                    });
                }

                codes[i] = Signed(a, state[i], inverse);
            }
        }

        /// <summary>The code of a number under its block's scale, of the number's own sign.</summary>
        private static byte Signed(Arguments* a, float x, float inverse)
        {
            byte code = a->Signed.Encode(x * inverse);
            return float.IsNegative(a->Signed.Values[code]) == float.IsNegative(x) ? code : (byte)(code + (x > 0 ? 1 : -1));
        }
    }
}
