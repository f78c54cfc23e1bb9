namespace TuneSharp.Training;

/// <summary>Times the steps of a loop and counts their tokens per second.</summary>
public sealed class StepClock
{
    private const double NewShare = 0.1; // the smoothed speed follows a change within some ten steps
    private readonly TimeProvider _time;
    private long _start;

    /// <summary>Starts the clock.</summary>
    /// <param name="time">Clock; null for the system's.</param>
    public StepClock(TimeProvider? time = null)
    {
        _time = time ?? TimeProvider.System;
        Restart();
    }

    /// <summary>Seconds of the last step.</summary>
    public double Seconds { get; private set; }

    /// <summary>Tokens per second of the last step.</summary>
    public double TokensPerSecond { get; private set; }

    /// <summary>Tokens per second, smoothed over the last steps.</summary>
    public double SmoothedTokensPerSecond { get; private set; }

    /// <summary>Begins the next step now: call it after a pause that is no step, such as a save.</summary>
    public void Restart() => _start = _time.GetTimestamp();

    /// <summary>Ends a step; the next one begins.</summary>
    /// <param name="tokens">Tokens of the step.</param>
    public void Tick(long tokens)
    {
        long now = _time.GetTimestamp();
        Seconds = Math.Max(_time.GetElapsedTime(_start, now).TotalSeconds, 1e-9); // a coarse clock may not have moved
        _start = now;
        TokensPerSecond = tokens / Seconds;
        SmoothedTokensPerSecond = SmoothedTokensPerSecond == 0
            ? TokensPerSecond
            : SmoothedTokensPerSecond + (NewShare * (TokensPerSecond - SmoothedTokensPerSecond));
    }
}
