using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TuneSharp.Kernels;

/// <summary>Eight floats: AVX2.</summary>
internal readonly unsafe struct Lanes256 : ILanes<Vector256<float>>
{
    public static int Count => Vector256<float>.Count;

    public static Vector256<float> Zero => Vector256<float>.Zero;

    public static Vector256<float> Alternating
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector256.Create(-1f, 1f, -1f, 1f, -1f, 1f, -1f, 1f);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Create(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* p) => Vector256.Load(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* p, Vector256<float> x) => x.Store(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadBf16(ushort* p)
    {
        Vector128<ushort> raw = Vector128.Load(p);
        Vector256<uint> wide = Avx2.IsSupported
            ? Avx2.ConvertToVector256Int32(raw).AsUInt32()
            : Vector256.Create(Vector128.WidenLower(raw), Vector128.WidenUpper(raw));
        return Vector256.ShiftLeft(wide, 16).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBf16(ushort* p, Vector256<float> x)
    {
        Vector256<uint> bits = x.AsUInt32();
        Vector256<uint> odd = Vector256.ShiftRightLogical(bits, 16) & Vector256<uint>.One;
        Vector256<uint> rounded = bits + odd + Vector256.Create(0x7fffu);
        Vector256<uint> kept = Vector256.ConditionalSelect(
            Vector256.Equals(x, x).AsUInt32(), rounded, Vector256.Create(0x7fc00000u));
        Vector256<uint> high = Vector256.ShiftRightLogical(kept, 16);
        Vector128.Narrow(high.GetLower(), high.GetUpper()).Store(p);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Sub(Vector256<float> a, Vector256<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Mul(Vector256<float> a, Vector256<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Div(Vector256<float> a, Vector256<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Fma(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Vector256.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Vector256.MaxNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Round(Vector256<float> x) => Vector256.Round(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> PowerOfTwo(Vector256<float> n)
    {
        // The exponent field is n + 127. Adding 2^23 leaves n + 127 in the low bits of the sum, without a conversion.
        Vector256<float> biased = n + Vector256.Create(8388608f + 127f);
        return Vector256.ShiftLeft(biased.AsInt32(), 23).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Greater(
        Vector256<float> a, Vector256<float> b, Vector256<float> yes, Vector256<float> no) =>
        Vector256.ConditionalSelect(Vector256.GreaterThan(a, b), yes, no);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> x) => Vector256.Sum(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector256<float> x)
    {
        Vector128<float> y = Vector128.MaxNative(x.GetLower(), x.GetUpper());
        return Lanes128.MaxAcross(y);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SwapPairs(Vector256<float> x) => Vector256.Shuffle(x, Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> DuplicateEven(Vector256<float> x) => Vector256.Shuffle(x, Vector256.Create(0, 0, 2, 2, 4, 4, 6, 6));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> DuplicateOdd(Vector256<float> x) => Vector256.Shuffle(x, Vector256.Create(1, 1, 3, 3, 5, 5, 7, 7));
}
