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
    private readonly TimeProvider _clock;

    private JinjaTemplate(IReadOnlyList<Node> body, bool marksGeneration, TimeProvider clock) =>
        (_body, MarksGeneration, _clock) = (body, marksGeneration, clock);

    /// <summary>True when the template marks the model's own words with <c>{% generation %}</c>.</summary>
    public bool MarksGeneration { get; }

    /// <summary>Reads a template.</summary>
    /// <param name="text">The template.</param>
    /// <param name="clock">What <c>strftime_now</c> reads where <see cref="EpochVariable"/> is not set; null for the system's.</param>
    /// <exception cref="TemplateException">It is not valid; the message is Jinja2's.</exception>
    public static JinjaTemplate Parse(string text, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Guarded(() =>
        {
            (IReadOnlyList<Node> body, bool marks) = Parser.Parse(text);
            return new JinjaTemplate(body, marks, clock ?? TimeProvider.System);
        });
    }

    /// <summary>Renders with variables from JSON objects.</summary>
    /// <param name="variables">Objects; null is None, an absent key is undefined. Of one key, the last object's counts.</param>
    /// <exception cref="TemplateException">The template raised an error.</exception>
    public RenderedText Render(params IReadOnlyList<JsonElement> variables)
    {
        ArgumentNullException.ThrowIfNull(variables);
        Dictionary<string, object?> values = new(StringComparer.Ordinal);
        foreach (JsonProperty property in variables.SelectMany(v => v.EnumerateObject()))
        {
            values[property.Name] = property.Value;
        }

        return Render(values);
    }

    /// <summary>Renders.</summary>
    /// <param name="variables">By name: null, text, booleans, numbers, <see cref="JsonElement"/>s, and lists and dictionaries of these.</param>
    /// <exception cref="TemplateException">The template raised an error.</exception>
    public RenderedText Render(IReadOnlyDictionary<string, object?> variables)
    {
        ArgumentNullException.ThrowIfNull(variables);
        Dictionary<string, object?> values = variables.ToDictionary(v => v.Key, v => PyJson.FromObject(v.Value), StringComparer.Ordinal);
        return Guarded(() =>
        {
            (string text, IReadOnlyList<(int Start, int End)> generation) = new Interpreter(values, Now()).Render(_body);
            return new RenderedText(text, generation);
        });
    }

    private DateTimeOffset Now() =>
        long.TryParse(Environment.GetEnvironmentVariable(EpochVariable), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long seconds)
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : _clock.GetLocalNow();

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
public sealed record RenderedText(string Text, IReadOnlyList<(int Start, int End)> Generation);
