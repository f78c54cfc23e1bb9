using System.Globalization;
using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Training;

namespace TuneSharp.Recipes;

/// <summary>Builds the data sets of a run, and shows how far their preparation is.</summary>
internal static class DataSetup
{
    /// <summary>One data set, or several as one.</summary>
    public static IDataset Build(
        IReadOnlyList<Component<IDataset>> datasets, Component<IModelTokenizer> named, IModelTokenizer tokenizer, RunConsole console, CancellationToken stop = default)
    {
        PreparationBar bar = new(console);
        return DatasetMix.Build(datasets, tokenizer, new DataRun
        {
            TokenizerFingerprint = DataRun.FingerprintOf(named),
            Progress = bar.Update,
            Say = console.Line,
            Warn = console.Warn,
            Stop = stop,
        });
    }
}

/// <summary>Rows done, rows a second and time left: a live line on a terminal, a plain one now and then elsewhere.</summary>
internal sealed class PreparationBar(RunConsole console)
{
    private static readonly TimeSpan RedrawEvery = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PlainEvery = TimeSpan.FromSeconds(10);
    private long _start;
    private long _shown;

    /// <summary>Shows a count.</summary>
    /// <param name="done">Rows done.</param>
    /// <param name="all">Of how many.</param>
    public void Update(long done, long all)
    {
        long now = console.Time.GetTimestamp();
        if (_start == 0)
        {
            (_start, _shown) = (now, now);
        }

        if (done >= all)
        {
            if (console.IsTerminal)
            {
                console.Live("");
            }

            _start = 0; // the next data set begins anew
            return;
        }

        if (console.Time.GetElapsedTime(_shown, now) < (console.IsTerminal ? RedrawEvery : PlainEvery))
        {
            return;
        }

        _shown = now;
        string text = Text(done, all, console.Time.GetElapsedTime(_start, now));
        if (console.IsTerminal)
        {
            console.Live(text.Length < console.Width ? text : text[..(console.Width - 1)]);
        }
        else
        {
            console.Line(text);
        }
    }

    private string Text(long done, long all, TimeSpan elapsed)
    {
        double rate = done / Math.Max(elapsed.TotalSeconds, 1e-3);
        TimeSpan left = TimeSpan.FromSeconds(Math.Min((all - done) / Math.Max(rate, 1e-3), TimeSpan.FromDays(99).TotalSeconds));
        const int Cells = 24;
        int full = (int)(done * Cells / Math.Max(1, all));
        (char on, char off) = console.HasBlocks ? ('█', '░') : ('#', '-');
        string bar = console.IsTerminal ? new string(on, full) + new string(off, Cells - full) + " " : "";
        return string.Create(CultureInfo.InvariantCulture, $"Tokenising {bar}{done:N0} of {all:N0} rows, {rate:N0} rows/s, {(int)left.TotalMinutes}:{left.Seconds:00} left");
    }
}
