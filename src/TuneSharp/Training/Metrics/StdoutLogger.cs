using TuneSharp.Config;

namespace TuneSharp.Training.Metrics;

/// <summary>Writes metrics as lines of the program's output.</summary>
/// <param name="outputDir">The run's folder.</param>
/// <param name="console">Where lines go.</param>
[Component("torchtune.training.metric_logging.StdoutLogger")]
[Component("torchtune.utils.metric_logging.StdoutLogger")] // its name before torchtune 0.3
public sealed class StdoutLogger([Runtime] string outputDir, [Runtime] RunConsole console) : IMetricLogger
{
    /// <inheritdoc/>
    public void LogConfig(string yaml) => RunConfigFile.Write(outputDir, yaml);

    /// <inheritdoc/>
    public void Log(long step, params ReadOnlySpan<(string Name, double Value)> metrics) => console.Line(MetricText.Line(step, metrics));

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
