namespace TuneSharp.Modules;

/// <summary>Rotary position embedding over interleaved pairs (Meta's layout), shared by all layers of a model.</summary>
/// <remarks>
/// Paper: https://arxiv.org/abs/2104.09864. torchtune counterparts: <c>torchtune/modules/position_embeddings.py</c>,
/// <c>torchtune/models/llama3_1/_position_embeddings.py</c>. Not a module: its tables are no weights and never stand in a checkpoint.
/// They grow with the longest position seen, and are computed in fp32 on the model's device.
/// </remarks>
public sealed class Rope
{
    private readonly Lock _gate = new();
    private readonly RopeScaling? _scaling;
    private readonly long _headDim;
    private readonly long _rotaryDim;
    private readonly double _theta;
    private readonly double _attentionFactor;
    private readonly double[] _frequencies;
    private readonly Dictionary<long, Tensor> _tables = []; // by the length that its frequencies are for

    /// <summary>Prepares the frequencies.</summary>
    /// <param name="headDim">Width of a head; even.</param>
    /// <param name="maxSeqLen">Longest position, in tokens.</param>
    /// <param name="theta">Base of the frequencies.</param>
    /// <param name="scaling">Stretching, or null.</param>
    /// <param name="partial">Share of each head that turns; the rest of it is left as it is.</param>
    /// <exception cref="ArgumentException">An odd width, or an unknown kind of stretching.</exception>
    public Rope(long headDim, long maxSeqLen, double theta, RopeScaling? scaling = null, double partial = 1)
    {
        (MaxSeqLen, _headDim, _theta, _scaling) = (maxSeqLen, headDim, theta, scaling);
        _rotaryDim = RotaryDim(headDim, partial);
        if (headDim % 2 != 0 || _rotaryDim % 2 != 0)
        {
            throw new ArgumentException(
                $"Rotary embedding turns pairs: a head of {headDim}{(partial == 1 ? "" : $", of which {_rotaryDim} turn,")} is odd.", nameof(headDim));
        }

        _frequencies = Frequencies(1);
        _attentionFactor = RopeFrequencies.AttentionFactor(scaling);
    }

    /// <summary>Longest position, in tokens.</summary>
    public long MaxSeqLen { get; }

    /// <summary>Turn per token of each pair that turns, radians; for a sequence no longer than the model was first trained on.</summary>
    public IReadOnlyList<double> TurnPerToken => _frequencies;

    /// <summary>Elements at the start of a head that turn.</summary>
    /// <param name="headDim">Width of a head.</param>
    /// <param name="partial">Share of it that turns.</param>
    public static long RotaryDim(long headDim, double partial) => (long)(headDim * partial);

    /// <summary>Turn per token of each pair in a sequence of some length, radians.</summary>
    /// <param name="length">Tokens.</param>
    public double[] Frequencies(long length) => RopeFrequencies.Of(_rotaryDim, _theta, MaxSeqLen, _scaling, length);

    /// <summary>
    /// Whether sequences of two lengths have different frequencies (dynamic, longrope). What was computed for the one is then of no use
    /// for the other.
    /// </summary>
    /// <param name="length">Tokens.</param>
    /// <param name="other">Tokens.</param>
    public bool ChangesBetween(long length, long other) => Regime(length) != Regime(other);

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

    /// <summary>A number that is equal for lengths with equal frequencies.</summary>
    private long Regime(long length) => _scaling?.Type switch
    {
        "longrope" => length > _scaling.OriginalMaxSeqLen ? 1 : 0,
        "dynamic" => Math.Max(length, MaxSeqLen),
        _ => 0,
    };

    private Tensor Table(long length, Device device)
    {
        lock (_gate)
        {
            long regime = Regime(length);
            Tensor? table = _tables.GetValueOrDefault(regime);
            if (table is null || table.shape[0] < length || table.device_type != device.type || table.device_index != device.index)
            {
                using DisposeScope scope = NewDisposeScope();
                long rows = Math.Max(length, Math.Min(MaxSeqLen, 2 * (table?.shape[0] ?? 512)));
                if (_scaling?.Type == "dynamic")
                {
                    Forget(); // each length has frequencies of its own: keeping them all would grow without end
                }

                table?.Dispose();
                _tables[regime] = table = NewTable(rows, Frequencies(length)).to(device).DetachFromDisposeScope();
            }

            return table;
        }
    }

    private void Forget()
    {
        foreach (Tensor old in _tables.Values)
        {
            old.Dispose();
        }

        _tables.Clear();
    }

    private Tensor NewTable(long rows, double[] frequencies)
    {
        // Angles are rounded to fp32 before the cosine, as in the programs that trained the weights: at position 100 000 that is 0.004 rad.
        Tensor turns = outer(arange(rows, ScalarType.Float32), tensor(frequencies, ScalarType.Float32));
        Tensor table = stack([turns.cos(), turns.sin()], -1);
        if (_attentionFactor != 1)
        {
            table = table * _attentionFactor;
        }

        long still = (_headDim - _rotaryDim) / 2;
        if (still > 0)
        {
            Tensor same = tensor([1f, 0f]).expand(rows, still, 2);
            table = cat([table, same], 1);
        }

        return table;
    }
}
