using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>
/// Reads tiktoken's files: a line a token, its bytes in base64 and its rank, which is both its id and how early it merges.
/// </summary>
/// <remarks>Llama 3's tokenizer.model is such a file; so are OpenAI's cl100k_base and o200k_base.</remarks>
public static class TiktokenFile
{
    /// <summary>How Llama 3, cl100k and their kin cut text into words.</summary>
    public const string Cl100kPattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>How o200k, gpt-oss and Llama 4 cut text into words.</summary>
    public const string O200kPattern =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>The special tokens of the Llama 3 family, as torchtune numbers them.</summary>
    public static IReadOnlyDictionary<string, int> Llama3SpecialTokens { get; } = MakeLlama3();

    /// <summary>The special tokens of cl100k_base.</summary>
    public static IReadOnlyDictionary<string, int> Cl100kSpecialTokens { get; } = new Dictionary<string, int>(StringComparer.Ordinal)
    {
        ["<|endoftext|>"] = 100257,
        ["<|fim_prefix|>"] = 100258,
        ["<|fim_middle|>"] = 100259,
        ["<|fim_suffix|>"] = 100260,
        ["<|endofprompt|>"] = 100276,
    };

    /// <summary>The special tokens of o200k_base.</summary>
    public static IReadOnlyDictionary<string, int> O200kSpecialTokens { get; } = new Dictionary<string, int>(StringComparer.Ordinal)
    {
        ["<|endoftext|>"] = 199999,
        ["<|endofprompt|>"] = 200018,
    };

    /// <summary>Reads a file whose tokenizer is known by the number of its tokens: Llama 3, cl100k_base or o200k_base.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FormatException">The file is malformed, or of another size.</exception>
    public static TokenizerPipeline Load(string path)
    {
        List<byte[]> ranks = ReadRanks(path);
        return ranks.Count switch
        {
            128_000 => Build(ranks, Cl100kPattern, Llama3SpecialTokens, "<|begin_of_text|>"),
            100_256 => Build(ranks, Cl100kPattern, Cl100kSpecialTokens, null),
            199_998 => Build(ranks, O200kPattern, O200kSpecialTokens, null),
            int count => throw new FormatException(
                $"{path} has {count.ToString(CultureInfo.InvariantCulture)} ranks. Known are Llama 3 (128000), cl100k_base (100256) and o200k_base (199998); "
                + "for another, give its pattern and special tokens."),
        };
    }

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="pattern">The regular expression that cuts text into words.</param>
    /// <param name="specialTokens">Special tokens and their ids.</param>
    /// <param name="bosToken">The special token that <c>addSpecialTokens</c> puts first, or null for none.</param>
    public static TokenizerPipeline Load(
        string path, string pattern, IReadOnlyDictionary<string, int> specialTokens, string? bosToken = null) =>
        Build(ReadRanks(path), pattern, specialTokens, bosToken);

    /// <summary>Whether a file begins as tiktoken's do: base64, a blank, a number.</summary>
    internal static bool LooksLike(ReadOnlySpan<byte> start)
    {
        int end = start.IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = end < 0 ? start : start[..end];
        int blank = line.IndexOf((byte)' ');
        return blank > 0 && Base64.IsValid(line[..blank]) && Utf8Parser.TryParse(line[(blank + 1)..], out int _, out _);
    }

    private static List<byte[]> ReadRanks(string path)
    {
        List<byte[]> ranks = [];
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (line.Length == 0)
            {
                continue;
            }

            int blank = line.IndexOf(' ', StringComparison.Ordinal);
            byte[] token = new byte[line.Length];
            if (blank < 0 || !Convert.TryFromBase64String(line[..blank], token, out int length)
                || !int.TryParse(line.AsSpan(blank + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int rank))
            {
                throw new FormatException($"{path}:{number.ToString(CultureInfo.InvariantCulture)} is not a token in base64 and a rank: {line}");
            }

            if (rank != ranks.Count)
            {
                throw new FormatException(
                    $"{path}:{number.ToString(CultureInfo.InvariantCulture)} has the rank {rank.ToString(CultureInfo.InvariantCulture)}; ranks run upwards from 0 without a gap, so {ranks.Count.ToString(CultureInfo.InvariantCulture)} is next.");
            }

            ranks.Add(token[..length]);
        }

        return ranks;
    }

    private static TokenizerPipeline Build(
        List<byte[]> ranks, string pattern, IReadOnlyDictionary<string, int> specialTokens, string? bosToken)
    {
        TokenTable table = new(ranks.Count);
        for (int id = 0; id < ranks.Count; id++)
        {
            table.Add(id, Encoding.UTF8.GetBytes(ByteAlphabet.Spell(ranks[id])));
        }

        table.Seal();
        for (int b = 0; b < 256; b++)
        {
            if (table.Find(Encoding.UTF8.GetBytes(ByteAlphabet.Spell([(byte)b]))) < 0)
            {
                throw new FormatException($"The ranks lack the single byte 0x{b:X2}, so some text could not be encoded.");
            }
        }

        (int Id, string Text)[] before = bosToken is null ? [] : [(specialTokens[bosToken], bosToken)];
        return new TokenizerPipeline(new TokenizerParts(new BpeModel(table, Merges(ranks, table), new BpeOptions { IgnoreMerges = true }))
        {
            PreTokenizer = new PreTokenizerSequence(
            [
                new SplitPreTokenizer(new RegexPattern(new CodeRegex(pattern)), SplitBehavior.Isolated, invert: false),
                new ByteLevelPreTokenizer(addPrefixSpace: false, useRegex: false),
            ]),
            PostProcessor = new FramingPostProcessor(before, []),
            Decoder = new ByteLevelDecoder(),
            AddedTokens = [.. specialTokens.Select(t => new AddedToken(t.Key) { Id = t.Value, Special = true })],
        });
    }

    // tiktoken merges any two neighbours that spell a token together, so every way to cut a token in two is a merge.
    private static MergeTable Merges(List<byte[]> ranks, TokenTable table)
    {
        MergeTable merges = new(ranks.Count * 4);
        byte[] spelt = new byte[1024];
        for (int id = 0; id < ranks.Count; id++)
        {
            ReadOnlySpan<byte> bytes = ranks[id];
            for (int cut = 1; cut < bytes.Length; cut++)
            {
                int left = Find(bytes[..cut]);
                int right = left < 0 ? -1 : Find(bytes[cut..]);
                if (right >= 0)
                {
                    merges.Set(left, right, id, id);
                }
            }
        }

        return merges;

        int Find(ReadOnlySpan<byte> bytes)
        {
            if (spelt.Length < bytes.Length * 2)
            {
                spelt = new byte[bytes.Length * 2];
            }

            int length = 0;
            foreach (byte b in bytes)
            {
                length += Utf8.Encode(ByteAlphabet.CharOf(b), spelt.AsSpan(length));
            }

            return table.Find(spelt.AsSpan(0, length));
        }
    }

    private static Dictionary<string, int> MakeLlama3()
    {
        Dictionary<string, int> tokens = new(StringComparer.Ordinal)
        {
            ["<|begin_of_text|>"] = 128000,
            ["<|end_of_text|>"] = 128001,
            ["<|reserved_special_token_0|>"] = 128002,
            ["<|reserved_special_token_1|>"] = 128003,
            ["<|finetune_right_pad_id|>"] = 128004,
            ["<|step_id|>"] = 128005,
            ["<|start_header_id|>"] = 128006,
            ["<|end_header_id|>"] = 128007,
            ["<|eom_id|>"] = 128008,
            ["<|eot_id|>"] = 128009,
            ["<|python_tag|>"] = 128010,
            ["<|image|>"] = 128256,
            ["<|video|>"] = 128012,
        };
        for (int i = 0; i < 243; i++)
        {
            tokens[$"<|reserved_special_token_{(2 + i).ToString(CultureInfo.InvariantCulture)}|>"] = 128013 + i;
        }

        return tokens;
    }
}
