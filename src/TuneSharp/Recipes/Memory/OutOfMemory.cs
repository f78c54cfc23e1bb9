using TuneSharp.Training;
using TuneSharp.Training.Optimizers;
using TuneSharp.Modules;

namespace TuneSharp.Recipes;

/// <summary>Sees an out-of-memory coming, and explains one that came.</summary>
public static class OutOfMemory
{
    /// <summary>Warns when a run will hardly fit the device it is on.</summary>
    internal static void WarnIfTight(
        FinetuneConfig cfg, RunConsole console, TransformerDecoder model, IReadOnlyList<NamedParameter> trained, Optimizer optimizer, long length)
    {
        if (Capacity(model.Device) is not { } capacity)
        {
            return;
        }

        MemoryInputs inputs = MemoryPlan.Read(cfg, model, trained, optimizer, length);
        MemoryEstimate estimate = MemoryEstimate.Of(inputs);
        if (estimate.Total > capacity)
        {
            console.Warn(
                $"this run needs about {EstimateReport.InGiB(estimate.Total)} GiB, and {model.Device} has {EstimateReport.InGiB(capacity)}. " +
                $"{Holders(estimate)} {WaysOut(inputs, capacity)}");
        }
    }

    /// <summary>Whether an exception, or what caused it, is an allocation that failed.</summary>
    /// <param name="exception">What was thrown.</param>
    public static bool Is(Exception exception) =>
        exception is OutOfMemoryException
        || exception.Message.Contains("CUBLAS_STATUS_ALLOC_FAILED", StringComparison.Ordinal)
        || exception.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase)
        || exception.Message.Contains("can't allocate memory", StringComparison.Ordinal)
        || (exception.InnerException is { } inner && Is(inner));

    /// <summary>The sentence for a run that ran out of memory: what holds most, and the two cheapest ways out.</summary>
    /// <param name="cause">What was thrown.</param>
    /// <param name="cfg">The run.</param>
    public static TrainingException Explain(Exception cause, FinetuneConfig cfg)
    {
        ArgumentNullException.ThrowIfNull(cause);
        ArgumentNullException.ThrowIfNull(cfg);
        MemoryInputs inputs = MemoryPlan.Read(cfg, null);
        MemoryEstimate estimate = MemoryEstimate.Of(inputs);
        return new TrainingException(
            $"No memory left on {cfg.Device}: this run needs about {EstimateReport.InGiB(estimate.Total)} GiB. {Holders(estimate)} " +
            $"{WaysOut(inputs, estimate.Total * 9 / 10)} `tune estimate` shows more.", cause);
    }

    private static string Holders(MemoryEstimate estimate)
    {
        IEnumerable<string> largest = estimate.Parts.OrderByDescending(p => p.Bytes).Take(3).Where(p => p.Bytes > 0)
            .Select(p => $"{p.Name} {EstimateReport.InGiB(p.Bytes)}");
        return $"Most is held by {string.Join(", ", largest)}.";
    }

    private static string WaysOut(MemoryInputs inputs, long budget)
    {
        string[] ways = [.. Remedies.For(inputs).OrderByDescending(r => r.After.Total <= budget).Take(2)
            .Select(r => $"{r.Change} ({EstimateReport.InGiB(r.After.Total)} GiB; {r.Cost})")];
        return ways.Length == 0 ? "Use a smaller model or a larger device." : $"Ways out: {string.Join(", or ", ways)}.";
    }

    /// <summary>Bytes that the device has for this process; null when it cannot be told.</summary>
    private static long? Capacity(Device device) =>
        device.type == DeviceType.CUDA ? Backend.TorchBackend.CudaTotalBytes() : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
}
