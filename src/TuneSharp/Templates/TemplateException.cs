namespace TuneSharp.Templates;

/// <summary>A template is wrong, or does not fit what it was given. The message is Jinja2's own.</summary>
public sealed class TemplateException : Exception
{
    /// <summary>Kind of an error that the template raised itself, through <c>raise_exception</c>.</summary>
    public const string Raised = "TemplateError";

    /// <summary>Creates the exception.</summary>
    /// <param name="kind">Name of Python's exception type, as in <c>UndefinedError</c>.</param>
    /// <param name="message">What happened, as Jinja2 says it.</param>
    /// <param name="line">Line of the template, from 1; 0 if unknown.</param>
    public TemplateException(string kind, string message, int line = 0)
        : base(message) => (Kind, Line) = (kind, line);

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What happened.</param>
    public TemplateException(string message)
        : this(Raised, message)
    {
    }

    /// <summary>Creates an empty exception.</summary>
    public TemplateException()
        : this(Raised, "The template raised an error.")
    {
    }

    /// <summary>Creates the exception with a cause.</summary>
    /// <param name="message">What happened.</param>
    /// <param name="inner">The cause.</param>
    public TemplateException(string message, Exception inner)
        : base(message, inner) => Kind = Raised;

    /// <summary>Name of Python's exception type, as in <c>UndefinedError</c>.</summary>
    public string Kind { get; }

    /// <summary>Line of the template, from 1; 0 if unknown.</summary>
    public int Line { get; }

    internal static TemplateException Type(string message) => new("TypeError", message);

    internal static TemplateException Value(string message) => new("ValueError", message);

    internal static TemplateException Overflow(string message) => new("OverflowError", message);

    internal static TemplateException Syntax(string message, int line) => new("TemplateSyntaxError", message, line);
}
