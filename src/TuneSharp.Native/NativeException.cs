namespace TuneSharp.Native;

/// <summary>A native library could not be loaded, or a call into it failed.</summary>
/// <remarks>The message starts with the library's or loader's own words; our advice follows them.</remarks>
public sealed class NativeException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What happened, in the library's words, and what to do.</param>
    /// <param name="inner">The exception that holds the library's words, if any.</param>
    public NativeException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>Creates an empty exception.</summary>
    public NativeException()
    {
    }

    /// <summary>Creates the exception with a message.</summary>
    /// <param name="message">What happened, in the library's words, and what to do.</param>
    public NativeException(string message)
        : base(message)
    {
    }
}
