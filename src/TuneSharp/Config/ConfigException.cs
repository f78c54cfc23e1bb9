namespace TuneSharp.Config;

/// <summary>One mistake in a config: where, what, and how to mend it.</summary>
/// <param name="File">File name, or <c>command line</c>.</param>
/// <param name="Line">Line from 1; 0 when there is none.</param>
/// <param name="Column">Column from 1; 0 when there is none.</param>
/// <param name="Message">What is wrong, with the values, and the fix.</param>
public record ConfigProblem(string File, int Line, int Column, string Message)
{
    /// <inheritdoc/>
    public override string ToString() => Line > 0
        ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{File}:{Line}:{Column}  {Message}")
        : $"{File}  {Message}";
}

/// <summary>A config cannot be used. Holds every mistake found, not only the first.</summary>
public sealed class ConfigException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="problems">All mistakes, in the order of the file.</param>
    public ConfigException(IReadOnlyList<ConfigProblem> problems)
        : base(string.Join('\n', problems)) => Problems = problems;

    /// <summary>Creates an empty exception.</summary>
    public ConfigException()
        : this([])
    {
    }

    /// <summary>Creates an exception with one mistake that has no place in a file.</summary>
    /// <param name="message">What is wrong and how to mend it.</param>
    public ConfigException(string message)
        : base(message) => Problems = [new("config", 0, 0, message)];

    /// <summary>Creates an exception with one mistake and its cause.</summary>
    /// <param name="message">What is wrong and how to mend it.</param>
    /// <param name="inner">The cause.</param>
    public ConfigException(string message, Exception inner)
        : base(message, inner) => Problems = [new("config", 0, 0, message)];

    /// <summary>All mistakes, in the order of the file.</summary>
    public IReadOnlyList<ConfigProblem> Problems { get; }
}
