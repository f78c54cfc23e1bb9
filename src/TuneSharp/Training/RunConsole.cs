namespace TuneSharp.Training;

/// <summary>What a run shows: lines, warnings and one live progress line. Owns no console: the program passes its writer in.</summary>
/// <remarks>Safe to call from several threads, as a Ctrl-C handler does.</remarks>
public sealed class RunConsole
{
    private readonly TextWriter _output;
    private readonly Func<int> _width;
    private readonly Lock _lock = new();
    private string _live = "";

    /// <summary>Creates it.</summary>
    /// <param name="output">Where text goes, as <c>Console.Out</c>.</param>
    /// <param name="isTerminal">Whether somebody watches: then progress redraws one line; else it is a line now and then.</param>
    /// <param name="time">Clock; null for the system's.</param>
    /// <param name="width">Columns of the terminal at the moment; null for 80.</param>
    public RunConsole(TextWriter output, bool isTerminal, TimeProvider? time = null, Func<int>? width = null)
    {
        _output = output;
        IsTerminal = isTerminal;
        Time = time ?? TimeProvider.System;
        _width = width ?? (() => 80);
    }

    /// <summary>A console that shows nothing.</summary>
    public static RunConsole Silent { get; } = new(TextWriter.Null, isTerminal: false);

    /// <summary>Whether somebody watches.</summary>
    public bool IsTerminal { get; }

    /// <summary>The clock of the run.</summary>
    public TimeProvider Time { get; }

    /// <summary>Whether the writer's encoding has block characters.</summary>
    internal bool HasBlocks => _output.Encoding.WebName.StartsWith("utf", StringComparison.OrdinalIgnoreCase);

    /// <summary>Columns of the terminal; some report 0.</summary>
    internal int Width => _width() is > 0 and var columns ? columns : 80;

    /// <summary>Writes a line above the live one.</summary>
    /// <param name="text">The line; may hold several.</param>
    public void Line(string text = "")
    {
        lock (_lock)
        {
            string live = _live;
            Erase();
            _output.Write(text + "\n");
            Draw(live);
            _output.Flush();
        }
    }

    /// <summary>Writes a warning: something that the run can live with.</summary>
    /// <param name="text">What, why, and what to do.</param>
    public void Warn(string text) => Line("warning: " + text);

    /// <summary>Starts the progress line of a training loop. Dispose it when the loop ends.</summary>
    /// <param name="firstStep">Steps already done, when resumed.</param>
    /// <param name="lastStep">Steps done at the end.</param>
    public ProgressLine Progress(long firstStep, long lastStep) => new(this, firstStep, lastStep);

    /// <summary>Replaces the live line; empty removes it.</summary>
    /// <param name="text">The line.</param>
    internal void Live(string text)
    {
        lock (_lock)
        {
            // Overwriting in one write, padded over the old text, does not flicker and needs no escape codes.
            if (text.Length == 0)
            {
                Erase();
            }
            else
            {
                _output.Write("\r" + text.PadRight(_live.Length));
                _live = text;
            }

            _output.Flush();
        }
    }

    private void Erase()
    {
        if (_live.Length > 0)
        {
            _output.Write("\r" + new string(' ', _live.Length) + "\r");
            _live = "";
        }
    }

    private void Draw(string text)
    {
        if (text.Length > 0)
        {
            _output.Write(text);
            _live = text;
        }
    }
}
