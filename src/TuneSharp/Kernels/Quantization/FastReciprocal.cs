using System.Runtime.CompilerServices;
using TuneSharp.Backend;

namespace TuneSharp.Kernels;

/// <summary>1/x as a GPU's fast division computes it (PTX <c>rcp.approx.ftz.f32</c>): what bitsandbytes' scales are inverted by.</summary>
/// <remarks>
/// The instruction is off by one in the last place for a few arguments, and where a weight lies half-way between two codes that decides.
/// Scales are magnitudes of weights; for bf16 and fp16 ones, whose fractions have ten bits at most, <see cref="Low"/> lists the fractions
/// whose reciprocal comes out one too low. For others the correctly rounded quotient is taken.
/// </remarks>
internal static class FastReciprocal
{
    private const uint FractionMask = 0x7f_ffff;
    private const int HalfShift = 13; // fp32 has 23 fraction bits, fp16 ten

    /// <summary>Upper ten fraction bits, the lower ones being zero.</summary>
    private static ReadOnlySpan<ushort> Low => [160, 176];

    private static readonly sbyte[] Deltas = MakeDeltas();
    private static readonly Dictionary<string, Tensor> OnDevice = new(StringComparer.Ordinal);

    /// <summary>The reciprocal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Of(float x)
    {
        uint fraction = BitConverter.SingleToUInt32Bits(x) & FractionMask;
        float exact = 1f / x;
        return (fraction & ((1u << HalfShift) - 1)) == 0 && Deltas[fraction >> HalfShift] != 0 ? MathF.BitDecrement(exact) : exact;
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

        return deltas;
    }
}
