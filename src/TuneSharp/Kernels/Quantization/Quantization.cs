namespace TuneSharp.Kernels;

/// <summary>How a frozen weight is held.</summary>
public enum QuantType
{
    /// <summary>4 bits; the 16 values are quantiles of a normal distribution. Paper: https://arxiv.org/abs/2305.14314.</summary>
    Nf4,

    /// <summary>4 bits: sign, two exponent bits, one fraction bit.</summary>
    Fp4,

    /// <summary>8 bits; whole numbers, one scale for each row (LLM.int8, weights only). Paper: https://arxiv.org/abs/2208.07339.</summary>
    Int8,
}

/// <summary>How frozen weights are quantised; the defaults are QLoRA's.</summary>
/// <param name="Type">The values that a code stands for.</param>
/// <param name="DoubleQuant">Hold the blocks' scales in 8 bits too (4-bit types only).</param>
/// <param name="BlockSize">Weights that share a scale (4-bit types only); a power of two.</param>
public sealed record Quantization(QuantType Type = QuantType.Nf4, bool DoubleQuant = true, int BlockSize = Quantization.DefaultBlockSize)
{
    /// <summary>bitsandbytes' block of 4-bit weights.</summary>
    public const int DefaultBlockSize = 64;

    /// <summary>Scales that share a scale of their own.</summary>
    public const int NestedBlockSize = 256;

    /// <summary>Bytes that a weight of so many elements takes.</summary>
    /// <param name="count">Elements.</param>
    /// <param name="rows">Rows, for <see cref="QuantType.Int8"/>.</param>
    public long Bytes(long count, long rows)
    {
        if (Type == QuantType.Int8)
        {
            return count + (rows * sizeof(float));
        }

        long scales = Ceil(count, BlockSize);
        long codes = Ceil(count, 2);
        return DoubleQuant ? codes + scales + (Ceil(scales, NestedBlockSize) * sizeof(float)) + sizeof(float) : codes + (scales * sizeof(float));
    }

    internal static long Ceil(long a, long b) => (a + b - 1) / b;
}
