using System.Globalization;
using TuneSharp.Config;
using TuneSharp.Tests.Checkpointing;
using TuneSharp.Training;
using TuneSharp.Training.Metrics;

namespace TuneSharp.Tests.Training.Metrics;

public sealed class LoggerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly StringWriter _output = new(CultureInfo.InvariantCulture);
    private readonly RunConsole _console;

    public LoggerTests() => _console = new(_output, isTerminal: false, new FakeTime());

    private string Logs => Path.Combine(_folder.Path, "logs");

    [Fact]
    public void Disk_log_is_torchtunes_letter_for_letter()
    {
        using DiskLogger logger = new(_folder.Path, _console, Logs);
        logger.Log(1, ("loss", 2.5), ("lr", 3e-5), ("tokens_per_second_per_gpu", 1234));
        logger.Log(2, ("loss", double.NaN), ("grad_norm", double.PositiveInfinity));

        // Read while the run goes on: every line is flushed.
        Assert.Equal(
            "Step 1 | loss:2.5 lr:3e-05 tokens_per_second_per_gpu:1234.0 \nStep 2 | loss:nan grad_norm:inf \n",
            ReadShared(Path.Combine(Logs, "log_1700000000.txt")));
        Assert.Equal($"Writing logs to {logger.Path}\n", _output.ToString());
    }

    [Fact]
    public void Disk_log_can_be_jsonl_under_a_given_name_and_is_continued()
    {
        for (int run = 1; run <= 2; run++)
        {
            using DiskLogger logger = new(_folder.Path, _console, Logs, "jsonl", "mine.jsonl");
            logger.Log(run, ("loss", 0.1), ("bad", double.NaN));
        }

        Assert.Equal(
            """{"step":1,"loss":0.1,"bad":null}""" + "\n" + """{"step":2,"loss":0.1,"bad":null}""" + "\n",
            File.ReadAllText(Path.Combine(Logs, "mine.jsonl")));
    }

    [Fact]
    public void Stdout_log_has_the_same_lines()
    {
        using StdoutLogger logger = new(_folder.Path, _console);
        logger.Log(3, ("loss", 1));
        Assert.Equal("Step 3 | loss:1.0 \n", _output.ToString());
    }

    [Fact]
    public void The_config_is_kept_in_the_output_folder()
    {
        using DiskLogger disk = new(Path.Combine(_folder.Path, "run"), _console, Logs);
        disk.LogConfig("epochs: 1\n");
        Assert.Equal("epochs: 1\n", File.ReadAllText(Path.Combine(_folder.Path, "run", "torchtune_config.yaml")));
    }

    [Fact]
    public void A_bad_format_or_folder_is_one_clear_message()
    {
        Assert.Contains("xml", Assert.Throws<ArgumentException>(() => new DiskLogger(_folder.Path, _console, Logs, "xml")).Message);
        File.WriteAllText(Path.Combine(_folder.Path, "file"), "");
        Assert.Contains(
            "metric_logger.log_dir",
            Assert.Throws<ConfigException>(() => new DiskLogger(_folder.Path, _console, Path.Combine(_folder.Path, "file", "logs"))).Message);
    }

    [Fact]
    public void A_resumed_run_continues_its_metrics_and_replaces_steps_done_again()
    {
        using (MetricsFile first = new(_folder.Path))
        {
            first.Log(1, ("loss", 3));
            first.Log(2, ("loss", 2), ("val_loss", 2.5));
        }

        File.AppendAllText(MetricsFile.PathIn(_folder.Path), """{"step":3,"lo"""); // the power went
        using (MetricsFile second = new(_folder.Path))
        {
            second.Log(2, ("loss", 1.5), ("grad_norm", double.NaN));
            second.Log(4, ("loss", double.NaN));
        }

        Assert.Equal([(1, 3.0), (2, 1.5)], MetricsFile.Read(_folder.Path, "loss"));
        Assert.Equal([(2, 2.5)], MetricsFile.Read(_folder.Path, "val_loss"));
        Assert.Empty(MetricsFile.Read(Path.Combine(_folder.Path, "nowhere"), "loss"));
    }

    public void Dispose()
    {
        _folder.Dispose();
        _output.Dispose();
    }

    private static string ReadShared(string path)
    {
        using StreamReader reader = new(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }
}
