using System.Text;
using System.Text.Json;
using TuneSharp.Config;
using TuneSharp.Tokenizers;

namespace TuneSharp.Data;

/// <summary>Byte-level vocabularies in two files, <c>vocab.json</c> and <c>merges.txt</c>, as GPT-2 introduced them.</summary>
internal static class VocabularyFiles
{
    /// <summary>Qwen's word pattern: digits stand alone.</summary>
    public const string QwenPattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Reads a tokenizer.</summary>
    /// <param name="vocab"><c>vocab.json</c>; or, when <paramref name="merges"/> is null, a <c>tokenizer.json</c> or a model's folder.</param>
    /// <param name="merges"><c>merges.txt</c>.</param>
    /// <param name="pattern">How text is cut into words.</param>
    /// <param name="normalForm">Text is brought into the form NFC first.</param>
    /// <param name="specialTokens">Special tokens and their ids.</param>
    public static ITokenizer Load(string vocab, string? merges, string pattern, bool normalForm, IReadOnlyDictionary<string, int> specialTokens)
    {
        if (merges is null)
        {
            string inFolder = Path.Combine(vocab, "vocab.json");
            if (!Directory.Exists(vocab) || File.Exists(Path.Combine(vocab, "tokenizer.json")) || !File.Exists(inFolder))
            {
                return Path.GetFileName(vocab) != "vocab.json" ? TokenizerFiles.Load(vocab) : throw new ConfigException(
                    "tokenizer: merges_file is missing. A vocab.json needs its merges.txt beside it: set merges_file, or let path name the model's folder.");
            }

            merges = Path.Combine(vocab, "merges.txt");
            vocab = inFolder;
        }

        JsonElement tokens = TokenizerFiles.ReadJson(vocab);
        if (tokens.ValueKind != JsonValueKind.Object || tokens.TryGetProperty("model", out _))
        {
            throw new ConfigException($"tokenizer: {vocab} is not a vocab.json (a JSON object from token to id). Name the vocab.json that belongs to {merges}.");
        }

        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream))
        {
            Write(json, tokens, ReadMerges(merges), pattern, normalForm);
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(stream.GetBuffer().AsMemory(0, (int)stream.Length));
            TokenizerParts parts = TokenizerJson.Read(document.RootElement);

            // The ids of special tokens are given; a tokenizer.json would number them behind the vocabulary.
            return new TokenizerPipeline(new TokenizerParts(parts.Model)
            {
                AddedTokens = [.. specialTokens.OrderBy(t => t.Value).Select(t => new AddedToken(t.Key) { Id = t.Value, Special = true })],
                Normalizer = parts.Normalizer,
                PreTokenizer = parts.PreTokenizer,
                Decoder = parts.Decoder,
            });
        }
        catch (FormatException e)
        {
            throw new ConfigException($"tokenizer: {vocab} and {merges} do not fit together: {e.Message}", e);
        }
    }

    private static List<string[]> ReadMerges(string path)
    {
        try
        {
            List<string[]> merges = [];
            int number = 0;
            foreach (string line in File.ReadLines(path, Encoding.UTF8))
            {
                number++;
                if (line.Length == 0 || (number == 1 && line.StartsWith("#version", StringComparison.Ordinal)))
                {
                    continue;
                }

                string[] pair = line.TrimEnd('\r', ' ').Split(' ');
                merges.Add(pair.Length == 2 ? pair : throw new ConfigException(
                    $"tokenizer: {path}:{number.ToString(System.Globalization.CultureInfo.InvariantCulture)} is not two tokens with a blank between them: {line}"));
            }

            return merges;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"tokenizer: {e.Message}", e);
        }
    }

    /// <summary>The two files as the <c>tokenizer.json</c> that they are short for.</summary>
    private static void Write(
        Utf8JsonWriter json, JsonElement vocab, List<string[]> merges, string pattern, bool normalForm)
    {
        json.WriteStartObject();
        json.WritePropertyName("normalizer");
        json.WriteRawValue(normalForm ? "{\"type\":\"NFC\"}" : "null");
        json.WritePropertyName("pre_tokenizer");
        json.WriteRawValue(
            "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":" + JsonSerializer.Serialize(pattern)
            + "},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":false,\"use_regex\":false}]}");
        json.WriteNull("post_processor");
        json.WritePropertyName("decoder");
        json.WriteRawValue("{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":false,\"use_regex\":false}");
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WritePropertyName("vocab");
        vocab.WriteTo(json);
        json.WriteStartArray("merges");
        foreach (string[] pair in merges)
        {
            json.WriteStartArray();
            json.WriteStringValue(pair[0]);
            json.WriteStringValue(pair[1]);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
