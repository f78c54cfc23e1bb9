using System.Runtime.CompilerServices;

namespace TuneSharp.Kernels;

/// <summary>Products of small fp32 blocks that lie in a core's own cache: C = A·B or C += A·B.</summary>
internal static unsafe class SmallProduct
{
    /// <summary>Multiplies.</summary>
    /// <param name="rows">Rows of A and C; a multiple of 4.</param>
    /// <param name="columns">Columns of B and C; a multiple of the register width.</param>
    /// <param name="depth">Columns of A, rows of B.</param>
    /// <param name="a">A; its element (r, k) lies at r·aRow + k·aDepth, so a transposed A costs nothing.</param>
    /// <param name="aRow">Floats between rows of A.</param>
    /// <param name="aDepth">Floats between columns of A.</param>
    /// <param name="b">B, rows dense.</param>
    /// <param name="bRow">Floats between rows of B.</param>
    /// <param name="c">C, rows dense.</param>
    /// <param name="cRow">Floats between rows of C.</param>
    /// <param name="accumulate">Add to what C holds.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TLanes, TVector>(
        int rows, int columns, int depth, float* a, nint aRow, nint aDepth, float* b, nint bRow, float* c, nint cRow, bool accumulate)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        int column = 0;
        if (TLanes.Count == 16)
        {
            // 16 sums, 4 parts of B and 1 of A: within the 32 registers that 512-bit machines have.
            for (; column + (4 * TLanes.Count) <= columns; column += 4 * TLanes.Count)
            {
                for (int row = 0; row < rows; row += 4)
                {
                    FourByFour<TLanes, TVector>(
                        depth, a + (row * aRow), aRow, aDepth, b + column, bRow, c + (row * cRow) + column, cRow, accumulate);
                }
            }
        }

        for (; column + (2 * TLanes.Count) <= columns; column += 2 * TLanes.Count)
        {
            for (int row = 0; row < rows; row += 4)
            {
                FourByTwo<TLanes, TVector>(
                    depth, a + (row * aRow), aRow, aDepth, b + column, bRow, c + (row * cRow) + column, cRow, accumulate);
            }
        }

        for (; column < columns; column += TLanes.Count)
        {
            for (int row = 0; row < rows; row += 4)
            {
                FourByOne<TLanes, TVector>(
                    depth, a + (row * aRow), aRow, aDepth, b + column, bRow, c + (row * cRow) + column, cRow, accumulate);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByFour<TLanes, TVector>(
        int depth, float* a, nint aRow, nint aDepth, float* b, nint bRow, float* c, nint cRow, bool accumulate)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        int w = TLanes.Count;
        TVector c00 = TLanes.Zero, c01 = TLanes.Zero, c02 = TLanes.Zero, c03 = TLanes.Zero;
        TVector c10 = TLanes.Zero, c11 = TLanes.Zero, c12 = TLanes.Zero, c13 = TLanes.Zero;
        TVector c20 = TLanes.Zero, c21 = TLanes.Zero, c22 = TLanes.Zero, c23 = TLanes.Zero;
        TVector c30 = TLanes.Zero, c31 = TLanes.Zero, c32 = TLanes.Zero, c33 = TLanes.Zero;
        if (accumulate)
        {
            (c00, c01, c02, c03) = (TLanes.Load(c), TLanes.Load(c + w), TLanes.Load(c + (2 * w)), TLanes.Load(c + (3 * w)));
            (c10, c11, c12, c13) = (TLanes.Load(c + cRow), TLanes.Load(c + cRow + w), TLanes.Load(c + cRow + (2 * w)), TLanes.Load(c + cRow + (3 * w)));
            (c20, c21, c22, c23) = (TLanes.Load(c + (2 * cRow)), TLanes.Load(c + (2 * cRow) + w), TLanes.Load(c + (2 * cRow) + (2 * w)), TLanes.Load(c + (2 * cRow) + (3 * w)));
            (c30, c31, c32, c33) = (TLanes.Load(c + (3 * cRow)), TLanes.Load(c + (3 * cRow) + w), TLanes.Load(c + (3 * cRow) + (2 * w)), TLanes.Load(c + (3 * cRow) + (3 * w)));
        }

        for (int k = 0; k < depth; k++)
        {
            TVector b0 = TLanes.Load(b);
            TVector b1 = TLanes.Load(b + w);
            TVector b2 = TLanes.Load(b + (2 * w));
            TVector b3 = TLanes.Load(b + (3 * w));
            TVector a0 = TLanes.Create(*a);
            c00 = TLanes.Fma(a0, b0, c00);
            c01 = TLanes.Fma(a0, b1, c01);
            c02 = TLanes.Fma(a0, b2, c02);
            c03 = TLanes.Fma(a0, b3, c03);
            TVector a1 = TLanes.Create(a[aRow]);
            c10 = TLanes.Fma(a1, b0, c10);
            c11 = TLanes.Fma(a1, b1, c11);
            c12 = TLanes.Fma(a1, b2, c12);
            c13 = TLanes.Fma(a1, b3, c13);
            TVector a2 = TLanes.Create(a[2 * aRow]);
            c20 = TLanes.Fma(a2, b0, c20);
            c21 = TLanes.Fma(a2, b1, c21);
            c22 = TLanes.Fma(a2, b2, c22);
            c23 = TLanes.Fma(a2, b3, c23);
            TVector a3 = TLanes.Create(a[3 * aRow]);
            c30 = TLanes.Fma(a3, b0, c30);
            c31 = TLanes.Fma(a3, b1, c31);
            c32 = TLanes.Fma(a3, b2, c32);
            c33 = TLanes.Fma(a3, b3, c33);
            a += aDepth;
            b += bRow;
        }

        TLanes.Store(c, c00);
        TLanes.Store(c + w, c01);
        TLanes.Store(c + (2 * w), c02);
        TLanes.Store(c + (3 * w), c03);
        TLanes.Store(c + cRow, c10);
        TLanes.Store(c + cRow + w, c11);
        TLanes.Store(c + cRow + (2 * w), c12);
        TLanes.Store(c + cRow + (3 * w), c13);
        TLanes.Store(c + (2 * cRow), c20);
        TLanes.Store(c + (2 * cRow) + w, c21);
        TLanes.Store(c + (2 * cRow) + (2 * w), c22);
        TLanes.Store(c + (2 * cRow) + (3 * w), c23);
        TLanes.Store(c + (3 * cRow), c30);
        TLanes.Store(c + (3 * cRow) + w, c31);
        TLanes.Store(c + (3 * cRow) + (2 * w), c32);
        TLanes.Store(c + (3 * cRow) + (3 * w), c33);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByTwo<TLanes, TVector>(
        int depth, float* a, nint aRow, nint aDepth, float* b, nint bRow, float* c, nint cRow, bool accumulate)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        int w = TLanes.Count;
        TVector c00 = TLanes.Zero, c01 = TLanes.Zero;
        TVector c10 = TLanes.Zero, c11 = TLanes.Zero;
        TVector c20 = TLanes.Zero, c21 = TLanes.Zero;
        TVector c30 = TLanes.Zero, c31 = TLanes.Zero;
        if (accumulate)
        {
            (c00, c01) = (TLanes.Load(c), TLanes.Load(c + w));
            (c10, c11) = (TLanes.Load(c + cRow), TLanes.Load(c + cRow + w));
            (c20, c21) = (TLanes.Load(c + (2 * cRow)), TLanes.Load(c + (2 * cRow) + w));
            (c30, c31) = (TLanes.Load(c + (3 * cRow)), TLanes.Load(c + (3 * cRow) + w));
        }

        for (int k = 0; k < depth; k++)
        {
            TVector b0 = TLanes.Load(b);
            TVector b1 = TLanes.Load(b + w);
            TVector a0 = TLanes.Create(*a);
            c00 = TLanes.Fma(a0, b0, c00);
            c01 = TLanes.Fma(a0, b1, c01);
            TVector a1 = TLanes.Create(a[aRow]);
            c10 = TLanes.Fma(a1, b0, c10);
            c11 = TLanes.Fma(a1, b1, c11);
            TVector a2 = TLanes.Create(a[2 * aRow]);
            c20 = TLanes.Fma(a2, b0, c20);
            c21 = TLanes.Fma(a2, b1, c21);
            TVector a3 = TLanes.Create(a[3 * aRow]);
            c30 = TLanes.Fma(a3, b0, c30);
            c31 = TLanes.Fma(a3, b1, c31);
            a += aDepth;
            b += bRow;
        }

        TLanes.Store(c, c00);
        TLanes.Store(c + w, c01);
        TLanes.Store(c + cRow, c10);
        TLanes.Store(c + cRow + w, c11);
        TLanes.Store(c + (2 * cRow), c20);
        TLanes.Store(c + (2 * cRow) + w, c21);
        TLanes.Store(c + (3 * cRow), c30);
        TLanes.Store(c + (3 * cRow) + w, c31);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByOne<TLanes, TVector>(
        int depth, float* a, nint aRow, nint aDepth, float* b, nint bRow, float* c, nint cRow, bool accumulate)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        int w = TLanes.Count;
        TVector c00 = TLanes.Zero;
        TVector c10 = TLanes.Zero;
        TVector c20 = TLanes.Zero;
        TVector c30 = TLanes.Zero;
        if (accumulate)
        {
            c00 = TLanes.Load(c);
            c10 = TLanes.Load(c + cRow);
            c20 = TLanes.Load(c + (2 * cRow));
            c30 = TLanes.Load(c + (3 * cRow));
        }

        for (int k = 0; k < depth; k++)
        {
            TVector b0 = TLanes.Load(b);
            TVector a0 = TLanes.Create(*a);
            c00 = TLanes.Fma(a0, b0, c00);
            TVector a1 = TLanes.Create(a[aRow]);
            c10 = TLanes.Fma(a1, b0, c10);
            TVector a2 = TLanes.Create(a[2 * aRow]);
            c20 = TLanes.Fma(a2, b0, c20);
            TVector a3 = TLanes.Create(a[3 * aRow]);
            c30 = TLanes.Fma(a3, b0, c30);
            a += aDepth;
            b += bRow;
        }

        TLanes.Store(c, c00);
        TLanes.Store(c + cRow, c10);
        TLanes.Store(c + (2 * cRow), c20);
        TLanes.Store(c + (3 * cRow), c30);
    }
}
