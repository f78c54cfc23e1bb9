using System.Text.Json;
using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Tokenizers;

namespace TuneSharp.Models;

/// <summary>The ids that begin, end and fill up texts.</summary>
/// <param name="Bos">Begins a text; null if the model has none.</param>
/// <param name="Eos">Ends a text.</param>
/// <param name="Pad">Fills batches up.</param>
/// <param name="Stop">Ids at which generation stops; <paramref name="Eos"/> among them.</param>
public sealed record SpecialTokenIds(int? Bos, int Eos, int Pad, IReadOnlyList<int> Stop)
{
    /// <summary>Tokens that end a turn in formats that many models share.</summary>
    private static readonly string[] TurnEnds = ["<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>"];

    /// <summary>Reads them from a model's files.</summary>
    /// <remarks>
    /// tokenizer_config.json and special_tokens_map.json name tokens; generation_config.json and config.json give ids. The first
    /// that says anything wins. A model without a padding token is padded with EOS: padding is never learned.
    /// </remarks>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="folder">Where the files lie; those that are not there are passed over.</param>
    /// <param name="tokenizerConfig">The tokenizer_config.json, if it lies elsewhere.</param>
    /// <param name="generationConfig">The generation_config.json, if it lies elsewhere.</param>
    /// <exception cref="ConfigException">No file says which token ends a text.</exception>
    public static SpecialTokenIds Read(
        ITokenizer tokenizer, string folder, string? tokenizerConfig = null, string? generationConfig = null)
    {
        (string Path, bool Required)[] files =
        [
            (tokenizerConfig ?? Path.Combine(folder, "tokenizer_config.json"), tokenizerConfig is not null),
            (Path.Combine(folder, "special_tokens_map.json"), false),
            (generationConfig ?? Path.Combine(folder, "generation_config.json"), generationConfig is not null),
            (Path.Combine(folder, "config.json"), false),
        ];
        JsonElement[] said = [.. files.Where(f => f.Required || File.Exists(f.Path)).Select(f => TokenizerFiles.ReadJson(f.Path))];
        List<int> eos = Find(tokenizer, said, "eos");
        eos = eos.Count > 0 ? eos : Find(tokenizer, said, "sep"); // BERT's names for what begins and ends a text
        if (eos.Count == 0)
        {
            throw new ConfigException(
                $"tokenizer: no file says which token ends a text. Looked for eos_token and eos_token_id in {string.Join(", ", files.Select(f => f.Path))}. " +
                "Set tokenizer_config_json_path or generation_config_path to the model's files.");
        }

        List<int> bos = Find(tokenizer, said, "bos");
        bos = bos.Count > 0 ? bos : Find(tokenizer, said, "cls");
        List<int> pad = Find(tokenizer, said, "pad");
        IEnumerable<int> turnEnds = TurnEnds.Select(tokenizer.TokenToId).OfType<int>();
        return new SpecialTokenIds(
            bos.Count > 0 ? bos[0] : null,
            eos[0],
            pad.Count > 0 ? pad[0] : eos[0],
            [.. eos.Concat(turnEnds).Distinct()]);
    }

    /// <summary>All ids that the files give a kind of token, the most trusted first.</summary>
    private static List<int> Find(ITokenizer tokenizer, JsonElement[] files, string kind)
    {
        List<int> ids = [];
        foreach (JsonElement file in files.Where(f => f.ValueKind == JsonValueKind.Object))
        {
            if (file.TryGetProperty(kind + "_token", out JsonElement token)
                && (token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out JsonElement content) ? content : token) is
                    { ValueKind: JsonValueKind.String } text
                && tokenizer.TokenToId(text.GetString()!) is { } id)
            {
                ids.Add(id);
            }

            if (file.TryGetProperty(kind + "_token_id", out JsonElement number))
            {
                JsonElement[] numbers = number.ValueKind == JsonValueKind.Array ? [.. number.EnumerateArray()] : [number];
                ids.AddRange(numbers.Where(n => n.ValueKind == JsonValueKind.Number).Select(n => n.GetInt32()));
            }
        }

        return ids;
    }
}
