namespace TuneSharp.Training.Metrics;

/// <summary>Takes down what a run measures. One rank, one thread.</summary>
public interface IMetricLogger : IDisposable
{
    /// <summary>Keeps the config that the run uses.</summary>
    /// <param name="yaml">The config with all overrides applied.</param>
    void LogConfig(string yaml);

    /// <summary>Writes one line, flushed before the call returns.</summary>
    /// <param name="step">Optimizer steps done.</param>
    /// <param name="metrics">Names and values, in the order to show.</param>
    void Log(long step, params ReadOnlySpan<(string Name, double Value)> metrics);
}
