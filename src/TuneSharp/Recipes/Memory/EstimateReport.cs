using System.Globalization;

namespace TuneSharp.Recipes;

/// <summary>The text of an estimate: a line for each holder, and what would make it fit.</summary>
public static class EstimateReport
{
    private const double GiB = 1L << 30;

    /// <summary>The lines of a config's estimate.</summary>
    /// <param name="cfg">The run.</param>
    /// <param name="length">Tokens of a row; null for the tokenizer's <c>max_seq_len</c>, else 2048.</param>
    /// <param name="budget">Bytes that there are; null to leave the question open.</param>
    /// <returns>The lines, and whether it fits (true without a budget).</returns>
    public static (IReadOnlyList<string> Lines, bool Fits) Of(FinetuneConfig cfg, long? length, long? budget)
    {
        ArgumentNullException.ThrowIfNull(cfg);
        cfg.Check();
        MemoryInputs inputs = MemoryPlan.Read(cfg, length);
        MemoryEstimate estimate = MemoryEstimate.Of(inputs);
        List<string> lines = [.. Lines(inputs, estimate)];
        if (budget is not { } bytes)
        {
            lines.AddRange(Remedies.For(inputs).Select((r, n) => (n == 0 ? "\nSaves memory:\n" : "") + Line(r)));
            return (lines, true);
        }

        if (estimate.Total <= bytes)
        {
            lines.Add($"\nFits into {InGiB(bytes)} GiB; {InGiB(bytes - estimate.Total)} GiB stay free.");
            return (lines, true);
        }

        (IReadOnlyList<Remedy> steps, bool fits) = Remedies.ToFit(inputs, bytes);
        lines.Add($"\nDoes not fit into {InGiB(bytes)} GiB: {InGiB(estimate.Total - bytes)} GiB too much. " + (fits
            ? "With these changes, each on top of the one before, it does:"
            : "These changes, each on top of the one before, save most, and still it does not fit:"));
        lines.AddRange(steps.Select(Line));
        return (lines, false);
    }

    /// <summary>The holders of an estimate, a line each.</summary>
    internal static IEnumerable<string> Lines(MemoryInputs inputs, MemoryEstimate estimate)
    {
        yield return string.Create(
            CultureInfo.InvariantCulture, $"memory       about {InGiB(estimate.Total)} GiB at its fullest ({inputs.Batch} x {inputs.Length} tokens)");
        foreach ((string name, long bytes) in estimate.Parts.Where(p => p.Bytes > 0))
        {
            yield return $"  {name,-11}{InGiB(bytes),9}";
        }
    }

    /// <summary>GiB with two digits.</summary>
    internal static string InGiB(long bytes) => (bytes / GiB).ToString("0.00", CultureInfo.InvariantCulture);

    private static string Line(Remedy r) => $"  {InGiB(r.After.Total),8} GiB  {r.Change}   ({r.Cost})";
}
