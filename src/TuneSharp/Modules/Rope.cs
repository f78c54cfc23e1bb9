namespace TuneSharp.Modules;

/// <summary>How rotary frequencies are stretched beyond the length a model was first trained on.</summary>
/// <param name="Type">Hugging Face's <c>rope_type</c>: <c>default</c>, <c>linear</c> or <c>llama3</c>.</param>
/// <param name="Factor">Stretch.</param>
/// <param name="LowFreqFactor">llama3: wavelengths above old length / this are stretched whole.</param>
/// <param name="HighFreqFactor">llama3: wavelengths below old length / this are left alone.</param>
/// <param name="OriginalMaxSeqLen">The old length in tokens.</param>
public sealed record RopeScaling(
    string Type, double Factor = 1, double LowFreqFactor = 1, double HighFreqFactor = 4, long OriginalMaxSeqLen = 8192)
{
    /// <summary>What <see cref="Rope"/> computes; anything else is refused by name.</summary>
    public static readonly IReadOnlyList<string> KnownTypes = ["default", "linear", "llama3"];
}

/// <summary>Rotary position embedding over interleaved pairs (Meta's layout), shared by all layers of a model.</summary>
/// <remarks>
/// Paper: https://arxiv.org/abs/2104.09864. torchtune counterparts: <c>torchtune/modules/position_embeddings.py</c>,
/// <c>torchtune/models/llama3_1/_position_embeddings.py</c>. Not a module: its tables are no weights and never stand in a checkpoint.
/// They grow with the longest position seen, and are computed in fp32 on the model's device.
/// </remarks>
public sealed class Rope
{
    private readonly double[] _frequencies;
    private Tensor? _table;

    /// <summary>Prepares the frequencies.</summary>
    /// <param name="headDim">Width of a head; even.</param>
    /// <param name="maxSeqLen">Longest position, in tokens.</param>
    /// <param name="theta">Base of the frequencies.</param>
    /// <param name="scaling">Stretching, or null.</param>
    /// <exception cref="ArgumentException">An odd width, or an unknown kind of stretching.</exception>
    public Rope(long headDim, long maxSeqLen, double theta, RopeScaling? scaling = null)
    {
        if (headDim % 2 != 0)
        {
            throw new ArgumentException($"Rotary embedding turns pairs: a head of {headDim} is odd.", nameof(headDim));
        }

        MaxSeqLen = maxSeqLen;
        _frequencies = Frequencies(headDim, theta, scaling);
    }

    /// <summary>Longest position, in tokens.</summary>
    public long MaxSeqLen { get; }

    /// <summary>Turn per token of each pair, radians, H/2 of them.</summary>
    public IReadOnlyList<double> TurnPerToken => _frequencies;

    /// <summary>Cosines and sines for some positions.</summary>
    /// <param name="positions">[T] or [B, T], int64; null for 0 to <paramref name="length"/> − 1.</param>
    /// <param name="length">T.</param>
    /// <param name="device">Device of the result.</param>
    /// <returns>[T or B×T, 1, H/2, 2] in fp32: cosine, then sine; broadcasts over heads.</returns>
    public Tensor Angles(Tensor? positions, long length, Device device)
    {
        using DisposeScope scope = NewDisposeScope();
        long needed = positions is null ? length : positions.max().cpu().item<long>() + 1;
        Tensor table = Table(needed, device);
        Tensor rows = positions is null ? table.narrow(0, 0, length) : table.index(TensorIndex.Tensor(positions));
        return rows.unsqueeze(-3).MoveToOuterDisposeScope();
    }

    /// <summary>Turns the pairs of each head.</summary>
    /// <param name="x">[B, T, N, H].</param>
    /// <param name="angles">From <see cref="Angles"/>.</param>
    /// <returns>As <paramref name="x"/>.</returns>
    public static Tensor Apply(Tensor x, Tensor angles)
    {
        using DisposeScope scope = NewDisposeScope();
        long[] shape = x.shape;
        Tensor pairs = x.to(ScalarType.Float32).reshape([.. shape[..^1], shape[^1] / 2, 2]);
        Tensor a = pairs.select(-1, 0);
        Tensor b = pairs.select(-1, 1);
        Tensor cos = angles.select(-1, 0);
        Tensor sin = angles.select(-1, 1);
        Tensor turned = stack([(a * cos) - (b * sin), (b * cos) + (a * sin)], -1);
        return turned.reshape(shape).to(x.dtype).MoveToOuterDisposeScope();
    }

    private Tensor Table(long length, Device device)
    {
        lock (_frequencies)
        {
            if (_table is null || _table.shape[0] < length || _table.device_type != device.type || _table.device_index != device.index)
            {
                using DisposeScope scope = NewDisposeScope();
                long rows = Math.Max(length, Math.Min(MaxSeqLen, 2 * (_table?.shape[0] ?? 512)));
                // Angles are rounded to fp32 before the cosine, as in the programs that trained the weights: at position 100 000 that is 0.004 rad.
                Tensor turns = outer(arange(rows, ScalarType.Float32), tensor(_frequencies, ScalarType.Float32));
                _table?.Dispose();
                _table = stack([turns.cos(), turns.sin()], -1).to(device).DetachFromDisposeScope();
            }

            return _table;
        }
    }

    private static double[] Frequencies(long headDim, double theta, RopeScaling? scaling)
    {
        double[] turns = new double[headDim / 2];
        for (int i = 0; i < turns.Length; i++)
        {
            // In fp32, as the reference computes it: the rounding of a frequency shows at long positions.
            float plain = 1f / MathF.Pow((float)theta, 2f * i / headDim);
            turns[i] = scaling?.Type switch
            {
                null or "default" => plain,
                "linear" => plain / (float)scaling.Factor,
                "llama3" => Stretch(plain, scaling),
                _ => throw new ArgumentException(
                    $"rope_type {scaling.Type} is not supported. Supported: {string.Join(", ", RopeScaling.KnownTypes)}."),
            };
        }

        return turns;
    }

    /// <summary>Llama 3.1's rule: long waves are stretched, short ones kept, and those between blended. In fp32 throughout, as the reference.</summary>
    private static float Stretch(float frequency, RopeScaling s)
    {
        float wavelength = (float)(2 * Math.PI) / frequency;
        (float factor, float low, float high) = ((float)s.Factor, (float)s.LowFreqFactor, (float)s.HighFreqFactor);
        if (wavelength < s.OriginalMaxSeqLen / high)
        {
            return frequency;
        }

        if (wavelength > s.OriginalMaxSeqLen / low)
        {
            return frequency / factor;
        }

        float keep = ((s.OriginalMaxSeqLen / wavelength) - low) / (high - low);
        return ((1 - keep) * frequency / factor) + (keep * frequency);
    }
}
