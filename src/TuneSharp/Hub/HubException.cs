namespace TuneSharp.Hub;

/// <summary>The hub refused a request or could not be reached. The message says what happened and what to do.</summary>
public sealed class HubException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What happened and what to do.</param>
    /// <param name="isRefusal">True when asking again changes nothing: no such repository, or no right to it.</param>
    /// <param name="inner">The cause, if any.</param>
    public HubException(string message, bool isRefusal, Exception? inner = null)
        : base(message, inner) => IsRefusal = isRefusal;

    /// <summary>Creates an empty exception.</summary>
    public HubException()
    {
    }

    /// <summary>Creates the exception with a message.</summary>
    /// <param name="message">What happened and what to do.</param>
    public HubException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a cause.</summary>
    /// <param name="message">What happened and what to do.</param>
    /// <param name="inner">The cause.</param>
    public HubException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>True when asking again changes nothing: no such repository, or no right to it.</summary>
    public bool IsRefusal { get; }

    /// <summary>True when another process (or thread) is at the same file.</summary>
    internal bool IsBusy { get; init; }

    /// <summary>How long the server asks to wait before the next try, if it does.</summary>
    internal TimeSpan? RetryAfter { get; init; }
}
