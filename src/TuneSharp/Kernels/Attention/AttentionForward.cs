using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TuneSharp.Kernels;

/// <summary>Causal attention, tile by tile, so that no T×T matrix exists.</summary>
/// <remarks>
/// For a tile of queries and each tile of keys up to it: s = q·kᵀ, p = 2^(s − m) with the running maximum m, o = o·2^(m' − m) + p·v,
/// and at the end o / Σp. Scores are base-2 logarithms: log2(e)/√H is folded into q. Idea: https://arxiv.org/abs/2205.14135.
/// A task is one key head of one sample, with all query heads that share it. All arithmetic is fp32.
/// </remarks>
internal readonly unsafe struct AttentionForward : ITaskKernel
{
    private const int Tile = AttentionTiles.Tile;

    /// <summary>Floats of scratch: keys, values, their row-major copy, and the tiles of q, o, s with two columns of row sums.</summary>
    public static long ScratchFloats(AttentionArguments* a) =>
        (2 * AttentionTiles.RoundUp(a->LongestSegment) * a->HeadDim) + (2 * Tile * a->HeadDim) + (Tile * Tile) + (2 * Tile);

    [UnmanagedCallersOnly]
    public static void Body(long begin, long end, void* context) => Workers.Enter<AttentionForward>(begin, end, context);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TLanes, TVector, TElement>(void* arguments, long task, int worker, float* scratch)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        AttentionArguments* a = (AttentionArguments*)arguments;
        (long start, int length, int head) = a->Task(task);
        (int width, int groups) = (a->HeadDim, a->Group);
        long padded = AttentionTiles.RoundUp(length);
        float* keys = scratch;                      // panels [H, 64]
        float* values = keys + (padded * width);    // rows
        float* q = values + (padded * width);
        float* o = q + (Tile * width);
        float* s = o + (Tile * width);
        float* top = s + (Tile * Tile);
        float* sum = top + Tile;

        nint kvStride = (nint)a->NumKvHeads * width;
        nint qStride = (nint)a->NumHeads * width;
        long firstKey = ((start * a->NumKvHeads) + head) * width * TElement.Size;
        AttentionTiles.Read<TLanes, TVector, TElement>(a, a->K + firstKey, kvStride, start, length, values, 1f, turn: true);
        AttentionTiles.Transpose(values, (int)padded, width, keys);
        AttentionTiles.Read<TLanes, TVector, TElement>(a, a->V + firstKey, kvStride, start, length, values, 1f, turn: false);
        for (int n = head * groups; n < (head + 1) * groups; n++)
        {
            for (int first = 0; first < length; first += Tile)
            {
                int count = Math.Min(Tile, length - first);
                long token = start + first;
                long offset = ((token * a->NumHeads) + n) * width * TElement.Size;
                AttentionTiles.Read<TLanes, TVector, TElement>(
                    a, a->Q + offset, qStride, token, count, q, a->Scale * AttentionTiles.Log2E, turn: true);
                new Span<float>(o, Tile * width).Clear();
                new Span<float>(top, Tile).Fill(float.NegativeInfinity);
                new Span<float>(sum, Tile).Clear();
                for (int key = 0; key <= first; key += Tile)
                {
                    SmallProduct.Run<TLanes, TVector>(
                        Tile, Tile, width, q, width, 1, keys + (key * width), Tile, s, Tile, accumulate: false);
                    Soften<TLanes, TVector>(s, o, width, top, sum, diagonal: key == first);
                    SmallProduct.Run<TLanes, TVector>(
                        Tile, width, Tile, s, Tile, 1, values + (key * width), width, o, width, accumulate: true);
                }

                Finish<TLanes, TVector>(a, o, top, sum, token, n, count);
                AttentionTiles.Write<TLanes, TVector, TElement>(a, a->Out + offset, qStride, token, count, o, 1f, turn: false);
            }
        }
    }

    /// <summary>Turns scores into unnormalised weights, and brings o and the sums to the new maximum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Soften<TLanes, TVector>(float* s, float* o, int width, float* top, float* sum, bool diagonal)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        for (int row = 0; row < Tile; row++, s += Tile, o += width)
        {
            if (diagonal)
            {
                new Span<float>(s + row + 1, Tile - row - 1).Fill(float.NegativeInfinity);
            }

            TVector highest = TLanes.Load(s);
            for (int i = TLanes.Count; i < Tile; i += TLanes.Count)
            {
                highest = TLanes.Max(highest, TLanes.Load(s + i));
            }

            float before = top[row];
            float now = MathF.Max(before, TLanes.MaxAcross(highest));
            TVector m = TLanes.Create(now);
            TVector total = TLanes.Zero;
            for (int i = 0; i < Tile; i += TLanes.Count)
            {
                TVector p = VectorMath.Exp2<TLanes, TVector>(TLanes.Sub(TLanes.Load(s + i), m));
                TLanes.Store(s + i, p);
                total = TLanes.Add(total, p);
            }

            top[row] = now;
            if (before == now)
            {
                sum[row] += TLanes.Sum(total);
                continue;
            }

            float shrink = MathF.Pow(2f, before - now);
            sum[row] = (sum[row] * shrink) + TLanes.Sum(total);
            for (int h = 0; h < width; h += TLanes.Count)
            {
                TLanes.Store(o + h, TLanes.Mul(TLanes.Load(o + h), TLanes.Create(shrink)));
            }
        }
    }

    private static void Finish<TLanes, TVector>(
        AttentionArguments* a, float* o, float* top, float* sum, long token, int head, int count)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        for (int row = 0; row < count; row++)
        {
            TVector inverse = TLanes.Create(1f / sum[row]);
            for (int h = 0; h < a->HeadDim; h += TLanes.Count)
            {
                float* p = o + (row * a->HeadDim) + h;
                TLanes.Store(p, TLanes.Mul(TLanes.Load(p), inverse));
            }

            a->LogSum[((token + row) * a->NumHeads) + head] = top[row] + MathF.Log2(sum[row]);
        }
    }
}
