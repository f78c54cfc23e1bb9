using System.Runtime.CompilerServices;

namespace TuneSharp.Kernels;

/// <summary>Copies rows of heads between tensors and fp32 tiles, turning them by their position on the way.</summary>
internal static unsafe class AttentionTiles
{
    /// <summary>Rows of a query tile and columns of a key tile.</summary>
    public const int Tile = 64;

    /// <summary>log2(e).</summary>
    public const float Log2E = 1.44269504f;

    /// <summary>The next multiple of <see cref="Tile"/>.</summary>
    public static long RoundUp(long length) => (length + Tile - 1) / Tile * Tile;

    /// <summary>Reads rows into a row-major tile.</summary>
    /// <param name="a">For the angles.</param>
    /// <param name="source">First row.</param>
    /// <param name="stride">Elements between rows.</param>
    /// <param name="token">Token of the first row.</param>
    /// <param name="count">Rows; the tile is filled up with zero rows to a multiple of <see cref="Tile"/>.</param>
    /// <param name="tile">[rows, H].</param>
    /// <param name="scale">Factor.</param>
    /// <param name="turn">Whether to rotate.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Read<TLanes, TVector, TElement>(
        AttentionArguments* a, byte* source, nint stride, long token, int count, float* tile, float scale, bool turn)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        int width = a->HeadDim;
        for (int row = 0; row < count; row++)
        {
            float* angles = turn ? a->AnglesOf(token + row) : null;
            for (int h = 0; h < width; h += TLanes.Count)
            {
                TVector x = TLanes.Mul(TElement.Load<TLanes, TVector>(source, (row * stride) + h), TLanes.Create(scale));
                TLanes.Store(tile + (row * width) + h, angles == null ? x : Turn<TLanes, TVector>(x, angles + h, 1f));
            }
        }

        int rows = (int)RoundUp(count);
        new Span<float>(tile + (count * width), (rows - count) * width).Clear();
    }

    /// <summary>Writes a tile's rows back, times a factor, turned the other way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Write<TLanes, TVector, TElement>(
        AttentionArguments* a, byte* target, nint stride, long token, int count, float* tile, float scale, bool turn)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        int width = a->HeadDim;
        for (int row = 0; row < count; row++)
        {
            float* angles = turn ? a->AnglesOf(token + row) : null;
            for (int h = 0; h < width; h += TLanes.Count)
            {
                TVector x = TLanes.Mul(TLanes.Load(tile + (row * width) + h), TLanes.Create(scale));
                TElement.Store<TLanes, TVector>(target, (row * stride) + h, angles == null ? x : Turn<TLanes, TVector>(x, angles + h, -1f));
            }
        }
    }

    /// <summary>Rearranges row-major tiles [64, H] into column panels [H, 64].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(float* tile, int rows, int width, float* panels)
    {
        for (int first = 0; first < rows; first += Tile)
        {
            float* from = tile + (first * width);
            float* to = panels + (first * width);
            for (int h = 0; h < width; h++)
            {
                for (int row = 0; row < Tile; row++)
                {
                    to[(h * Tile) + row] = from[(row * width) + h];
                }
            }
        }
    }

    /// <summary>(a, b) to (a·cos − b·sin, b·cos + a·sin) for neighbours; direction −1 turns back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Turn<TLanes, TVector>(TVector x, float* angles, float direction)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        TVector both = TLanes.Load(angles);
        TVector cos = TLanes.DuplicateEven(both);
        TVector sin = TLanes.Mul(TLanes.DuplicateOdd(both), TLanes.Mul(TLanes.Alternating, TLanes.Create(direction)));
        return TLanes.Fma(TLanes.SwapPairs(x), sin, TLanes.Mul(x, cos));
    }
}
