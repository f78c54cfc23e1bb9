using System.Text.Json;
using TuneSharp.Templates;

namespace TuneSharp.Tests.Templates;

/// <summary>What transformers over Jinja2 wrote: the language feature by feature, and real chat templates over conversations.</summary>
[Collection(nameof(JinjaClock))]
public sealed class JinjaGoldenTests
{
    public static TheoryData<string> Files() =>
        [.. Directory.GetFiles(Repo.Golden("templates"), "*.json").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_case_is_rendered_or_refused_as_by_the_reference(string file)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Repo.Golden(Path.Combine("templates", file))));
        JsonElement golden = document.RootElement;
        using JinjaClock clock = JinjaClock.At(golden.GetProperty("now").GetInt64());
        string? shared = file.Contains(".chat.", StringComparison.Ordinal) ? ChatTemplateSource.Of(golden) : null;
        JsonElement common = golden.TryGetProperty("variables", out JsonElement v) ? v : JsonDocument.Parse("{}").RootElement;
        List<string> wrong = [];
        foreach (JsonElement item in golden.GetProperty("cases").EnumerateArray())
        {
            string expected = Expected(item);
            string actual = Actual(shared ?? item.GetProperty("template").GetString()!, common, item, shared is null, item.TryGetProperty("error_type", out _));
            if (expected != actual)
            {
                wrong.Add($"{(item.TryGetProperty("name", out JsonElement name) ? name.GetString() : "?")}:\n  expected {expected}\n  actual   {actual}");
            }
        }

        Assert.True(wrong.Count == 0, $"{wrong.Count} cases differ:\n{string.Join('\n', wrong)}");
        Assert.True(golden.GetProperty("cases").GetArrayLength() > 10);
    }

    private static string Expected(JsonElement item) => item.TryGetProperty("error", out JsonElement error)
        ? $"{(item.TryGetProperty("error_type", out JsonElement type) ? type.GetString() + ": " : "error ")}{error.GetString()}"
        : JsonSerializer.Serialize(item.GetProperty("rendered").GetString())
            + (item.TryGetProperty("generation", out JsonElement spans) ? JsonSerializer.Serialize(spans) : "");

    private static string Actual(string template, JsonElement common, JsonElement item, bool isProgram, bool withType)
    {
        try
        {
            JsonElement own = isProgram ? item.TryGetProperty("variables", out JsonElement v) ? v : JsonDocument.Parse("{}").RootElement : item;
            RenderedText result = JinjaTemplate.Parse(template).Render(common, own);
            string spans = item.TryGetProperty("generation", out _) ? JsonSerializer.Serialize(result.Generation.Select(s => new[] { s.Start, s.End })) : "";
            Assert.Equal(template.Contains(" generation", StringComparison.Ordinal), JinjaTemplate.Parse(template).MarksGeneration);
            return JsonSerializer.Serialize(result.Text) + spans;
        }
        catch (TemplateException e)
        {
            return (withType ? e.Kind + ": " : "error ") + e.Message;
        }
    }
}

/// <summary>Sets the time that templates see; tests that do so run one after the other.</summary>
[CollectionDefinition(nameof(JinjaClock), DisableParallelization = true)]
public sealed class JinjaClock : IDisposable
{
    private readonly string? _before = Environment.GetEnvironmentVariable(JinjaTemplate.EpochVariable);

    public void Dispose() => Environment.SetEnvironmentVariable(JinjaTemplate.EpochVariable, _before);

    internal static JinjaClock At(long seconds)
    {
        JinjaClock clock = new();
        Environment.SetEnvironmentVariable(JinjaTemplate.EpochVariable, seconds.ToString(System.Globalization.CultureInfo.InvariantCulture));
        return clock;
    }
}
