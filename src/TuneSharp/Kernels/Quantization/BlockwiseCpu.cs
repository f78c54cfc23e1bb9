using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TuneSharp.Backend;

namespace TuneSharp.Kernels;

/// <summary>Blockwise quantisation on the CPU, on all threads: 4-bit and 8-bit, both ways.</summary>
/// <remarks>
/// Each block is scaled by its largest magnitude: code = nearest(x · (1/absmax)), the reciprocal being <see cref="FastReciprocal"/>. A 4-bit byte holds the even element in its high nibble.
/// Twin: <see cref="BlockwisePlain"/>.
/// </remarks>
internal static unsafe class BlockwiseCpu
{
    /// <summary>Quantises.</summary>
    /// <param name="x">Dense fp32 or bf16.</param>
    /// <param name="book">The codes.</param>
    /// <param name="block">Elements that share a scale.</param>
    /// <param name="codes">Receives the codes: n bytes, or ⌈n/2⌉ for a 4-bit book.</param>
    /// <param name="absmax">Receives ⌈n/block⌉ scales, fp32.</param>
    public static void Encode(Tensor x, CodeBook book, int block, Tensor codes, Tensor absmax)
    {
        Arguments a = New(x, book, block, codes, absmax);
        Workers.Run(a.Tasks, x.dtype, block, &Coder.Body, &a);
    }

    /// <summary>Gives numbers back: value(code) · absmax, rounded once.</summary>
    /// <param name="codes">As <see cref="Encode"/> made them.</param>
    /// <param name="absmax">fp32 scales.</param>
    /// <param name="book">The codes.</param>
    /// <param name="block">Elements that share a scale.</param>
    /// <param name="y">Receives the numbers; dense fp32 or bf16.</param>
    public static void Decode(Tensor codes, Tensor absmax, CodeBook book, int block, Tensor y)
    {
        Arguments a = New(y, book, block, codes, absmax);
        Workers.Run(a.Tasks, y.dtype, block + 2, &Decoder.Body, &a);
    }

    private static Arguments New(Tensor x, CodeBook book, int block, Tensor codes, Tensor absmax) => new()
    {
        X = Aten.DataPointer(x), Codes = Aten.DataPointer(codes), Absmax = (float*)Aten.DataPointer(absmax), Count = (nint)x.numel(),
        Block = block, Book = book.Pointers, Half = book.Values.Length == 16,
    };

    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        private const long Piece = 1 << 15; // elements a task

        public byte* X;
        public byte* Codes;
        public float* Absmax;
        public nint Count;
        public nint Block;
        public CodeBookPointers Book;
        public bool Half;

        private readonly long BlocksOfTask => Math.Max(1, Piece / Block);

        public readonly long Tasks => Quantization.Ceil(Quantization.Ceil(Count, Block), BlocksOfTask);

        public readonly (nint Begin, nint End) Blocks(long task) =>
            ((nint)(task * BlocksOfTask), (nint)Math.Min((task + 1) * BlocksOfTask, Quantization.Ceil(Count, Block)));
    }

    private readonly struct Coder : ITaskKernel
    {
        [UnmanagedCallersOnly]
        public static void Body(long begin, long end, void* context) => Workers.Enter<Coder>(begin, end, context);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<TLanes, TVector, TElement>(void* arguments, long task, int worker, float* scratch)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
            where TElement : struct, IElement
        {
            Arguments* a = (Arguments*)arguments;
            (nint block, nint end) = a->Blocks(task);
            for (; block < end; block++)
            {
                nint start = block * a->Block;
                nint count = Math.Min(a->Block, a->Count - start);
                float top = Largest<TLanes, TVector, TElement>(a->X + (start * TElement.Size), count, scratch);
                a->Absmax[block] = top;
                float inverse = FastReciprocal.Of(top);
                if (!a->Half)
                {
                    for (nint i = 0; i < count; i++)
                    {
                        a->Codes[start + i] = a->Book.Encode(scratch[i] * inverse);
                    }

                    continue;
                }

                if (count % 2 != 0)
                {
                    scratch[count] = 0; // the last low nibble of an odd count; a block has room for it
                }

                byte* codes = a->Codes + (start / 2);
                for (nint i = 0; i < count; i += 2)
                {
                    codes[i / 2] = (byte)((a->Book.Encode(scratch[i] * inverse) << 4) | a->Book.Encode(scratch[i + 1] * inverse));
                }
            }
        }

        /// <summary>Copies a block to fp32 and finds its largest magnitude.</summary>
        private static float Largest<TLanes, TVector, TElement>(byte* x, nint count, float* to)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
            where TElement : struct, IElement
        {
            TVector most = TLanes.Zero;
            nint i = 0;
            for (; i + TLanes.Count <= count; i += TLanes.Count)
            {
                TVector v = TElement.Load<TLanes, TVector>(x, i);
                TLanes.Store(to + i, v);
                most = TLanes.Max(most, TLanes.Max(v, TLanes.Sub(TLanes.Zero, v)));
            }

            float top = TLanes.MaxAcross(most);
            for (; i < count; i++)
            {
                to[i] = TElement.Get(x, i);
                top = MathF.Max(top, MathF.Abs(to[i]));
            }

            return top;
        }
    }

    private readonly struct Decoder : ITaskKernel
    {
        [UnmanagedCallersOnly]
        public static void Body(long begin, long end, void* context) => Workers.Enter<Decoder>(begin, end, context);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<TLanes, TVector, TElement>(void* arguments, long task, int worker, float* scratch)
            where TLanes : struct, ILanes<TVector>
            where TVector : struct
            where TElement : struct, IElement
        {
            Arguments* a = (Arguments*)arguments;
            (nint block, nint end) = a->Blocks(task);
            for (; block < end; block++)
            {
                nint start = block * a->Block;
                nint count = Math.Min(a->Block, a->Count - start);
                LookUp(a, start, count, scratch);
                byte* y = a->X + (start * TElement.Size);
                float scale = a->Absmax[block];
                TVector scales = TLanes.Create(scale);
                nint i = 0;
                for (; i + TLanes.Count <= count; i += TLanes.Count)
                {
                    TElement.Store<TLanes, TVector>(y, i, TLanes.Mul(TLanes.Load(scratch + i), scales));
                }

                for (; i < count; i++)
                {
                    TElement.Set(y, i, scratch[i] * scale);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void LookUp(Arguments* a, nint start, nint count, float* to)
        {
            if (a->Half)
            {
                byte* codes = a->Codes + (start / 2);
                ulong* pairs = (ulong*)a->Book.Pairs; // both values of a byte in one move
                ulong* two = (ulong*)to;
                nint bytes = (count + 1) / 2;
                for (nint i = 0; i < bytes; i++)
                {
                    two[i] = pairs[codes[i]];
                }
            }
            else
            {
                byte* codes = a->Codes + start;
                float* values = a->Book.Values;
                for (nint i = 0; i < count; i++)
                {
                    to[i] = values[codes[i]];
                }
            }
        }
    }
}
