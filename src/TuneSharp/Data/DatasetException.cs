namespace TuneSharp.Data;

/// <summary>A data set cannot be used. The message says which file and row, what is wrong, and how to mend it.</summary>
public sealed class DatasetException : ArgumentException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">Place, what is wrong, the fix.</param>
    /// <param name="inner">The cause, if any.</param>
    public DatasetException(string message, Exception? inner)
        : base(message, inner)
    {
    }

    /// <summary>Creates an empty exception.</summary>
    public DatasetException()
    {
    }

    /// <summary>Creates the exception with a message.</summary>
    /// <param name="message">Place, what is wrong, the fix.</param>
    public DatasetException(string message)
        : base(message)
    {
    }
}
