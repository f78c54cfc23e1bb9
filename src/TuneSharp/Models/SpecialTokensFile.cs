using System.Globalization;
using System.Text.Json;
using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Tokenizers;

namespace TuneSharp.Models;

/// <summary>The file that <c>special_tokens_path</c> names: a <c>tokenizer.json</c>, or a file with its <c>added_tokens</c>.</summary>
internal static class SpecialTokensFile
{
    public static Dictionary<string, int> Read(string path)
    {
        Dictionary<string, int> tokens = new(StringComparer.Ordinal);
        JsonElement root = TokenizerFiles.ReadJson(path);
        if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("added_tokens", out JsonElement added) && added.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement token in added.EnumerateArray())
            {
                if (token.TryGetProperty("content", out JsonElement content) && token.TryGetProperty("id", out JsonElement id)
                    && id.TryGetInt32(out int number))
                {
                    tokens[content.GetString()!] = number;
                }
            }
        }

        return tokens.Count > 0 ? tokens : throw new ConfigException(
            $"special_tokens_path: {path} has no added_tokens ([{{\"content\": …, \"id\": …}}]). Name the model's tokenizer.json, or leave the key out.");
    }

    public static void RequireSame(ITokenizer tokenizer, Dictionary<string, int> tokens, string path)
    {
        foreach ((string token, int id) in tokens)
        {
            if (tokenizer.TokenToId(token) is { } other && other != id)
            {
                throw new ConfigException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"special_tokens_path: {path} gives {token} the id {id}, and the tokenizer gives it {other}. Use the files of one model."));
            }
        }
    }
}
