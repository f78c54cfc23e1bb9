using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using TuneSharp.Config;

namespace TuneSharp.Cli;

/// <summary>A mistake on the command line itself.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>Turns whatever went wrong into one message and an exit code.</summary>
internal static partial class Failure
{
    public const int Ok = 0;
    public const int Failed = 1;
    public const int Usage = 2;
    public const int Stopped = 130;

    /// <summary>Shows a stack trace after the message when it is <c>1</c>.</summary>
    private const string TraceVariable = "TUNESHARP_TRACE";

    /// <summary>Writes the message and gives the exit code.</summary>
    public static int Report(Exception exception, Terminal terminal)
    {
        Exception cause = Unwrap(exception);
        if (cause is OperationCanceledException)
        {
            terminal.Error.WriteLine("Stopped.");
            return Stopped;
        }

        terminal.Fail(Message(cause));
        if (Environment.GetEnvironmentVariable(TraceVariable) == "1")
        {
            terminal.Error.WriteLine(exception);
        }

        return cause is ConfigException or UsageException ? Usage : Failed;
    }

    /// <summary>The sentence a user reads.</summary>
    public static string Message(Exception exception)
    {
        Exception cause = Unwrap(exception);
        string text = cause switch
        {
            ConfigException { Problems.Count: > 1 } config => string.Create(CultureInfo.InvariantCulture, $"{config.Problems.Count} mistakes in the config:\n") + config.Message,
            OutOfMemoryException => $"The machine has no memory left. ({cause.Message}) Use a smaller batch_size, or turn enable_activation_checkpointing on.",
            IOException { HResult: DiskFullOnWindows or DiskFullOnUnix } => $"The disk is full: {cause.Message} Free some space; what was saved before is untouched.",
            ArgumentException => ParameterSuffix().Replace(cause.Message, ""),
            KeyNotFoundException or NullReferenceException or InvalidCastException or IndexOutOfRangeException =>
                $"TuneSharp itself failed ({cause.GetType().Name}: {cause.Message}). This is a bug: please report it with the output of `{TraceVariable}=1 tune …` and `tune env`.",
            _ => cause.Message,
        };

        // libtorch appends its own C++ stack to its messages.
        int native = text.IndexOf("\nException raised from", StringComparison.Ordinal);
        text = (native >= 0 ? text[..native] : text).Trim();
        return text.Length > 0 ? text : cause.GetType().Name;
    }

    private const int DiskFullOnWindows = unchecked((int)0x80070070);
    private const int DiskFullOnUnix = 28;

    private static Exception Unwrap(Exception exception) => exception switch
    {
        AggregateException { InnerExceptions: [var only] } => Unwrap(only),
        TargetInvocationException { InnerException: { } inner } => Unwrap(inner),
        TypeInitializationException { InnerException: { } inner } => Unwrap(inner),
        _ => exception,
    };

    [GeneratedRegex(@" \(Parameter '[^']*'\)", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ParameterSuffix();
}
