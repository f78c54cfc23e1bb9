namespace TuneSharp.Modules;

/// <summary>The turn per token of each rotary pair, after stretching. In fp32 throughout, in the reference's order: roundings show at long positions.</summary>
/// <remarks>Reference: <c>transformers/modeling_rope_utils.py</c>. Letters: R width of a head that turns.</remarks>
internal static class RopeFrequencies
{
    /// <summary>Radians per token, R/2 of them.</summary>
    /// <param name="rotaryDim">R; even.</param>
    /// <param name="theta">Base of the frequencies.</param>
    /// <param name="maxSeqLen">The model's longest sequence; dynamic stretching starts beyond it.</param>
    /// <param name="scaling">Stretching, or null.</param>
    /// <param name="length">Tokens of the sequence; matters to dynamic and longrope only.</param>
    /// <exception cref="ArgumentException">An unknown kind of stretching, or factors that do not fit.</exception>
    public static double[] Of(long rotaryDim, double theta, long maxSeqLen, RopeScaling? scaling, long length)
    {
        double[] turns = new double[rotaryDim / 2];
        IReadOnlyList<double>? stretch = null;
        switch (scaling?.Type)
        {
            case null or "default" or "linear" or "llama3":
                break;
            case "dynamic":
                theta = DynamicBase(rotaryDim, theta, maxSeqLen, scaling.Factor, length);
                break;
            case "longrope":
                stretch = length > scaling.OriginalMaxSeqLen ? scaling.LongFactors : scaling.ShortFactors;
                CheckFactors(scaling, turns.Length);
                break;
            case "yarn":
                return Yarn(rotaryDim, theta, scaling);
            default:
                throw new ArgumentException(
                    $"rope_type {scaling.Type} is not supported. Supported: {string.Join(", ", RopeScaling.KnownTypes)}.");
        }

        for (int i = 0; i < turns.Length; i++)
        {
            float wave = MathF.Pow((float)theta, 2f * i / rotaryDim);
            float plain = stretch is null ? 1f / wave : 1f / ((float)stretch[i] * wave);
            turns[i] = scaling?.Type switch
            {
                "linear" => plain / (float)scaling.Factor,
                "llama3" => Llama3(plain, scaling),
                _ => plain,
            };
        }

        return turns;
    }

    /// <summary>Factor on cosines and sines.</summary>
    public static double AttentionFactor(RopeScaling? s)
    {
        if (s is null || s.Type is not ("yarn" or "longrope"))
        {
            return 1;
        }

        if (s.AttentionFactor is { } given)
        {
            return given;
        }

        if (s.Type == "longrope")
        {
            return s.Factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(s.Factor) / Math.Log(s.OriginalMaxSeqLen)));
        }

        double Mscale(double m) => s.Factor <= 1 ? 1 : (0.1 * m * Math.Log(s.Factor)) + 1;
        return s.Mscale is { } above and not 0 && s.MscaleAllDim is { } below and not 0 ? Mscale(above) / Mscale(below) : Mscale(1);
    }

    /// <summary>NTK-aware: a larger base, that grows with the length.</summary>
    private static double DynamicBase(long dim, double theta, long maxSeqLen, double factor, long length)
    {
        double longest = Math.Max(length, maxSeqLen);
        return theta * Math.Pow((factor * longest / maxSeqLen) - (factor - 1), dim / (dim - 2.0));
    }

    private static void CheckFactors(RopeScaling s, int pairs)
    {
        if (s.ShortFactors.Count != pairs || s.LongFactors.Count != pairs)
        {
            throw new ArgumentException(
                $"rope_type longrope: there are {s.ShortFactors.Count} short and {s.LongFactors.Count} long factors for {pairs} pairs. " +
                "Each pair that turns needs one of both.");
        }
    }

    /// <summary>Llama 3.1's rule: long waves are stretched, short ones kept, and those between blended.</summary>
    private static float Llama3(float frequency, RopeScaling s)
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

    /// <summary>YaRN: pairs that turn often over the old length are kept, those that turn rarely are stretched, a ramp between.</summary>
    private static double[] Yarn(long dim, double theta, RopeScaling s)
    {
        double PairThatTurns(double times) => dim * Math.Log(s.OriginalMaxSeqLen / (times * 2 * Math.PI)) / (2 * Math.Log(theta));
        (double low, double high) = (PairThatTurns(s.BetaFast), PairThatTurns(s.BetaSlow));
        if (s.Truncate)
        {
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        }

        (low, high) = (Math.Max(low, 0), Math.Min(high, dim - 1));
        high += low == high ? 0.001 : 0; // as the reference, against a division by zero
        double[] turns = new double[dim / 2];
        for (int i = 0; i < turns.Length; i++)
        {
            float wave = MathF.Pow((float)theta, 2f * i / dim);
            float keep = 1 - Math.Clamp((i - (float)low) / (float)(high - low), 0, 1);
            turns[i] = (1f / ((float)s.Factor * wave) * (1 - keep)) + (1f / wave * keep);
        }

        return turns;
    }
}
