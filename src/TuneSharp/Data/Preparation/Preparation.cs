using System.Runtime.ExceptionServices;

namespace TuneSharp.Data;

/// <summary>Makes all samples of a data set beforehand, on all cores, once: the next run finds them on disk.</summary>
internal static class Preparation
{
    /// <summary>Rows made at a time: enough to keep all cores busy, few enough to be no burden on memory.</summary>
    private const int Window = 2048;

    /// <summary>Makes the samples, or finds them.</summary>
    /// <param name="source">The rows and what makes samples of them.</param>
    /// <param name="options">Whether bad rows end the run, and where the cache is.</param>
    /// <param name="run">The run; without one nothing is kept on disk.</param>
    /// <param name="identities">Stands for the contents of the rows; null when that is not known.</param>
    public static PreparedDataset Prepare(RowDataset source, DataOptions options, DataRun? run, string? identities = null)
    {
        if (run?.Fingerprint is { } fingerprint && identities is not null && options.Cache
            && TokenCache.Open(options.CacheDir, fingerprint, identities, run) is { } cache)
        {
            return new PreparedDataset(FromCache(cache, source, options, run), source.Rows);
        }

        MemoryTokens memory = new();
        memory.Summary = Fill(source, options, run, memory.Add);
        run?.Say?.Invoke(Sentence(memory.Summary, "tokenised, in memory"));
        return new PreparedDataset(memory, source.Rows);
    }

    /// <summary>Takes the samples of any data set into memory.</summary>
    public static PreparedDataset InMemory(IDataset dataset)
    {
        switch (dataset)
        {
            case PreparedDataset prepared:
                return prepared;
            case RowDataset rows:
                return Prepare(rows, new DataOptions(), run: null);
        }

        MemoryTokens memory = new();
        SummaryCounter counter = new(NoReason.Instance);
        for (int i = 0; i < dataset.Count; i++)
        {
            Sample sample = dataset[i];
            memory.Add(sample, i);
            counter.Add(sample, isCut: false, () => FormattableString.Invariant($"sample {memory.Count}"));
        }

        memory.Summary = counter.Summary with { WhyUntrained = null };
        return new PreparedDataset(memory, rows: null);
    }

    /// <summary>Makes the samples of some rows on all cores; bad rows hold what is wrong with them.</summary>
    /// <param name="count">How many.</param>
    /// <param name="make">Makes one; null when it is filtered out.</param>
    public static Made[] MakeAll(int count, Func<int, Sample?> make)
    {
        Made[] made = new Made[count];
        Parallel.For(0, count, i =>
        {
            long cuts = Truncation.CutsOnThisThread;
            try
            {
                Sample? sample = make(i);
                made[i] = new Made(sample, Truncation.CutsOnThisThread != cuts, null);
            }
            catch (DatasetException e)
            {
                made[i] = new Made(null, false, ExceptionDispatchInfo.Capture(e));
            }
        });
        return made;
    }

    private static TokenFile FromCache(TokenCache cache, RowDataset source, DataOptions options, DataRun run)
    {
        using (cache)
        {
            if (cache.Found is { } found)
            {
                run.Say?.Invoke(Sentence(found.Summary, $"found tokenised in {cache.Folder}"));
                return found;
            }

            long start = System.Diagnostics.Stopwatch.GetTimestamp();
            using (TokenFileWriter writer = new(cache.Path))
            {
                DatasetSummary summary = Fill(source, options, run, writer.Add);
                writer.Finish(summary);
            }

            double seconds = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
            TokenFile made = TokenFile.Open(cache.Path, out string? problem)
                ?? throw new DatasetException($"{cache.Path}: the tokens just written cannot be read back: {problem}. Set cache=False, or cache_dir to another disk.");
            run.Say?.Invoke(Sentence(made.Summary, FormattableString.Invariant(
                $"tokenised in {seconds:0.0} s ({made.Summary.Samples / Math.Max(seconds, 1e-3):N0} rows/s), kept in {cache.Folder}")));
            return made;
        }
    }

    private static string Sentence(DatasetSummary summary, string how) =>
        FormattableString.Invariant($"Data: {summary.Samples:N0} samples, {summary.Tokens:N0} tokens, {how}.");

    private static DatasetSummary Fill(RowDataset source, DataOptions options, DataRun? run, Action<Sample, int> add)
    {
        SummaryCounter counter = new(source.Transform);
        int count = source.Rows.Count;
        foreach (string problem in source.Unreadable)
        {
            counter.Skip(problem);
        }

        for (int start = 0; start < count; start += Window)
        {
            if (start > 0)
            {
                run?.Stop.ThrowIfCancellationRequested(); // a small data set is done sooner than it is abandoned
            }

            Made[] window = MakeAll(Math.Min(Window, count - start), i => source.Make(start + i));
            for (int i = 0; i < window.Length; i++)
            {
                int row = start + i;
                if (window[i].Error is { } error)
                {
                    if (options.OnError == ErrorPolicy.Stop)
                    {
                        error.Throw();
                    }

                    counter.Skip(error.SourceException.Message);
                }
                else if (window[i].Sample is { } sample)
                {
                    add(sample, row);
                    counter.Add(sample, window[i].IsCut, () => source.Rows[row].Place);
                }
                else
                {
                    counter.Filter();
                }
            }

            run?.Progress?.Invoke(start + window.Length, count);
        }

        DatasetSummary summary = counter.Summary;
        return summary.Samples > 0 ? summary
            : summary.Skipped > 0 ? throw new DatasetException($"The data set is empty: none of its {count} rows can be used. The first: {summary.SkippedReasons[0]}")
            : throw RowErrors.NothingKept(count);
    }

    /// <summary>A sample, or why there is none.</summary>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
    internal readonly record struct Made(Sample? Sample, bool IsCut, ExceptionDispatchInfo? Error);

    /// <summary>For data sets that were made elsewhere.</summary>
    private sealed class NoReason : ISampleTransform
    {
        public static readonly NoReason Instance = new();

        public Sample Apply(Row row) => throw new NotSupportedException();

        public string WhyMasked(Sample sample) => "";
    }
}
