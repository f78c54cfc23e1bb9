namespace TuneSharp.Data;

/// <summary>Finds data sets that cannot teach anything before a model is trained on them.</summary>
public static class DatasetChecks
{
    /// <summary>Samples that are looked at, evenly spread over the data set.</summary>
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

        int probes = Math.Min(ProbeCount, count);
        Sample? masked = null;
        int maskedCount = 0;
        for (int i = 0; i < probes; i++)
        {
            Sample sample = dataset[(int)((long)i * count / probes)];
            if (!Learns(sample))
            {
                masked ??= sample;
                maskedCount++;
            }
        }

        if (maskedCount == probes && !Enumerable.Range(0, count).Any(i => Learns(dataset[i])))
        {
            throw new DatasetException(
                $"All labels are masked in all {count} samples of the data set, so there is nothing to learn. {Why(dataset, masked!)}");
        }

        return maskedCount * 2 > probes
            ? [$"{maskedCount} of {probes} samples looked at have no label to learn. {Why(dataset, masked!)}"]
            : [];
    }

    private static bool Learns(Sample sample) => sample.Labels.AsSpan().ContainsAnyExcept(Sample.IgnoreIndex);

    private static string Why(IDataset dataset, Sample sample) => dataset switch
    {
        IComputedDataset computed => computed.WhyMasked(sample),
        PackedDataset { WhyMasked: { } why } => why,
        _ => "Check the columns, the roles and train_on_input.",
    };
}
