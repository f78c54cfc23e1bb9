using System.Globalization;

namespace TuneSharp.Training;

/// <summary>Where a training loop stands after a step.</summary>
/// <param name="Epoch">Epoch from 0; shown from 1.</param>
/// <param name="Step">Optimizer steps done.</param>
/// <param name="Loss">Mean loss per token.</param>
/// <param name="Lr">Learning rate.</param>
/// <param name="TokensPerSecond">Speed.</param>
/// <param name="MemoryGiB">Memory in use, or null when it cannot be told.</param>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
public readonly record struct StepReport(int Epoch, long Step, double Loss, double Lr, double TokensPerSecond, double? MemoryGiB);

/// <summary>
/// One live line on a terminal, redrawn at most ten times a second; plain lines elsewhere, one every five seconds:
/// <c>1|120|Loss: 2.3100 lr 2.9e-4 1,234 tok/s 1.2 GiB 12:34 left</c>.
/// </summary>
public sealed class ProgressLine : IDisposable
{
    private static readonly TimeSpan RedrawEvery = TimeSpan.FromMilliseconds(100); // the eye does not follow more
    private static readonly TimeSpan PlainEvery = TimeSpan.FromSeconds(5);         // a log file stays readable
    private readonly RunConsole _console;
    private readonly long _firstStep;
    private readonly long _lastStep;
    private readonly long _start;
    private long _shownAt;
    private StepReport? _unshown;

    internal ProgressLine(RunConsole console, long firstStep, long lastStep)
    {
        (_console, _firstStep, _lastStep) = (console, firstStep, lastStep);
        _start = console.Time.GetTimestamp();
        _shownAt = long.MinValue;
    }

    /// <summary>Shows a step, or keeps it back when the last one was shown just now.</summary>
    /// <param name="report">The step.</param>
    public void Update(StepReport report)
    {
        long now = _console.Time.GetTimestamp();
        TimeSpan pause = _console.IsTerminal ? RedrawEvery : PlainEvery;
        if (_shownAt != long.MinValue && _console.Time.GetElapsedTime(_shownAt, now) < pause)
        {
            _unshown = report;
            return;
        }

        _shownAt = now;
        _unshown = null;
        Show(report, now);
    }

    /// <summary>Removes the live line; elsewhere writes the last step if it was kept back.</summary>
    public void Dispose()
    {
        if (_console.IsTerminal)
        {
            _console.Live("");
        }
        else if (_unshown is { } last)
        {
            Show(last, _console.Time.GetTimestamp());
        }

        _unshown = null;
    }

    private void Show(StepReport report, long now)
    {
        string left = TimeLeft(report.Step, _console.Time.GetElapsedTime(_start, now));
        if (_console.IsTerminal)
        {
            // One column stays free: writing into the last one makes some terminals wrap.
            _console.Live(Fit(report, left, _console.Width - 1));
        }
        else
        {
            _console.Line(string.Join(' ', Parts(report, left)));
        }
    }

    private string Fit(StepReport report, string left, int width)
    {
        List<string> parts = Parts(report, left);

        // In a narrow window the parts before the time left go, last one first: memory, speed, rate. The loss stays.
        while (parts.Count > 2 && parts.Sum(p => p.Length + 1) - 1 > width)
        {
            parts.RemoveAt(parts.Count - 2);
        }

        string text = string.Join(' ', parts);
        if (text.Length > width)
        {
            return text[..Math.Max(0, width)];
        }

        int room = Math.Min(30, width - text.Length - 1);
        return room < 8 ? text : $"{Bar(report.Step, room)} {text}";
    }

    private string Bar(long step, int cells)
    {
        int full = _lastStep <= 0 ? cells : (int)Math.Clamp(step * cells / _lastStep, 0, cells);
        (char done, char open) = _console.HasBlocks ? ('█', '░') : ('#', '-');
        return new string(done, full) + new string(open, cells - full);
    }

    private static List<string> Parts(StepReport report, string left)
    {
        List<string> parts =
        [
            string.Create(CultureInfo.InvariantCulture, $"{report.Epoch + 1}|{report.Step}|Loss: {Loss(report.Loss)}"),
            "lr " + Rate(report.Lr),
            string.Create(CultureInfo.InvariantCulture, $"{report.TokensPerSecond:N0} tok/s"),
        ];
        if (report.MemoryGiB is { } memory)
        {
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{memory:F1} GiB"));
        }

        parts.Add(left);
        return parts;
    }

    private static string Loss(double loss) =>
        loss.ToString(Math.Abs(loss) < 1000 ? "F4" : "0.###e+0", CultureInfo.InvariantCulture);

    private static string Rate(double lr) => lr == 0 ? "0" : lr.ToString("0.0e-0", CultureInfo.InvariantCulture);

    private string TimeLeft(long step, TimeSpan elapsed)
    {
        long done = step - _firstStep;
        if (done <= 0)
        {
            return "--:-- left";
        }

        TimeSpan left = TimeSpan.FromSeconds(Math.Min(elapsed.TotalSeconds / done * Math.Max(0, _lastStep - step), TimeSpan.FromDays(9999).TotalSeconds));
        return (left.TotalHours >= 1
            ? string.Create(CultureInfo.InvariantCulture, $"{(long)left.TotalHours}:{left.Minutes:00}:{left.Seconds:00}")
            : string.Create(CultureInfo.InvariantCulture, $"{left.Minutes}:{left.Seconds:00}")) + " left";
    }
}
