using System.Text.Json;

namespace TuneSharp.Training.Metrics;

/// <summary>The log that every run keeps in its folder, whatever logger it uses: <c>metrics.jsonl</c>. A resumed run continues it.</summary>
public sealed class MetricsFile : IMetricLogger
{
    /// <summary>Its name.</summary>
    public const string Name = "metrics.jsonl";

    private readonly string _outputDir;
    private readonly StreamWriter _file;

    /// <summary>Opens it.</summary>
    /// <param name="outputDir">The run's folder; made if missing.</param>
    /// <exception cref="Config.ConfigException">It cannot be written.</exception>
    public MetricsFile(string outputDir)
    {
        _outputDir = outputDir;
        _file = RunConfigFile.Append(PathIn(outputDir), "output_dir");
    }

    /// <inheritdoc/>
    public void LogConfig(string yaml) => RunConfigFile.Write(_outputDir, yaml);

    /// <inheritdoc/>
    public void Log(long step, params ReadOnlySpan<(string Name, double Value)> metrics) => _file.WriteLine(MetricText.Json(step, metrics));

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    /// <summary>Where a run's log lies.</summary>
    /// <param name="outputDir">The run's folder.</param>
    public static string PathIn(string outputDir) => Path.Combine(outputDir, Name);

    /// <summary>Reads one metric, in the order of steps. What a resumed run did again replaces what was there.</summary>
    /// <param name="outputDir">The run's folder.</param>
    /// <param name="metric">Its name, as in <c>loss</c>.</param>
    public static IReadOnlyList<(long Step, double Value)> Read(string outputDir, string metric)
    {
        SortedDictionary<long, double> values = [];
        if (!File.Exists(PathIn(outputDir)))
        {
            return [];
        }

        using FileStream file = new(PathIn(outputDir), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using StreamReader reader = new(file);
        while (reader.ReadLine() is { } line)
        {
            try
            {
                using JsonDocument entry = JsonDocument.Parse(line);
                if (entry.RootElement.TryGetProperty(metric, out JsonElement value) && value.ValueKind == JsonValueKind.Number)
                {
                    values[entry.RootElement.GetProperty("step").GetInt64()] = value.GetDouble();
                }
            }
            catch (JsonException)
            {
                // A line that a killed run left unfinished.
            }
        }

        return [.. values.Select(v => (v.Key, v.Value))];
    }
}
