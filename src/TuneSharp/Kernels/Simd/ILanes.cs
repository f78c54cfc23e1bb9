namespace TuneSharp.Kernels;

/// <summary>The few vector operations that kernels need, so that each kernel is written once for every register width.</summary>
/// <remarks>All arithmetic is fp32; bf16 exists only in memory. Nothing here allocates or throws.</remarks>
/// <typeparam name="TVector">A register full of fp32.</typeparam>
internal unsafe interface ILanes<TVector>
    where TVector : struct
{
    /// <summary>Floats in a register.</summary>
    static abstract int Count { get; }

    static abstract TVector Zero { get; }

    static abstract TVector Create(float value);

    static abstract TVector Load(float* p);

    static abstract void Store(float* p, TVector x);

    static abstract TVector LoadBf16(ushort* p);

    /// <summary>Rounds to nearest, ties to even, as libtorch does; NaN stays NaN.</summary>
    static abstract void StoreBf16(ushort* p, TVector x);

    static abstract TVector Add(TVector a, TVector b);

    static abstract TVector Sub(TVector a, TVector b);

    static abstract TVector Mul(TVector a, TVector b);

    static abstract TVector Div(TVector a, TVector b);

    /// <summary>a·b + c, rounded once where the machine can.</summary>
    static abstract TVector Fma(TVector a, TVector b, TVector c);

    /// <summary>The larger of each pair; which one is taken beside a NaN is not defined.</summary>
    static abstract TVector Max(TVector a, TVector b);

    static abstract TVector Round(TVector x);

    /// <summary>2^n for whole n in [−126, 127].</summary>
    static abstract TVector PowerOfTwo(TVector n);

    /// <summary><paramref name="yes"/> where a &gt; b, else <paramref name="no"/>.</summary>
    static abstract TVector Greater(TVector a, TVector b, TVector yes, TVector no);

    static abstract float Sum(TVector x);

    static abstract float MaxAcross(TVector x);

    /// <summary>(a, b, c, d …) to (b, a, d, c …).</summary>
    static abstract TVector SwapPairs(TVector x);

    /// <summary>(a, b, c, d …) to (a, a, c, c …).</summary>
    static abstract TVector DuplicateEven(TVector x);

    /// <summary>(a, b, c, d …) to (b, b, d, d …).</summary>
    static abstract TVector DuplicateOdd(TVector x);

    /// <summary>−1, +1, −1, +1 …</summary>
    static abstract TVector Alternating { get; }
}
