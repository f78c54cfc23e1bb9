namespace TuneSharp.Modules;

/// <summary>How rotary frequencies are stretched beyond the length a model was first trained on.</summary>
/// <param name="Type">Hugging Face's <c>rope_type</c>: one of <see cref="KnownTypes"/>.</param>
/// <param name="Factor">Stretch; longrope's only sets its attention factor.</param>
/// <param name="LowFreqFactor">llama3: wavelengths above old length / this are stretched whole.</param>
/// <param name="HighFreqFactor">llama3: wavelengths below old length / this are left alone.</param>
/// <param name="OriginalMaxSeqLen">The old length in tokens.</param>
/// <remarks>
/// Papers: dynamic https://www.reddit.com/r/LocalLLaMA/comments/14mrgpr, yarn https://arxiv.org/abs/2309.00071, longrope
/// https://arxiv.org/abs/2402.13753, llama3 https://arxiv.org/abs/2407.21783.
/// </remarks>
public sealed record RopeScaling(
    string Type, double Factor = 1, double LowFreqFactor = 1, double HighFreqFactor = 4, long OriginalMaxSeqLen = 8192)
{
    /// <summary>What <see cref="Rope"/> computes; anything else is refused by name.</summary>
    public static readonly IReadOnlyList<string> KnownTypes = ["default", "linear", "dynamic", "yarn", "longrope", "llama3"];

    /// <summary>yarn, longrope: factor on cosines and sines; null for the type's own rule.</summary>
    public double? AttentionFactor { get; init; }

    /// <summary>yarn: pairs that turn more often than this over the old length are left alone.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>yarn: pairs that turn less often than this over the old length are stretched whole.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>yarn: round the bounds between the two to whole pairs.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>yarn: DeepSeek's numerator of the attention factor; used when both this and <see cref="MscaleAllDim"/> are set.</summary>
    public double? Mscale { get; init; }

    /// <summary>yarn: DeepSeek's denominator of the attention factor.</summary>
    public double? MscaleAllDim { get; init; }

    /// <summary>longrope: stretch of each pair up to the old length.</summary>
    public IReadOnlyList<double> ShortFactors { get; init; } = [];

    /// <summary>longrope: stretch of each pair beyond it.</summary>
    public IReadOnlyList<double> LongFactors { get; init; } = [];

    /// <inheritdoc/>
    public bool Equals(RopeScaling? other) => other is not null
        && (Type, Factor, LowFreqFactor, HighFreqFactor, OriginalMaxSeqLen)
            == (other.Type, other.Factor, other.LowFreqFactor, other.HighFreqFactor, other.OriginalMaxSeqLen)
        && (AttentionFactor, BetaFast, BetaSlow, Truncate, Mscale, MscaleAllDim)
            == (other.AttentionFactor, other.BetaFast, other.BetaSlow, other.Truncate, other.Mscale, other.MscaleAllDim)
        && ShortFactors.SequenceEqual(other.ShortFactors) && LongFactors.SequenceEqual(other.LongFactors);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Type, Factor, OriginalMaxSeqLen, ShortFactors.Count, LongFactors.Count);
}
