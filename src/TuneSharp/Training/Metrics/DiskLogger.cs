using System.Globalization;
using TuneSharp.Config;

namespace TuneSharp.Training.Metrics;

/// <summary>Writes metrics to a file of the run's own, in torchtune's format.</summary>
[Component("torchtune.training.metric_logging.DiskLogger")]
[Component("torchtune.utils.metric_logging.DiskLogger")] // its name before torchtune 0.3
public sealed class DiskLogger : IMetricLogger
{
    private readonly string _outputDir;
    private readonly bool _isJson;
    private readonly StreamWriter _file;

    /// <summary>Opens the file; an existing one is continued.</summary>
    /// <param name="outputDir">The run's folder.</param>
    /// <param name="console">Where to say which file it is; gives the time.</param>
    /// <param name="logDir">Folder of the file; made if missing.</param>
    /// <param name="outputFmt"><c>txt</c> for lines such as <c>Step 3 | loss:2.31 lr:0.0003 </c>, <c>jsonl</c> for one object each.</param>
    /// <param name="filename">File name; null for <c>log_</c>, the Unix time, and the format.</param>
    /// <exception cref="ArgumentException">An unknown format.</exception>
    /// <exception cref="ConfigException">The file cannot be written.</exception>
    public DiskLogger([Runtime] string outputDir, [Runtime] RunConsole console, string logDir, string outputFmt = "txt", string? filename = null)
    {
        if (outputFmt is not ("txt" or "jsonl"))
        {
            throw new ArgumentException($"metric_logger.output_fmt is {outputFmt}; it must be txt or jsonl.");
        }

        _outputDir = outputDir;
        _isJson = outputFmt == "jsonl";
        string name = filename ?? string.Create(CultureInfo.InvariantCulture, $"log_{console.Time.GetUtcNow().ToUnixTimeSeconds()}.{outputFmt}");
        Path = System.IO.Path.Combine(logDir, name);
        _file = RunConfigFile.Append(Path, "metric_logger.log_dir");
        console.Line($"Writing logs to {Path}");
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <inheritdoc/>
    public void LogConfig(string yaml) => RunConfigFile.Write(_outputDir, yaml);

    /// <inheritdoc/>
    public void Log(long step, params ReadOnlySpan<(string Name, double Value)> metrics) =>
        _file.WriteLine(_isJson ? MetricText.Json(step, metrics) : MetricText.Line(step, metrics));

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
