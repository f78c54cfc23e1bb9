using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TuneSharp.Kernels;

/// <summary>Four floats: SSE, NEON, and what the runtime emulates where neither is there.</summary>
internal readonly unsafe struct Lanes128 : ILanes<Vector128<float>>
{
    public static int Count => Vector128<float>.Count;

    public static Vector128<float> Zero => Vector128<float>.Zero;

    public static Vector128<float> Alternating
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector128.Create(-1f, 1f, -1f, 1f);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Create(float value) => Vector128.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load(float* p) => Vector128.Load(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* p, Vector128<float> x) => x.Store(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadBf16(ushort* p)
    {
        return Vector128.ShiftLeft(Vector128.WidenLower(Vector64.Load(p).ToVector128Unsafe()), 16).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBf16(ushort* p, Vector128<float> x)
    {
        Vector128<uint> bits = x.AsUInt32();
        Vector128<uint> odd = Vector128.ShiftRightLogical(bits, 16) & Vector128<uint>.One;
        Vector128<uint> rounded = bits + odd + Vector128.Create(0x7fffu);
        Vector128<uint> kept = Vector128.ConditionalSelect(
            Vector128.Equals(x, x).AsUInt32(), rounded, Vector128.Create(0x7fc00000u));
        Vector128<uint> high = Vector128.ShiftRightLogical(kept, 16);
        Vector128.Narrow(high, high).GetLower().Store(p);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sub(Vector128<float> a, Vector128<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Mul(Vector128<float> a, Vector128<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Div(Vector128<float> a, Vector128<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Fma(Vector128<float> a, Vector128<float> b, Vector128<float> c) =>
        Vector128.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max(Vector128<float> a, Vector128<float> b) => Vector128.MaxNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Round(Vector128<float> x) => Vector128.Round(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> PowerOfTwo(Vector128<float> n)
    {
        // The exponent field is n + 127. Adding 2^23 leaves n + 127 in the low bits of the sum, without a conversion.
        Vector128<float> biased = n + Vector128.Create(8388608f + 127f);
        return Vector128.ShiftLeft(biased.AsInt32(), 23).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Greater(
        Vector128<float> a, Vector128<float> b, Vector128<float> yes, Vector128<float> no) =>
        Vector128.ConditionalSelect(Vector128.GreaterThan(a, b), yes, no);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector128<float> x) => Vector128.Sum(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector128<float> x)
    {
        Vector128<float> y = Vector128.MaxNative(x, Vector128.Shuffle(x, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(y, Vector128.Shuffle(y, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SwapPairs(Vector128<float> x) => Vector128.Shuffle(x, Vector128.Create(1, 0, 3, 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> DuplicateEven(Vector128<float> x) => Vector128.Shuffle(x, Vector128.Create(0, 0, 2, 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> DuplicateOdd(Vector128<float> x) => Vector128.Shuffle(x, Vector128.Create(1, 1, 3, 3));
}
