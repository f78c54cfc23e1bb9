using System.Text.Json;

namespace TuneSharp.Templates;

/// <summary>A text made by a template.</summary>
/// <param name="Text">The text.</param>
/// <param name="Generation">
/// The stretches that the template marks as the model's own words (<c>{% generation %}</c>), in order: start, and one after the end, in code points.
/// </param>
public sealed record RenderedText(string Text, IReadOnlyList<(int Start, int End)> Generation);

/// <summary>A Jinja2 template, as models carry them to write conversations.</summary>
/// <remarks>
/// Renders what transformers renders: Jinja2 3.1 in its immutable sandbox, with trimmed blocks, loop controls, <c>generation</c> blocks,
/// <c>tojson</c> without HTML escapes, <c>raise_exception</c> and <c>strftime_now</c>. A template comes from a stranger: it reaches its
/// variables and nothing else, and its steps, its depth and the length of its text are bounded. Thread-safe.
/// </remarks>
public sealed class JinjaTemplate
{
    /// <summary>The environment variable that stands for now, in seconds since 1970 (UTC), so that outputs repeat.</summary>
    public const string EpochVariable = "SOURCE_DATE_EPOCH";

    private readonly ScopedBody _body;
    private readonly TimeProvider _clock;

    private JinjaTemplate(ScopedBody body, TimeProvider clock)
    {
        _body = body;
        _clock = clock;
    }

    /// <summary>Reads a template.</summary>
    /// <param name="source">Its text.</param>
    /// <param name="clock">
    /// What <c>strftime_now</c> reads; the system's when null. The environment variable <c>SOURCE_DATE_EPOCH</c> (seconds since 1970, UTC) takes its place.
    /// </param>
    /// <exception cref="TemplateException">The template is malformed.</exception>
    public static JinjaTemplate Parse(string source, TimeProvider? clock = null)
    {
        Budget.Begin();
        ScopedBody body = new([], Parser.Parse(source));
        ScopeAnalysis.Analyze(body);
        return new JinjaTemplate(body, clock ?? TimeProvider.System)
        {
            MarksGeneration = System.Text.RegularExpressions.Regex.IsMatch(source, @"\{%[-+]?\s*generation\s*[-+]?%\}", default, TimeSpan.FromSeconds(1)),
        };
    }

    /// <summary>True when the template marks the model's own words with <c>{% generation %}</c>.</summary>
    public bool MarksGeneration { get; private init; }

    /// <summary>Renders the template with the members of JSON objects as variables.</summary>
    /// <param name="variables">Objects; null is none, an absent key is undefined. Of one key, the last object's value counts.</param>
    /// <exception cref="TemplateException">The template fails, or gives up by itself.</exception>
    public RenderedText Render(params IReadOnlyList<JsonElement> variables)
    {
        Dictionary<string, object?> values = new(StringComparer.Ordinal);
        foreach (JsonProperty property in variables.SelectMany(v => v.EnumerateObject()))
        {
            values[property.Name] = property.Value;
        }

        return Render(values);
    }

    /// <summary>Renders the template.</summary>
    /// <param name="variables">
    /// Its variables: null, booleans, numbers, strings, <see cref="JsonElement"/>s, and dictionaries and lists of them.
    /// </param>
    /// <exception cref="TemplateException">The template fails, or gives up by itself.</exception>
    public RenderedText Render(IReadOnlyDictionary<string, object?> variables)
    {
        Budget.Begin();
        Dictionary<string, object?> values = new(StringComparer.Ordinal);
        foreach ((string name, object? value) in variables)
        {
            values[name] = PyConvert.From(value);
        }

        Run run = new(values, Now);
        _body.Execute(new Scope(run, null).Inner(_body));
        return run.Result();
    }

    private DateTimeOffset Now() =>
        long.TryParse(Environment.GetEnvironmentVariable(EpochVariable), System.Globalization.CultureInfo.InvariantCulture, out long seconds)
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : _clock.GetLocalNow();
}
