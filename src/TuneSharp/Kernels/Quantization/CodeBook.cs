namespace TuneSharp.Kernels;

/// <summary>The values that codes stand for, and the way from a number in [−1, 1] to the code of the nearest one.</summary>
/// <remarks>
/// Numbers are ranked by thresholds: the rank of x is how many thresholds lie below it. A table over the upper half of the float's bits
/// gives the rank of the bucket's least number, so one or two comparisons are left. Values, thresholds and ties are bitsandbytes'.
/// </remarks>
internal sealed class CodeBook
{
    private const int Buckets = 1 << 16;

    private static readonly Lock Gate = new();

    private readonly float[] _values;
    private readonly float[] _thresholds;
    private readonly byte[] _codeOfRank;
    private readonly byte[] _rankOfBucket = GC.AllocateUninitializedArray<byte>(Buckets, pinned: true);
    private readonly float[] _pairs;
    private readonly Dictionary<string, (Tensor Values, Tensor Thresholds, Tensor CodeOfRank)> _onDevice = new(StringComparer.Ordinal);

    private CodeBook(string name, ReadOnlySpan<float> values, ReadOnlySpan<float> thresholds, ReadOnlySpan<byte> codeOfRank)
    {
        Name = name;
        _values = Pinned(values);
        _thresholds = Pinned<float>([.. thresholds, float.PositiveInfinity]); // the guard ends the search
        _codeOfRank = Pinned(codeOfRank);
        _pairs = GC.AllocateUninitializedArray<float>(values.Length == 16 ? 512 : 0, pinned: true);
        for (int i = 0; i < _pairs.Length; i += 2)
        {
            (_pairs[i], _pairs[i + 1]) = (values[i >> 5], values[(i >> 1) & 15]); // the even element lies in the high nibble
        }

        byte ofNaN = (byte)codeOfRank.IndexOf((byte)0); // a block of zeros gives 0·∞; its code is 0
        for (int bucket = 0; bucket < Buckets; bucket++)
        {
            uint low = (uint)bucket << 16, high = low | 0xffff;
            float least = BitConverter.UInt32BitsToSingle((low & 0x8000_0000) != 0 ? high : low);
            _rankOfBucket[bucket] = (byte)(float.IsNaN(least) ? ofNaN : Rank(least, 0));
        }
    }

    /// <summary>NormalFloat4: quantiles of the normal distribution.</summary>
    public static CodeBook Nf4 { get; } = new(
        "nf4",
        [
            -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,
            -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
            0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f,
        ],
        [
            -0.8480964004993439f, -0.6106329262256622f, -0.4599952697753906f, -0.33967943489551544f, -0.23460740596055984f,
            -0.13791173323988914f, -0.045525018125772476f, 0.03979014977812767f, 0.1202552504837513f, 0.2035212516784668f,
            0.2920137718319893f, 0.3893125355243683f, 0.5016634166240692f, 0.6427869200706482f, 0.8614784181118011f,
        ],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

    /// <summary>4-bit floats, scaled to a largest value of 1. Bit 3 is the sign.</summary>
    public static CodeBook Fp4 { get; } = MakeFp4();

    /// <summary>The dynamic 8-bit map with both signs: more digits for numbers near 1, more range towards 0.</summary>
    public static CodeBook Dynamic { get; } = MakeDynamic(signed: true);

    /// <summary>The dynamic 8-bit map of numbers that are not negative.</summary>
    public static CodeBook DynamicUnsigned { get; } = MakeDynamic(signed: false);

    /// <summary>Name for messages, and in 4-bit files.</summary>
    public string Name { get; }

    /// <summary>The value of each code.</summary>
    public ReadOnlySpan<float> Values => _values;

    /// <summary>For kernels: where everything lies. The arrays do not move and live as long as the program.</summary>
    public unsafe CodeBookPointers Pointers => new(
        (float*)Address(_values), (float*)Address(_thresholds), (byte*)Address(_codeOfRank), (byte*)Address(_rankOfBucket), (float*)Address(_pairs));

    /// <summary>The book of a 4-bit type.</summary>
    public static CodeBook Of(QuantType type) => type == QuantType.Nf4 ? Nf4 : Fp4;

    /// <summary>The code of the value nearest to a number.</summary>
    public byte Encode(float x) => _codeOfRank[Rank(x, _rankOfBucket[BitConverter.SingleToUInt32Bits(x) >> 16])];

    /// <summary>Value of each code, thresholds, and code of each rank (int64), as tensors that live as long as the program.</summary>
    public (Tensor Values, Tensor Thresholds, Tensor CodeOfRank) On(Device device)
    {
        lock (Gate)
        {
            string key = device.ToString();
            if (!_onDevice.TryGetValue(key, out (Tensor, Tensor, Tensor) tensors))
            {
                tensors = (
                    tensor(_values, device: device).DetachFromDisposeScope(),
                    tensor(_thresholds[..^1], device: device).DetachFromDisposeScope(),
                    tensor([.. _codeOfRank.Select(c => (long)c)], device: device).DetachFromDisposeScope());
                _onDevice[key] = tensors;
            }

            return tensors;
        }
    }

    /// <summary>True when a file's table is this one.</summary>
    public bool IsTable(ReadOnlySpan<float> values) => values.SequenceEqual(_values);

    private int Rank(float x, int from)
    {
        while (x > _thresholds[from])
        {
            from++;
        }

        return from;
    }

    private static CodeBook MakeFp4()
    {
        ReadOnlySpan<float> magnitudes = [0, 0.0625f / 12, 8f / 12, 12f / 12, 4f / 12, 6f / 12, 2f / 12, 3f / 12];
        ReadOnlySpan<float> bounds = [0.00260417f, 0.0859375f, 0.20833333f, 0.29166667f, 0.4166667f, 0.583333f, 0.8333333f];
        ReadOnlySpan<byte> ascending = [0, 1, 6, 7, 4, 5, 2, 3]; // codes from the smallest magnitude up
        float[] values = new float[16], thresholds = new float[15];
        byte[] codes = new byte[16];
        for (int i = 0; i < 8; i++)
        {
            (values[i], values[i + 8]) = (magnitudes[i], -magnitudes[i]);
            (codes[8 + i], codes[7 - i]) = (ascending[i], (byte)(ascending[i] | 8));
        }

        thresholds[7] = MathF.BitDecrement(0); // x < 0 has the sign bit
        for (int i = 0; i < 7; i++)
        {
            // |x| > bound, for a negative x, is "not above the number just below −bound".
            (thresholds[8 + i], thresholds[6 - i]) = (bounds[i], MathF.BitDecrement(-bounds[i]));
        }

        return new CodeBook("fp4", values, thresholds, codes);
    }

    /// <summary>Seven decades; decade i has 2^i values of each sign (2^(i+1) without signs), the middles of equal parts of [0.1, 1].</summary>
    private static CodeBook MakeDynamic(bool signed)
    {
        const int Decades = 7;
        List<float> values = [0f, 1f];
        for (int i = 0; i < Decades; i++)
        {
            int parts = signed ? 1 << i : 2 << i;
            float step = (1f - 0.1f) / parts;
            float Bound(int k) => k < (parts + 1) / 2 // libtorch's linspace, which counts from both ends
                ? MathF.FusedMultiplyAdd(step, k, 0.1f) : MathF.FusedMultiplyAdd(-step, parts - k, 1f);
            float scale = (float)Math.Pow(10, i - Decades + 1);
            for (int k = 0; k < parts; k++)
            {
                float middle = (Bound(k) + Bound(k + 1)) / 2f * scale;
                values.Add(middle);
                if (signed)
                {
                    values.Add(-middle);
                }
            }
        }

        values.Sort();
        float[] thresholds = new float[values.Count - 1];
        for (int i = 0; i < thresholds.Length; i++)
        {
            // Half-way belongs to the even code: the search that defines the code ends on an even one.
            float half = (values[i] + values[i + 1]) * 0.5f;
            thresholds[i] = i % 2 == 0 ? half : MathF.BitDecrement(half);
        }

        return new CodeBook(signed ? "dynamic" : "dynamic unsigned", [.. values], thresholds, [.. Enumerable.Range(0, values.Count).Select(i => (byte)i)]);
    }

    private static T[] Pinned<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        T[] array = GC.AllocateUninitializedArray<T>(values.Length, pinned: true);
        values.CopyTo(array);
        return array;
    }

    private static unsafe void* Address<T>(T[] pinned)
        where T : unmanaged => (void*)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(pinned, 0);
}

/// <summary>A code book's tables in memory that does not move.</summary>
/// <param name="values">Value of each code.</param>
/// <param name="thresholds">In ascending order, with +∞ at the end.</param>
/// <param name="codeOfRank">Code of each rank.</param>
/// <param name="rankOfBucket">Rank of the least number with given upper 16 bits.</param>
/// <param name="pairs">For 4-bit books: the two values of each byte.</param>
internal readonly unsafe struct CodeBookPointers(float* values, float* thresholds, byte* codeOfRank, byte* rankOfBucket, float* pairs)
{
    public readonly float* Values = values;
    public readonly float* Thresholds = thresholds;
    public readonly byte* CodeOfRank = codeOfRank;
    public readonly byte* RankOfBucket = rankOfBucket;
    public readonly float* Pairs = pairs;

    /// <summary>The code of the value nearest to a number.</summary>
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveInlining)]
    public byte Encode(float x)
    {
        int rank = RankOfBucket[BitConverter.SingleToUInt32Bits(x) >> 16];
        while (x > Thresholds[rank])
        {
            rank++;
        }

        return CodeOfRank[rank];
    }
}
