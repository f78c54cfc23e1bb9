#!/usr/bin/env dotnet
#:project ../src/TuneSharp/TuneSharp.csproj
#:property PublishAot=false
#:property TreatWarningsAsErrors=false

// Makes the quickstart's texts and tokenizer from WordNet 3.0 (Debian package wordnet-base; licence in quickstart/LICENSE.wordnet).
//   dotnet run quickstart/MakeData.cs -- WORDNET_FOLDER OUTPUT_FOLDER
// Writes pretrain.txt (one synset a line, what the small model is trained on from nothing), data/train.jsonl and data/val.jsonl
// (instructions: a word, its definition), and model/tokenizer.json. Words of data/val.jsonl stand in no other file.
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using TuneSharp.Tokenizers;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
(string wordnet, string output) = (args[0], args[1]);
const int TrainWords = 3000, ValWords = 200, Vocabulary = 4096;
string[] specials =
[
    "<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>",
    "<|python_tag|>", "<|image|>",
];

Dictionary<string, Synset> synsets = [];
Dictionary<string, (string Pos, string Offset)> common = [];
foreach ((string file, string pos) in new[] { ("noun", "noun"), ("verb", "verb"), ("adj", "adjective"), ("adv", "adverb") })
{
    foreach (string line in File.ReadLines(Path.Combine(wordnet, "data." + file)).Where(l => l.Length > 0 && char.IsAsciiDigit(l[0])))
    {
        string[] parts = line.Split(' ');
        int count = int.Parse(parts[3], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        string[] words = [.. Enumerable.Range(0, count).Select(i => Clean(parts[4 + (2 * i)]))];
        synsets[pos + parts[0]] = new Synset(pos, words, line[(line.IndexOf('|') + 1)..].Trim());
    }

    foreach (string line in File.ReadLines(Path.Combine(wordnet, "index." + file)).Where(l => l[0] != ' '))
    {
        string[] parts = line.TrimEnd().Split(' ');
        int senses = int.Parse(parts[2], CultureInfo.InvariantCulture);
        int seenInText = int.Parse(parts[^(senses + 1)], CultureInfo.InvariantCulture);
        if (seenInText > 0 && parts[0].Length is >= 3 and <= 12 && parts[0].All(char.IsAsciiLetterLower))
        {
            common.TryAdd(parts[0], (pos, parts[^senses]));
        }
    }
}

// Common words whose first sense has a short definition; evenly spaced over the alphabet.
(string Word, string Pos, string Definition, string Key)[] defined =
[
    .. common.Select(c => (Word: c.Key, c.Value.Pos, Definition: synsets[c.Value.Pos + c.Value.Offset].Definition, Key: c.Value.Pos + c.Value.Offset))
        .Where(d => d.Definition.Length is >= 15 and <= 80 && !d.Definition.Contains('(') && !d.Definition.Contains(d.Word))
        .OrderBy(d => d.Word, StringComparer.Ordinal),
];
int wanted = TrainWords + ValWords;
var chosen = Enumerable.Range(0, wanted).Select(i => defined[(long)i * defined.Length / wanted]).ToArray();
var val = chosen.Where((_, i) => i % (wanted / ValWords) == 7).ToArray();
var train = chosen.Except(val).ToArray();
HashSet<string> held = [.. val.Select(v => v.Key)];

Directory.CreateDirectory(Path.Combine(output, "data"));
Directory.CreateDirectory(Path.Combine(output, "model"));
string pretrain = Path.Combine(output, "pretrain.txt");
File.WriteAllLines(pretrain, synsets.Where(s => !held.Contains(s.Key)).Select(s => s.Value.Line));
WriteInstructions(Path.Combine(output, "data", "train.jsonl"), train);
WriteInstructions(Path.Combine(output, "data", "val.jsonl"), val);
BpeTrainer.Train(
    File.ReadLines(pretrain), Vocabulary, specials, Path.Combine(output, "model", "tokenizer.json"), bosToken: specials[0]);
WriteModelFiles(Path.Combine(output, "model"), Vocabulary - specials.Length);
Console.WriteLine($"{synsets.Count - held.Count:N0} lines to learn from, {train.Length} + {val.Length} instructions of {defined.Length:N0} common words");

static string Clean(string word) => (word.IndexOf('(') is var i and > 0 ? word[..i] : word).Replace('_', ' ');

static void WriteInstructions(string path, IEnumerable<(string Word, string Pos, string Definition, string Key)> rows)
{
    JsonSerializerOptions plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    File.WriteAllLines(path, rows.Select(r => JsonSerializer.Serialize(
        new { instruction = $"Define the word \"{r.Word}\".", input = "", output = r.Definition }, plain)));
}

// 4.0 million parameters: 8 MB in bf16, as much as the repository should carry.
static void WriteModelFiles(string folder, int firstSpecial)
{
    (int bos, int eos, int pad, int endOfTurn) = (firstSpecial, firstSpecial + 1, firstSpecial + 2, firstSpecial + 6);
    JsonSerializerOptions indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    void Write(string name, object content) => File.WriteAllText(Path.Combine(folder, name), JsonSerializer.Serialize(content, indented) + "\n");
    Write("config.json", new Dictionary<string, object>
    {
        ["architectures"] = new[] { "LlamaForCausalLM" }, ["model_type"] = "llama", ["torch_dtype"] = "bfloat16",
        ["vocab_size"] = Vocabulary, ["hidden_size"] = 192, ["intermediate_size"] = 512, ["num_hidden_layers"] = 8,
        ["num_attention_heads"] = 4, ["num_key_value_heads"] = 2, ["head_dim"] = 48, ["hidden_act"] = "silu",
        ["max_position_embeddings"] = 512, ["rms_norm_eps"] = 1e-5, ["rope_theta"] = 10000.0, ["tie_word_embeddings"] = true,
        ["attention_bias"] = false, ["mlp_bias"] = false, ["bos_token_id"] = bos, ["eos_token_id"] = eos, ["pad_token_id"] = pad,
    });
    Write("generation_config.json", new Dictionary<string, object>
    {
        ["bos_token_id"] = bos, ["eos_token_id"] = new[] { eos, endOfTurn }, ["pad_token_id"] = pad,
    });
    Write("tokenizer_config.json", new Dictionary<string, object>
    {
        ["tokenizer_class"] = "PreTrainedTokenizerFast", ["bos_token"] = "<|begin_of_text|>", ["eos_token"] = "<|end_of_text|>",
        ["pad_token"] = "<|finetune_right_pad_id|>", ["model_max_length"] = 512, ["clean_up_tokenization_spaces"] = false,
        ["chat_template"] =
            "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n" +
            "{{ message['content'] | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
    });
}

internal sealed record Synset(string Pos, string[] Words, string Gloss)
{
    /// <summary>The gloss without its examples.</summary>
    public string Definition => Gloss.Split("; \"")[0].Trim(' ', ';');

    public string Line => $"{string.Join(", ", Words)} ({Pos}): {Gloss}";
}
