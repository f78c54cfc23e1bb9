using System.Globalization;
using TuneSharp.Training;

namespace TuneSharp.Tests.Training;

public sealed class RunConsoleTests : IDisposable
{
    private readonly FakeTime _time = new();
    private readonly StringWriter _output = new(CultureInfo.InvariantCulture);

    private static StepReport Step(long step, double? memory = 1.23) => new(0, step, 2.31, 2.9e-4, 1234.4, memory);

    [Fact]
    public void A_pipe_gets_plain_lines_every_five_seconds_and_the_last_step()
    {
        RunConsole console = new(_output, isTerminal: false, _time);
        using (ProgressLine progress = console.Progress(0, 100))
        {
            for (int step = 1; step <= 9; step++)
            {
                _time.Pass(1);
                progress.Update(Step(step));
            }
        }

        Assert.Equal(
            """
            1|1|Loss: 2.3100 lr 2.9e-4 1,234 tok/s 1.2 GiB 1:39 left
            1|6|Loss: 2.3100 lr 2.9e-4 1,234 tok/s 1.2 GiB 1:34 left
            1|9|Loss: 2.3100 lr 2.9e-4 1,234 tok/s 1.2 GiB 1:31 left

            """,
            _output.ToString(),
            ignoreLineEndingDifferences: true);
    }

    [Fact]
    public void A_terminal_gets_one_line_redrawn_ten_times_a_second_at_most_and_left_clean()
    {
        RunConsole console = new(_output, isTerminal: true, _time, () => 100);
        using (ProgressLine progress = console.Progress(0, 100))
        {
            for (int step = 1; step <= 50; step++)
            {
                _time.Pass(0.02);
                progress.Update(Step(step));
            }
        }

        string[] drawn = _output.ToString().Split('\r', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(10 + 1, drawn.Length); // one second of drawing, then the erasing
        Assert.DoesNotContain('\n', _output.ToString());
        Assert.All(drawn, line => Assert.True(line.Length < 100));
        Assert.StartsWith(new string('█', 13) + new string('░', 17) + " 1|46|Loss: 2.3100", drawn[^2]);
        Assert.True(string.IsNullOrWhiteSpace(drawn[^1]));
        Assert.Equal(drawn[^2].Length, drawn[^1].Length);
    }

    [Theory]
    [InlineData(70, "1|1|Loss: 2.3100 lr 2.9e-4 1,234 tok/s 1.2 GiB 0:00 left")]
    [InlineData(55, "1|1|Loss: 2.3100 lr 2.9e-4 1,234 tok/s 0:00 left")]
    [InlineData(40, "1|1|Loss: 2.3100 lr 2.9e-4 0:00 left")]
    [InlineData(36, "1|1|Loss: 2.3100 0:00 left")]
    [InlineData(12, "1|1|Loss: 2")]
    public void A_narrow_terminal_keeps_the_loss_longest(int width, string expected)
    {
        RunConsole console = new(_output, isTerminal: true, _time, () => width);
        _time.Pass(1);
        using ProgressLine progress = console.Progress(0, 1);
        progress.Update(Step(1));
        Assert.EndsWith(expected, _output.ToString());
        Assert.True(_output.ToString().Length <= width); // carriage return and at most width - 1 columns
    }

    [Fact]
    public void A_line_stands_above_the_live_one()
    {
        RunConsole console = new(_output, isTerminal: true, _time, () => 80);
        using ProgressLine progress = console.Progress(0, 10);
        progress.Update(Step(1));
        console.Warn("slow disk");
        string[] parts = _output.ToString().Split('\n');
        Assert.EndsWith("\rwarning: slow disk", parts[0]);
        Assert.Contains("1|1|Loss", parts[1]);
    }

    [Fact]
    public void A_resumed_run_forecasts_from_its_own_steps()
    {
        RunConsole console = new(_output, isTerminal: false, _time);
        using ProgressLine progress = console.Progress(900, 1000);
        _time.Pass(10);
        progress.Update(Step(901));
        Assert.Contains(" 16:30 left", _output.ToString());
    }

    [Fact]
    public void Long_runs_and_odd_numbers_stay_readable()
    {
        RunConsole console = new(_output, isTerminal: false, _time);
        using ProgressLine progress = console.Progress(0, 1_000_000);
        _time.Pass(10);
        progress.Update(new StepReport(2, 1, double.NaN, 0, 0.4, null));
        Assert.Equal("3|1|Loss: NaN lr 0 0 tok/s 2777:46:30 left", _output.ToString().TrimEnd());
    }

    [Fact]
    public void Text_is_the_same_in_every_culture()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = new CultureInfo("de-DE");
        try
        {
            RunConsole console = new(_output, isTerminal: false, _time);
            console.Progress(0, 10).Update(Step(1));
            Assert.Contains("2.3100 lr 2.9e-4 1,234 tok/s 1.2 GiB", _output.ToString());
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    public void Dispose() => _output.Dispose();
}
