namespace TuneSharp.Data;

/// <summary>Finds data sets that cannot teach anything before a model is trained on them.</summary>
public static class DatasetChecks
{
    /// <summary>Samples that are looked at, evenly spread over the data set, when it does not know itself.</summary>
    private const int ProbeCount = 64;

    /// <summary>Checks a data set.</summary>
    /// <param name="dataset">Any data set.</param>
    /// <returns>Warnings, each one sentence.</returns>
    /// <exception cref="DatasetException">It is empty, or not one of its samples has a label.</exception>
    public static IReadOnlyList<string> Check(IDataset dataset)
    {
        int count = dataset.Count;
        if (count == 0)
        {
            throw new DatasetException("The data set is empty. Name files with rows, or a larger split.");
        }

        return DatasetList.Summaries(dataset) is { } summaries ? Check(summaries) : Probe(dataset, count);
    }

    private static string[] Check(IReadOnlyList<DatasetSummary> summaries)
    {
        List<string> warnings = [];
        for (int i = 0; i < summaries.Count; i++)
        {
            DatasetSummary summary = summaries[i];
            string which = summaries.Count == 1 ? "the data set" : $"data set {i + 1} of {summaries.Count}";
            if (summary.Untrained == summary.Samples)
            {
                throw new DatasetException(
                    $"All labels are masked in all {summary.Samples} samples of {which}, so there is nothing to learn. {summary.WhyUntrained} " +
                    $"The first: {summary.UntrainedPlaces[0]}.");
            }

            if (summary.Untrained > 0)
            {
                warnings.Add(
                    $"{summary.Untrained} of {summary.Samples} samples of {which} have no token to learn: {summary.UntrainedNames}. {summary.WhyUntrained}".TrimEnd());
            }

            if (summary.SkippedSentence is { } skipped)
            {
                warnings.Add(skipped);
            }
        }

        return [.. warnings];
    }

    private static string[] Probe(IDataset dataset, int count)
    {
        int probes = Math.Min(ProbeCount, count);
        Sample? masked = null;
        int maskedCount = 0;
        for (int i = 0; i < probes; i++)
        {
            Sample sample = dataset[(int)((long)i * count / probes)];
            if (!sample.Learns)
            {
                masked ??= sample;
                maskedCount++;
            }
        }

        if (maskedCount == probes && !Enumerable.Range(0, count).Any(i => dataset[i].Learns))
        {
            throw new DatasetException(
                $"All labels are masked in all {count} samples of the data set, so there is nothing to learn. {Why(dataset, masked!)}");
        }

        return maskedCount * 2 > probes
            ? [$"{maskedCount} of {probes} samples looked at have no label to learn. {Why(dataset, masked!)}"]
            : [];
    }

    private static string Why(IDataset dataset, Sample sample) => dataset is RowDataset rows
        ? rows.Transform.WhyMasked(sample)
        : "Check the columns, the roles and train_on_input.";
}
