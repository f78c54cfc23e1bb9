namespace TuneSharp.Templates;

/// <summary>A template that cannot be read or rendered; the message is the one that Jinja2 gives.</summary>
public sealed class TemplateException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="kind">The name of Jinja2's or Python's exception.</param>
    /// <param name="message">What went wrong.</param>
    /// <param name="line">Line of the template, from 1; null if none is to blame.</param>
    public TemplateException(string kind, string message, int? line = null)
        : base(message)
    {
        Kind = kind;
        Line = line;
    }

    /// <summary>
    /// The name of Jinja2's or Python's exception: <c>UndefinedError</c>, <c>TemplateSyntaxError</c>, <c>SecurityError</c>, <c>TypeError</c> …;
    /// <c>TemplateError</c> for the template's own <c>raise_exception</c>.
    /// </summary>
    public string Kind { get; }

    /// <summary>Line of the template, from 1; null if none is to blame.</summary>
    public int? Line { get; }

    internal static TemplateException Type(string message) => new("TypeError", message);

    internal static TemplateException Value(string message) => new("ValueError", message);

    internal static TemplateException Argument(string message) => new("FilterArgumentError", message);

    internal static TemplateException Runtime(string message) => new("TemplateRuntimeError", message);

    internal static TemplateException TooMuch(string what) => new("OverflowError", what);
}
