using System.Globalization;

namespace TuneSharp.Cli;

/// <summary>How far a download or upload is: a live line on a terminal, each tenth as a line of its own elsewhere.</summary>
/// <param name="terminal">Where it is shown.</param>
/// <param name="total">All bytes; may be 0 when nobody knows.</param>
/// <param name="time">The clock.</param>
internal sealed class TransferProgress(Terminal terminal, long total, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan RedrawEvery = TimeSpan.FromMilliseconds(200);
    private readonly Lock _gate = new();
    private readonly long _start = time.GetTimestamp();
    private long _shownAt;
    private long _done;
    private long _first = -1; // what was there already counts for no speed
    private int _tenth;

    public void Add(long bytes)
    {
        lock (_gate)
        {
            _done += bytes;
            _first = _first < 0 ? Math.Max(0, bytes) : _first;
            int percent = total <= 0 ? 0 : (int)Math.Clamp(100 * _done / total, 0, 100);
            if (!terminal.IsOutTerminal)
            {
                if (percent / 10 > _tenth)
                {
                    _tenth = percent / 10;
                    terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{percent} %"));
                }
            }
            else if (_shownAt == 0 || time.GetElapsedTime(_shownAt) > RedrawEvery)
            {
                _shownAt = time.GetTimestamp();
                double perSecond = Math.Max(0, _done - _first) / Math.Max(0.001, time.GetElapsedTime(_start).TotalSeconds);
                string left = perSecond < 1 ? "" : TimeSpan.FromSeconds(Math.Max(0, total - _done) / perSecond).ToString(@"hh\:mm\:ss", CultureInfo.InvariantCulture) + " left";
                string line = string.Create(CultureInfo.InvariantCulture, $"{percent,3} %  {_done / 1e9:0.00} of {total / 1e9:0.00} GB  {perSecond / 1e6:0.0} MB/s  {left}");
                terminal.Out.Write("\r" + line.PadRight(60));
            }
        }
    }

    public void Dispose()
    {
        if (terminal.IsOutTerminal && _shownAt != 0)
        {
            terminal.Out.Write("\r" + new string(' ', 60) + "\r");
        }
    }
}
