using System.Globalization;
using System.Text.Json;

namespace TuneSharp.Templates;

/// <summary>A chat template: Jinja2 as transformers runs it, in a sandbox. Thread-safe.</summary>
/// <remarks>
/// The environment is transformers' ImmutableSandboxedEnvironment with <c>trim_blocks</c>, <c>lstrip_blocks</c>, loop controls and generation
/// blocks. A template reaches nothing but the variables that it is given; output, steps and depth are bounded. References: jinja2 3.1,
/// transformers 5 (utils/chat_template_utils.py).
/// </remarks>
public sealed class JinjaTemplate
{
    /// <summary>Seconds since 1970 that stand for now, so that outputs repeat.</summary>
    public const string EpochVariable = "SOURCE_DATE_EPOCH";

    private readonly IReadOnlyList<Node> _body;

    private JinjaTemplate(IReadOnlyList<Node> body) => _body = body;

    /// <summary>Reads a template.</summary>
    /// <param name="text">The template.</param>
    /// <exception cref="TemplateException">It is not valid; the message is Jinja2's.</exception>
    public static JinjaTemplate Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Guarded(() => new JinjaTemplate(Parser.Parse(text)));
    }

    /// <summary>Renders with variables from JSON.</summary>
    /// <param name="variables">An object; null is None, an absent key is undefined. Later ones win.</param>
    /// <exception cref="TemplateException">The template raised an error.</exception>
    public RenderedTemplate Render(params IReadOnlyList<JsonElement> variables)
    {
        ArgumentNullException.ThrowIfNull(variables);
        Dictionary<string, object?> values = new(StringComparer.Ordinal);
        foreach (JsonProperty property in variables.SelectMany(v => v.EnumerateObject()))
        {
            values[property.Name] = PyJson.FromJson(property.Value);
        }

        return Guarded(() =>
        {
            (string text, IReadOnlyList<(long Start, long End)> generation) = new Interpreter(values, Now()).Render(_body);
            return new RenderedTemplate(text, generation);
        });
    }

    private static DateTimeOffset Now() =>
        long.TryParse(Environment.GetEnvironmentVariable(EpochVariable), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long seconds)
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : TimeProvider.System.GetLocalNow();

    /// <summary>A template that nests too deeply ends with an error, not with the process.</summary>
    private static T Guarded<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (InsufficientExecutionStackException)
        {
            throw new TemplateException("RecursionError", "maximum recursion depth exceeded");
        }
    }
}

/// <summary>What a template wrote.</summary>
/// <param name="Text">The text.</param>
/// <param name="Generation">Spans [start, end) of its generation blocks, in code points of the text.</param>
public sealed record RenderedTemplate(string Text, IReadOnlyList<(long Start, long End)> Generation);
