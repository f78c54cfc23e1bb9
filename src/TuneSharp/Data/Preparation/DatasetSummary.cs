namespace TuneSharp.Data;

/// <summary>What is known of a data set whose samples have all been made.</summary>
internal sealed record DatasetSummary
{
    /// <summary>Examples that a message names; more help nobody.</summary>
    public const int Examples = 5;

    /// <summary>Samples.</summary>
    public long Samples { get; init; }

    /// <summary>Tokens.</summary>
    public long Tokens { get; init; }

    /// <summary>Tokens that are learned.</summary>
    public long Learned { get; init; }

    /// <summary>Samples that lost an end to <c>max_seq_len</c>.</summary>
    public long Truncated { get; init; }

    /// <summary>Samples with nothing to learn.</summary>
    public long Untrained { get; init; }

    /// <summary>Where the first of them are.</summary>
    public IReadOnlyList<string> UntrainedPlaces { get; init; } = [];

    /// <summary>Why the first of them has nothing to learn.</summary>
    public string? WhyUntrained { get; init; }

    /// <summary>Rows that were left out because they could not be used.</summary>
    public long Skipped { get; init; }

    /// <summary>What was wrong with the first of them.</summary>
    public IReadOnlyList<string> SkippedReasons { get; init; } = [];

    /// <summary>Rows that the filter left out.</summary>
    public long Filtered { get; init; }

    /// <summary>Samples are pairs of a preferred and another answer.</summary>
    public bool IsPreference { get; init; }

    /// <summary>The places as words: <c>a.jsonl, line 3; a.jsonl, line 9; …</c></summary>
    public string UntrainedNames => string.Join("; ", UntrainedPlaces) + (Untrained > UntrainedPlaces.Count ? "; …" : "");

    /// <summary>The sentence about rows left out, or null.</summary>
    public string? SkippedSentence => Skipped == 0 ? null : FormattableString.Invariant(
        $"on_error: skip left out {Skipped:N0} of {Samples + Skipped + Filtered:N0} rows:\n  {string.Join("\n  ", SkippedReasons)}{(Skipped > SkippedReasons.Count ? "\n  …" : "")}");

    /// <summary>What is known of several data sets together.</summary>
    public static DatasetSummary Sum(IReadOnlyList<DatasetSummary> parts) => new()
    {
        Samples = parts.Sum(p => p.Samples),
        Tokens = parts.Sum(p => p.Tokens),
        Learned = parts.Sum(p => p.Learned),
        Truncated = parts.Sum(p => p.Truncated),
        Untrained = parts.Sum(p => p.Untrained),
        UntrainedPlaces = [.. parts.SelectMany(p => p.UntrainedPlaces).Take(Examples)],
        WhyUntrained = parts.Select(p => p.WhyUntrained).FirstOrDefault(w => w is not null),
        Skipped = parts.Sum(p => p.Skipped),
        SkippedReasons = [.. parts.SelectMany(p => p.SkippedReasons).Take(Examples)],
        Filtered = parts.Sum(p => p.Filtered),
        IsPreference = parts.Any(p => p.IsPreference),
    };
}

/// <summary>Counts samples while they are made.</summary>
internal sealed class SummaryCounter(ISampleTransform transform)
{
    private readonly List<string> _untrained = [];
    private readonly List<string> _skipped = [];
    private DatasetSummary _summary = new();

    public DatasetSummary Summary => _summary with { UntrainedPlaces = [.. _untrained], SkippedReasons = [.. _skipped] };

    public void Add(Sample sample, bool isCut, Func<string> place)
    {
        bool learns = sample.Learns;
        _summary = _summary with
        {
            Samples = _summary.Samples + 1,
            Tokens = _summary.Tokens + sample.Tokens.Length + (sample.Rejected?.Tokens.Length ?? 0),
            Learned = _summary.Learned + CountLearned(sample) + (sample.Rejected is { } other ? CountLearned(other) : 0),
            Truncated = _summary.Truncated + (isCut ? 1 : 0),
            Untrained = _summary.Untrained + (learns ? 0 : 1),
            WhyUntrained = _summary.WhyUntrained ?? (learns ? null : transform.WhyMasked(sample)),
            IsPreference = sample.Rejected is not null,
        };
        if (!learns && _untrained.Count < DatasetSummary.Examples)
        {
            _untrained.Add(place());
        }
    }

    public void Skip(string reason)
    {
        _summary = _summary with { Skipped = _summary.Skipped + 1 };
        if (_skipped.Count < DatasetSummary.Examples)
        {
            _skipped.Add(reason);
        }
    }

    public void Filter() => _summary = _summary with { Filtered = _summary.Filtered + 1 };

    private static long CountLearned(Sample sample) => sample.Labels.Length - sample.Labels.AsSpan().Count(Sample.IgnoreIndex);
}
