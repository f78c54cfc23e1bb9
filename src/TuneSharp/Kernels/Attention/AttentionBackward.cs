using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TuneSharp.Kernels;

/// <summary>Gradients of causal attention, tile by tile, from the saved logarithms of the row sums.</summary>
/// <remarks>
/// p = 2^(s − L); dv += pᵀ·do; ds = p ∘ (do·vᵀ − δ) with δ = Σ do∘o; dk += dsᵀ·q; dq += ds·k. Five products for each pair of tiles.
/// A task is one key head of one sample with all query heads that share it: no two tasks add to the same place.
/// </remarks>
internal readonly unsafe struct AttentionBackward : ITaskKernel
{
    private const int Tile = AttentionTiles.Tile;

    /// <summary>Floats of scratch: k twice, v, dk and dv of a sample, and the tiles of q, do, dq, p, ds.</summary>
    public static long ScratchFloats(AttentionArguments* a) =>
        (5 * AttentionTiles.RoundUp(a->LongestSegment) * a->HeadDim) + (3 * Tile * a->HeadDim) + (2 * Tile * Tile) + (2 * Tile);

    [UnmanagedCallersOnly]
    public static void Body(long begin, long end, void* context) => Workers.Enter<AttentionBackward>(begin, end, context);

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
        int padded = (int)AttentionTiles.RoundUp(length);
        nint block = (nint)padded * width;
        Sample sample = new()
        {
            KeyPanels = scratch,
            ValuePanels = scratch + block,
            Keys = scratch + (2 * block),
            Dk = scratch + (3 * block),
            Dv = scratch + (4 * block),
        };
        Tiles tiles = new() { Q = scratch + (5 * block) };
        tiles.Do = tiles.Q + (Tile * width);
        tiles.Dq = tiles.Do + (Tile * width);
        tiles.P = tiles.Dq + (Tile * width);
        tiles.Ds = tiles.P + (Tile * Tile);
        tiles.LogSum = tiles.Ds + (Tile * Tile);
        tiles.Delta = tiles.LogSum + Tile;

        nint stride = (nint)a->NumKvHeads * width;
        long firstKey = ((start * a->NumKvHeads) + head) * width * TElement.Size;
        AttentionTiles.Read<TLanes, TVector, TElement>(a, a->V + firstKey, stride, start, length, sample.Keys, 1f, turn: false);
        AttentionTiles.Transpose(sample.Keys, padded, width, sample.ValuePanels);
        AttentionTiles.Read<TLanes, TVector, TElement>(a, a->K + firstKey, stride, start, length, sample.Keys, 1f, turn: true);
        AttentionTiles.Transpose(sample.Keys, padded, width, sample.KeyPanels);
        new Span<float>(sample.Dk, 2 * padded * width).Clear();
        for (int n = head * groups; n < (head + 1) * groups; n++)
        {
            for (int first = 0; first < length; first += Tile)
            {
                QueryTile<TLanes, TVector, TElement>(a, sample, tiles, start, first, Math.Min(Tile, length - first), n);
            }
        }

        // q carried scale·log2(e); the gradient of the key wants scale alone.
        AttentionTiles.Write<TLanes, TVector, TElement>(
            a, a->KGradient + firstKey, stride, start, length, sample.Dk, 1f / AttentionTiles.Log2E, turn: true);
        AttentionTiles.Write<TLanes, TVector, TElement>(a, a->VGradient + firstKey, stride, start, length, sample.Dv, 1f, turn: false);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void QueryTile<TLanes, TVector, TElement>(
        AttentionArguments* a, Sample sample, Tiles t, long start, int first, int count, int n)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        int width = a->HeadDim;
        nint stride = (nint)a->NumHeads * width;
        long token = start + first;
        long offset = ((token * a->NumHeads) + n) * width * TElement.Size;
        AttentionTiles.Read<TLanes, TVector, TElement>(
            a, a->Q + offset, stride, token, count, t.Q, a->Scale * AttentionTiles.Log2E, turn: true);
        AttentionTiles.Read<TLanes, TVector, TElement>(a, a->OutGradient + offset, stride, token, count, t.Do, 1f, turn: false);
        for (int row = 0; row < Tile; row++)
        {
            t.LogSum[row] = row < count ? a->LogSum[((token + row) * a->NumHeads) + n] : 0f;
            TVector delta = TLanes.Zero;
            for (int h = 0; row < count && h < width; h += TLanes.Count)
            {
                TVector o = TElement.Load<TLanes, TVector>(a->Out + offset, (row * stride) + h);
                delta = TLanes.Fma(o, TLanes.Load(t.Do + (row * width) + h), delta);
            }

            t.Delta[row] = TLanes.Sum(delta);
        }

        new Span<float>(t.Dq, Tile * width).Clear();
        for (int key = 0; key <= first; key += Tile)
        {
            nint at = (nint)key * width;
            SmallProduct.Run<TLanes, TVector>(
                Tile, Tile, width, t.Q, width, 1, sample.KeyPanels + at, Tile, t.P, Tile, accumulate: false);
            SmallProduct.Run<TLanes, TVector>(
                Tile, Tile, width, t.Do, width, 1, sample.ValuePanels + at, Tile, t.Ds, Tile, accumulate: false);
            Weigh<TLanes, TVector>(t, diagonal: key == first);
            SmallProduct.Run<TLanes, TVector>(
                Tile, width, Tile, t.P, 1, Tile, t.Do, width, sample.Dv + at, width, accumulate: true);
            SmallProduct.Run<TLanes, TVector>(
                Tile, width, Tile, t.Ds, 1, Tile, t.Q, width, sample.Dk + at, width, accumulate: true);
            SmallProduct.Run<TLanes, TVector>(
                Tile, width, Tile, t.Ds, Tile, 1, sample.Keys + at, width, t.Dq, width, accumulate: true);
        }

        AttentionTiles.Write<TLanes, TVector, TElement>(
            a, a->QGradient + offset, stride, token, count, t.Dq, a->Scale, turn: true);
    }

    /// <summary>Scores to weights, and the weights' gradients to the scores'. Rows beyond the sample have q = do = 0 and add nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh<TLanes, TVector>(Tiles t, bool diagonal)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        for (int row = 0; row < Tile; row++)
        {
            float* p = t.P + (row * Tile);
            float* ds = t.Ds + (row * Tile);
            if (diagonal)
            {
                new Span<float>(p + row + 1, Tile - row - 1).Fill(float.NegativeInfinity);
            }

            TVector logSum = TLanes.Create(t.LogSum[row]);
            TVector delta = TLanes.Create(t.Delta[row]);
            for (int i = 0; i < Tile; i += TLanes.Count)
            {
                TVector weight = VectorMath.Exp2<TLanes, TVector>(TLanes.Sub(TLanes.Load(p + i), logSum));
                TLanes.Store(p + i, weight);
                TLanes.Store(ds + i, TLanes.Mul(weight, TLanes.Sub(TLanes.Load(ds + i), delta)));
            }
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Sample
    {
        public float* KeyPanels, ValuePanels; // [H, 64] each
        public float* Keys;                   // rows
        public float* Dk, Dv;                 // rows, one behind the other
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Tiles
    {
        public float* Q, Do, Dq;      // [64, H]
        public float* P, Ds;          // [64, 64]
        public float* LogSum, Delta;  // [64]
    }
}
