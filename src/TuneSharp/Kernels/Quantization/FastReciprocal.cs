using System.Runtime.CompilerServices;
using TuneSharp.Backend;

namespace TuneSharp.Kernels;

/// <summary>1/x as a GPU's fast division computes it (PTX <c>rcp.approx.ftz.f32</c>): what bitsandbytes' scales are inverted by.</summary>
/// <remarks>
/// The instruction is off by one in the last place for a few arguments, and where a weight lies half-way between two codes that decides.
/// Scales are magnitudes of weights; for bf16 and fp16 ones, whose fractions have ten bits at most, <see cref="Low"/> and
/// <see cref="High"/> list the fractions whose reciprocal comes out one too low or too high. For others the correctly rounded quotient is taken.
/// </remarks>
internal static class FastReciprocal
{
    private const uint FractionMask = 0x7f_ffff;
    private const int HalfShift = 13; // fp32 has 23 fraction bits, fp16 ten

    /// <summary>Upper ten fraction bits (the lower ones being zero) whose reciprocal is one too low, as an H100 computes it.</summary>
    private static ReadOnlySpan<ushort> Low =>
    [
        6, 14, 32, 46, 62, 70, 77, 86, 87, 88, 126, 127, 135, 160, 176, 179, 214, 219, 221, 274, 287, 325, 349, 401,
        415, 443, 445, 473, 474, 558, 614, 751, 783, 950, 954, 956, 957, 965, 1010, 1016,
    ];

    /// <summary>The same, one too high.</summary>
    private static ReadOnlySpan<ushort> High =>
    [
        11, 17, 18, 20, 48, 91, 97, 98, 104, 105, 113, 138, 147, 148, 153, 203, 204, 209, 225, 226, 252, 260, 296, 298,
        304, 305, 346, 371, 386, 395, 396, 403, 408, 409, 417, 425, 439, 449, 453, 454, 458, 467, 481, 488, 498, 505,
        507, 519, 520, 521, 528, 531, 543, 547, 563, 564, 627, 647, 648, 650, 651, 667, 675, 676, 687, 700, 701, 724,
        728, 785, 786, 787, 789, 805, 807, 813, 823, 872, 874, 876, 878, 893, 920, 923, 928, 944, 968, 987, 988, 997,
    ];

    private static readonly sbyte[] Deltas = MakeDeltas();
    private static readonly Dictionary<string, Tensor> OnDevice = new(StringComparer.Ordinal);

    /// <summary>The reciprocal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Of(float x)
    {
        uint fraction = BitConverter.SingleToUInt32Bits(x) & FractionMask;
        float exact = 1f / x;
        return (fraction & ((1u << HalfShift) - 1)) == 0 && Deltas[fraction >> HalfShift] is var delta && delta != 0 && float.IsFinite(exact)
            ? BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(exact) + delta) : exact;
    }

    /// <summary>The reciprocals of fp32 numbers that are not negative.</summary>
    public static Tensor Of(Tensor x)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor fraction = Aten.ViewAs(x.contiguous(), ScalarType.Int32).bitwise_and((int)FractionMask);
        Tensor half = fraction.remainder(1 << HalfShift).eq(0);
        Tensor delta = Table(x.device).index_select(0, fraction.reshape(-1).div(1 << HalfShift, RoundingMode.floor).to(ScalarType.Int64)).reshape(x.shape);
        Tensor exact = x.reciprocal();
        return Aten.ViewAs(Aten.ViewAs(exact, ScalarType.Int32) + (delta * half), ScalarType.Float32).MoveToOuterDisposeScope();
    }

    private static Tensor Table(Device device)
    {
        lock (OnDevice)
        {
            string key = device.ToString();
            if (!OnDevice.TryGetValue(key, out Tensor? table))
            {
                OnDevice[key] = table = tensor([.. Deltas.Select(d => (int)d)], device: device).DetachFromDisposeScope();
            }

            return table;
        }
    }

    private static sbyte[] MakeDeltas()
    {
        sbyte[] deltas = new sbyte[1 << 10];
        foreach (ushort fraction in Low)
        {
            deltas[fraction] = -1;
        }

        foreach (ushort fraction in High)
        {
            deltas[fraction] = 1;
        }

        return deltas;
    }
}
