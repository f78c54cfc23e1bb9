using System.Text.Json;
using TuneSharp.Config;
using TuneSharp.Tokenizers;

namespace TuneSharp.Data;

/// <summary>Reads tokenizer files for the families' tokenizers, and says what is wrong with them in one sentence.</summary>
internal static class TokenizerFiles
{
    public static ITokenizer Load(string path)
    {
        try
        {
            return TokenizerLoader.Load(path);
        }
        catch (Exception e) when (e is IOException or FormatException or UnauthorizedAccessException)
        {
            throw Explain(path, e);
        }
    }

    /// <summary>A tiktoken file of the Llama 3 family with special tokens of the user's own.</summary>
    public static ITokenizer LoadLlama3(string path, IReadOnlyDictionary<string, int> specialTokens)
    {
        try
        {
            return TiktokenFile.Load(path, TiktokenFile.Cl100kPattern, specialTokens);
        }
        catch (Exception e) when (e is IOException or FormatException or UnauthorizedAccessException)
        {
            throw Explain(path, e);
        }
    }

    /// <summary>A tiktoken file with its pattern and special tokens; or whatever else the path holds.</summary>
    public static ITokenizer LoadTiktoken(string path, string pattern, IReadOnlyDictionary<string, int> specialTokens)
    {
        try
        {
            string? file = !Directory.Exists(path) ? path
                : new[] { "tokenizer.json", "tokenizer.model", "original/tokenizer.model" }.Select(n => Path.Combine(path, n)).FirstOrDefault(File.Exists);
            return file is not null && file.EndsWith(".model", StringComparison.Ordinal) && File.Exists(file)
                ? TiktokenFile.Load(file, pattern, specialTokens)
                : TokenizerLoader.Load(path);
        }
        catch (Exception e) when (e is IOException or FormatException or UnauthorizedAccessException)
        {
            throw Explain(path, e);
        }
    }

    public static JsonElement ReadJson(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            return document.RootElement.Clone();
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            throw Explain(path, e);
        }
    }

    /// <summary>Encodes what a person wrote: special tokens in it are plain text, so nobody can end a turn by writing its mark.</summary>
    public static int[] EncodeAsText(this ITokenizer tokenizer, string text) => tokenizer is TokenizerPipeline pipeline
        ? pipeline.Encode(text, addSpecialTokens: false, specialTokensAsText: true)
        : tokenizer.Encode(text);

    private static ConfigException Explain(string path, Exception e)
    {
        string? folder = Path.GetDirectoryName(Path.GetFullPath(path));
        string hint = !File.Exists(path) && !Directory.Exists(path) && Directory.Exists(folder)
            ? NearestName.Hint(Path.GetFileName(path), Directory.EnumerateFileSystemEntries(folder).Select(f => Path.GetFileName(f)))
            : "";
        return new ConfigException($"tokenizer: {(e is JsonException ? $"{path} is not JSON: " : "")}{e.Message}{hint}", e);
    }
}
