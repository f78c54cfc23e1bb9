using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>Several data sets as one: what a list under <c>dataset:</c> becomes.</summary>
public static class DatasetMix
{
    /// <summary>Builds the data sets of a run and puts them together.</summary>
    /// <param name="datasets">As the config names them: one after another, or mixed when they have a <c>weight</c>.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="run">The run.</param>
    /// <exception cref="DatasetException">A data set cannot be used, or they do not fit each other.</exception>
    public static IDataset Build(IReadOnlyList<Component<IDataset>> datasets, IModelTokenizer tokenizer, DataRun run)
    {
        IReadOnlyList<double>? weights = datasets.Count == 1 ? null : WeightsOf(datasets);
        IDataset[] parts = [.. datasets.Select(d => d.Build(tokenizer, run.For(d)))];
        IDataset whole = parts.Length == 1 ? parts[0] : weights is null ? Concat(parts) : Interleave(parts, weights, MixStop.FirstExhausted);
        if (whole is InterleavedDataset mix)
        {
            run.Say?.Invoke("Mixed in an epoch: " + string.Join(", ", mix.Counts.Select((c, i) => FormattableString.Invariant($"{c:N0} of {parts[i].Count:N0} of data set {i + 1}"))) + ".");
        }

        return whole;
    }

    /// <summary>One after another.</summary>
    internal static IDataset Concat(IReadOnlyList<IDataset> parts) =>
        Streams(parts) is { } streams ? new StreamGroup(streams, weights: null) : new ConcatDataset(parts);

    /// <summary>Mixed.</summary>
    internal static IDataset Interleave(IReadOnlyList<IDataset> parts, IReadOnlyList<double>? weights, MixStop stop) =>
        Streams(parts) is { } streams ? new StreamGroup(streams, weights ?? [.. parts.Select(_ => 1.0)]) : new InterleavedDataset(parts, weights, stop);

    /// <summary>The <c>weight</c> of each, or null when none has one.</summary>
    internal static IReadOnlyList<double>? WeightsOf(IReadOnlyList<Component<IDataset>> datasets)
    {
        double?[] weights = [.. datasets.Select(d => d.Arguments.TryGetValue("weight", out object? w) ? (double?)w : null)];
        int given = weights.Count(w => w is not null);
        return given == 0 ? null : given == weights.Length ? [.. weights.Select(w => w!.Value)] : throw new DatasetException(
            $"{given} of the {weights.Length} data sets have a weight. Give each one, or none to read them one after another.");
    }

    private static StreamDataset[]? Streams(IReadOnlyList<IDataset> parts)
    {
        int streams = parts.Count(p => p is StreamDataset);
        return streams == 0 ? null : streams == parts.Count ? [.. parts.Cast<StreamDataset>()] : throw new DatasetException(
            $"{streams} of the {parts.Count} data sets are streamed. Set streaming to the same value in all of them.");
    }
}
