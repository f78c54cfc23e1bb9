using System.Runtime.CompilerServices;

namespace TuneSharp.Kernels;

/// <summary>Functions over registers, within about one unit in the last place of fp32.</summary>
internal static class VectorMath
{
    private const float Log2E = 1.44269504f;
    private const float Ln2High = 0.693145752f;     // twelve bits: n·Ln2High is exact
    private const float Ln2Low = 1.42860677e-6f;

    /// <summary>2^x: 0 below −126, ∞ above 127.99.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp2<TLanes, TVector>(TVector x)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        TVector n = TLanes.Round(x);
        TVector f = TLanes.Sub(x, n); // in [−½, ½]
        TVector p = TLanes.Create(1.5403530e-4f); // ln2^k / k!, the last ones fitted
        p = TLanes.Fma(p, f, TLanes.Create(1.3333558e-3f));
        p = TLanes.Fma(p, f, TLanes.Create(9.6181291e-3f));
        p = TLanes.Fma(p, f, TLanes.Create(5.5504109e-2f));
        p = TLanes.Fma(p, f, TLanes.Create(2.4022651e-1f));
        p = TLanes.Fma(p, f, TLanes.Create(6.9314718e-1f));
        p = TLanes.Fma(p, f, TLanes.Create(1f));
        return Finish<TLanes, TVector>(x, n, p, -126f, 127f);
    }

    /// <summary>e^x: 0 below −87.3, ∞ above 88.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp<TLanes, TVector>(TVector x)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        TVector n = TLanes.Round(TLanes.Mul(x, TLanes.Create(Log2E)));
        TVector r = TLanes.Fma(n, TLanes.Create(-Ln2High), x);
        r = TLanes.Fma(n, TLanes.Create(-Ln2Low), r);
        TVector p = TLanes.Create(1f / 720);
        p = TLanes.Fma(p, r, TLanes.Create(1f / 120));
        p = TLanes.Fma(p, r, TLanes.Create(1f / 24));
        p = TLanes.Fma(p, r, TLanes.Create(1f / 6));
        p = TLanes.Fma(p, r, TLanes.Create(0.5f));
        p = TLanes.Fma(p, r, TLanes.Create(1f));
        p = TLanes.Fma(p, r, TLanes.Create(1f));
        return Finish<TLanes, TVector>(x, n, p, -87.33f, 88f);
    }

    /// <summary>1 / (1 + e^−x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Sigmoid<TLanes, TVector>(TVector x)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        TVector one = TLanes.Create(1f);
        return TLanes.Div(one, TLanes.Add(one, Exp<TLanes, TVector>(TLanes.Sub(TLanes.Zero, x))));
    }

    /// <summary>p·2^n, with 0 and ∞ beyond the ends. A NaN in x is in p and passes through.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Finish<TLanes, TVector>(TVector x, TVector n, TVector p, float lowest, float highest)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        TVector y = TLanes.Mul(p, TLanes.PowerOfTwo(n));
        y = TLanes.Greater(TLanes.Create(lowest), x, TLanes.Zero, y);
        return TLanes.Greater(x, TLanes.Create(highest), TLanes.Create(float.PositiveInfinity), y);
    }
}
