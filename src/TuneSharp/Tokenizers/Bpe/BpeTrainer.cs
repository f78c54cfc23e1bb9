using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace TuneSharp.Tokenizers;

/// <summary>
/// Makes a small byte-level BPE vocabulary from text: words are counted, then the most frequent pair is merged until
/// the vocabulary is full. The same text gives the same vocabulary: ties go to the smaller ids.
/// </summary>
public sealed class BpeTrainer
{
    private readonly List<int[]> _words = [];
    private readonly List<int> _wordCounts = [];
    private readonly Dictionary<long, int> _pairCounts = [];
    private readonly Dictionary<long, HashSet<int>> _pairWords = [];
    private readonly PriorityQueue<long, (int NegativeCount, long Pair)> _queue = new();
    private readonly List<string> _tokens = [];
    private readonly List<(string Left, string Right)> _merges = [];

    private BpeTrainer()
    {
    }

    /// <summary>Trains a vocabulary and writes it as a tokenizer.json in Hugging Face's layout.</summary>
    /// <param name="texts">The training text.</param>
    /// <param name="vocabSize">Tokens in all, special tokens included.</param>
    /// <param name="specialTokens">Special tokens; they get the last ids, in this order.</param>
    /// <param name="path">The file to write.</param>
    /// <param name="bosToken">The special token to put before each text when special tokens are asked for, or null.</param>
    /// <returns>How many tokens there are: fewer than asked for if the text has no more pairs to merge.</returns>
    /// <remarks>Words are cut, and the file says so, as Llama 3 does it.</remarks>
    public static int Train(
        IEnumerable<string> texts, int vocabSize, IReadOnlyList<string> specialTokens, string path, string? bosToken = null)
    {
        int room = vocabSize - specialTokens.Count;
        if (room < 256)
        {
            throw new ArgumentOutOfRangeException(
                nameof(vocabSize), vocabSize, $"A byte-level vocabulary needs 256 tokens for the bytes and {specialTokens.Count} for the special tokens.");
        }

        if (bosToken is not null && !specialTokens.Contains(bosToken, StringComparer.Ordinal))
        {
            throw new ArgumentException($"{bosToken} is not among the special tokens.", nameof(bosToken));
        }

        BpeTrainer trainer = new();
        trainer.CountWords(texts);
        trainer.CountPairs();
        while (trainer._tokens.Count < room && trainer.MergeBest())
        {
        }

        trainer.Write(path, specialTokens, bosToken);
        return trainer._tokens.Count + specialTokens.Count;
    }

    private void CountWords(IEnumerable<string> texts)
    {
        // Byte tokens in the order of their characters, as Hugging Face's trainer has them.
        char[] alphabet = [.. Enumerable.Range(0, 256).Select(b => ByteAlphabet.CharOf((byte)b)).Order()];
        int[] idOfByte = new int[256];
        for (int id = 0; id < alphabet.Length; id++)
        {
            _tokens.Add(alphabet[id].ToString());
            idOfByte[ByteAlphabet.ByteOf(alphabet[id])] = id;
        }

        RegexPattern pattern = new(new CodeRegex(TiktokenFile.Cl100kPattern));
        Dictionary<string, int> index = new(StringComparer.Ordinal);
        List<(Range32 Range, bool IsMatch)> found = [];
        foreach (string text in texts)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            found.Clear();
            pattern.Find(bytes, found);
            foreach ((Range32 range, _) in found)
            {
                ReadOnlySpan<byte> word = bytes.AsSpan(range.Start, range.End - range.Start);
                ref int at = ref CollectionsMarshal.GetValueRefOrAddDefault(index, ByteAlphabet.Spell(word), out bool known);
                if (!known)
                {
                    at = _words.Count;
                    int[] symbols = new int[word.Length];
                    for (int i = 0; i < symbols.Length; i++)
                    {
                        symbols[i] = idOfByte[word[i]];
                    }

                    _words.Add(symbols);
                    _wordCounts.Add(0);
                }

                _wordCounts[at]++;
            }
        }
    }

    private void CountPairs()
    {
        for (int w = 0; w < _words.Count; w++)
        {
            for (int i = 0; i + 1 < _words[w].Length; i++)
            {
                Add(Key(_words[w][i], _words[w][i + 1]), w, _wordCounts[w]);
            }
        }

        foreach ((long pair, int count) in _pairCounts)
        {
            _queue.Enqueue(pair, (-count, pair));
        }
    }

    private bool MergeBest()
    {
        while (_queue.TryDequeue(out long pair, out (int NegativeCount, long Pair) key))
        {
            // Counts only fall once a pair is known, so an entry that is out of date goes back with its true count.
            int count = _pairCounts.GetValueOrDefault(pair);
            if (count <= 0)
            {
                continue;
            }

            if (-key.NegativeCount != count)
            {
                _queue.Enqueue(pair, (-count, pair));
                continue;
            }

            Merge(pair);
            return true;
        }

        return false;
    }

    private void Merge(long pair)
    {
        (int left, int right) = ((int)(pair >> 32), (int)(uint)pair);
        int merged = _tokens.Count;
        _merges.Add((_tokens[left], _tokens[right]));
        _tokens.Add(_tokens[left] + _tokens[right]);
        HashSet<long> fresh = [];
        foreach (int w in _pairWords[pair])
        {
            int[] old = _words[w];
            int count = _wordCounts[w];
            for (int i = 0; i + 1 < old.Length; i++)
            {
                _pairCounts[Key(old[i], old[i + 1])] -= count;
            }

            List<int> symbols = new(old.Length);
            for (int i = 0; i < old.Length; i++)
            {
                bool here = i + 1 < old.Length && old[i] == left && old[i + 1] == right;
                symbols.Add(here ? merged : old[i]);
                i += here ? 1 : 0;
            }

            _words[w] = [.. symbols];
            for (int i = 0; i + 1 < symbols.Count; i++)
            {
                long key = Key(symbols[i], symbols[i + 1]);
                Add(key, w, count);
                if (symbols[i] == merged || symbols[i + 1] == merged)
                {
                    fresh.Add(key);
                }
            }
        }

        _pairWords.Remove(pair);
        _pairCounts.Remove(pair);
        foreach (long key in fresh)
        {
            _queue.Enqueue(key, (-_pairCounts[key], key));
        }
    }

    private void Add(long pair, int word, int count)
    {
        CollectionsMarshal.GetValueRefOrAddDefault(_pairCounts, pair, out _) += count;
        ref HashSet<int>? words = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairWords, pair, out _);
        (words ??= []).Add(word);
    }

    private static long Key(int left, int right) => ((long)left << 32) | (uint)right;

    private void Write(string path, IReadOnlyList<string> specialTokens, string? bosToken)
    {
        using FileStream stream = File.Create(path);
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NewLine = "\n" });
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        for (int i = 0; i < specialTokens.Count; i++)
        {
            json.WriteRawValue(JsonSerializer.Serialize(
                new { id = _tokens.Count + i, content = specialTokens[i], single_word = false, lstrip = false, rstrip = false, normalized = false, special = true }, Relaxed));
        }

        json.WriteEndArray();
        json.WriteNull("normalizer");
        WriteFrame(json, bosToken, bosToken is null ? 0 : _tokens.Count + specialTokens.ToList().IndexOf(bosToken));
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteNull("unk_token");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", false);
        json.WriteStartObject("vocab");
        for (int id = 0; id < _tokens.Count; id++)
        {
            json.WriteNumber(_tokens[id], id);
        }

        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach ((string left, string right) in _merges)
        {
            json.WriteStringValue($"{left} {right}");
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        stream.Write("\n"u8);
    }

    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static void WriteFrame(Utf8JsonWriter json, string? bosToken, int bosId)
    {
        object byteLevel = new { type = "ByteLevel", add_prefix_space = false, trim_offsets = true, use_regex = false };
        object split = new { type = "Split", pattern = new { Regex = TiktokenFile.Cl100kPattern }, behavior = "Isolated", invert = false };
        Raw("pre_tokenizer", new { type = "Sequence", pretokenizers = new[] { split, byteLevel } });
        object untrimmed = new { type = "ByteLevel", add_prefix_space = true, trim_offsets = false, use_regex = true };
        if (bosToken is null)
        {
            Raw("post_processor", untrimmed);
        }
        else
        {
            object first = new { Sequence = new { id = "A", type_id = 0 } };
            object second = new { Sequence = new { id = "B", type_id = 1 } };
            object Bos(int type) => new { SpecialToken = new { id = bosToken, type_id = type } };
            object template = new
            {
                type = "TemplateProcessing",
                single = new[] { Bos(0), first },
                pair = new[] { Bos(0), first, Bos(1), second },
                special_tokens = new Dictionary<string, object>(StringComparer.Ordinal) { [bosToken] = new { id = bosToken, ids = new[] { bosId }, tokens = new[] { bosToken } } },
            };
            Raw("post_processor", new { type = "Sequence", processors = new[] { untrimmed, template } });
        }

        Raw("decoder", new { type = "ByteLevel", add_prefix_space = true, trim_offsets = true, use_regex = true });

        void Raw(string name, object value)
        {
            json.WritePropertyName(name);
            json.WriteRawValue(JsonSerializer.Serialize(value, Relaxed));
        }
    }
}
