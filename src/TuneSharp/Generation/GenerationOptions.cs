namespace TuneSharp.Generation;

/// <summary>How new tokens are chosen.</summary>
public sealed record GenerationOptions
{
    /// <summary>Most new tokens. Default: 300.</summary>
    public int MaxNewTokens { get; init; } = 300;

    /// <summary>Divides the logits; 0 takes the likeliest token always. Default: 1.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Choose among the k likeliest only. Default: all.</summary>
    public int? TopK { get; init; }

    /// <summary>Choose among the likeliest that together reach this probability. Default: all.</summary>
    public double? TopP { get; init; }

    /// <summary>Ids that end a row. Default: none.</summary>
    public IReadOnlyList<int> StopTokens { get; init; } = [];

    /// <summary>Seed of the choice; null for the process's generator.</summary>
    public long? Seed { get; init; }

    /// <summary>Keep keys and values of earlier tokens. Off only to check that it changes nothing. Default: true.</summary>
    public bool EnableKvCache { get; init; } = true;

    /// <summary>Says what cannot be.</summary>
    /// <exception cref="ArgumentException">The first mistake, with its value.</exception>
    public GenerationOptions Checked()
    {
        if (MaxNewTokens < 1)
        {
            throw new ArgumentException($"max_new_tokens is {MaxNewTokens}; it must be at least 1.");
        }

        if (!(Temperature >= 0)) // nor NaN
        {
            throw new ArgumentException(FormattableString.Invariant($"temperature is {Temperature}; it must be 0 or more."));
        }

        if (TopK is < 1)
        {
            throw new ArgumentException($"top_k is {TopK}; it must be at least 1, or null for all.");
        }

        return TopP is not (null or (> 0 and <= 1))
            ? throw new ArgumentException(FormattableString.Invariant($"top_p is {TopP}; it must lie in (0, 1]."))
            : this;
    }
}
