using System.Text;
using TuneSharp.Tokenizers;

namespace TuneSharp.Tests.Tokenizers;

/// <summary>The hand-written word scanners cut as the patterns they stand for.</summary>
public class WordScannerTests
{
    // Every kind of character that a pattern tells apart, and their neighbours.
    private static readonly string[] Alphabet =
    [
        "a", "s", "T", "D", "l", "L", "ve", "RE", "'", "'", "1", "9", "٣", "Ⅷ", " ", " ", "\t", "\n", "\r", "\u00A0", "\u0085", "\u2028", ".", "!", "/", "_",
        "é", "É", "ǅ", "ʰ", "中", "か", "ー", "龥", "\u0301", "\u0903", "\u20DD", "😀", "𝐀", "𝟏", "\u200D", "\u0000", "ſ", "K", "€", "+", "\uE000", "\u0378",
    ];

    public static TheoryData<string> Patterns =>
    [
        TiktokenFile.Cl100kPattern, Cl100kScanner.QwenPattern, TiktokenFile.O200kPattern, ByteLevelPreTokenizer.Gpt2Pattern,
        DigitsScanner.Pattern, DeepSeekScanner.KanaPattern, DeepSeekScanner.Pattern,
    ];

    [Theory]
    [MemberData(nameof(Patterns))]
    public void A_scanner_cuts_as_its_pattern(string pattern)
    {
        CodeRegex regex = new(pattern);
        WordScanner scanner = WordScanner.For(regex);
        Assert.IsNotType<PatternScanner>(scanner);
        PatternScanner slow = new(regex);
        Random random = new(12345);
        for (int round = 0; round < 20_000; round++)
        {
            StringBuilder text = new();
            for (int n = random.Next(1, 9); n > 0; n--)
            {
                text.Append(Alphabet[random.Next(Alphabet.Length)]);
            }

            byte[] bytes = Encoding.UTF8.GetBytes(text.ToString());
            int[] expected = Ends(slow, bytes);
            int[] actual = Ends(scanner, bytes);
            Assert.True(expected.SequenceEqual(actual), $"{System.Text.Json.JsonSerializer.Serialize(text.ToString())}: wanted {string.Join(' ', expected)}, got {string.Join(' ', actual)}");
        }
    }

    [Fact]
    public void Real_tokenizers_take_the_fast_way()
    {
        foreach (string name in (string[])["llama3_1", "qwen3", "gptoss", "deepseek_v3", "gpt35turbo", "gemma3", "gemini", "llama2"])
        {
            Assert.True(GoldenTokenizers.Tokenizer(name + ".dev.json", TokenizerJson.Load).IsFast, name);
        }
    }

    [Theory]
    [InlineData("llama3_1")]
    [InlineData("qwen3")]
    [InlineData("gptoss")]
    [InlineData("deepseek_v3")]
    [InlineData("gemma3")]
    [InlineData("llama2")]
    public void The_fast_way_gives_the_ids_of_the_general_way(string name)
    {
        TokenizerPipeline tokenizer = GoldenTokenizers.Tokenizer(name + ".dev.json", TokenizerJson.Load);
        Random random = new(7);
        string[] words = ["the", " The", "token", " ▁", "   ", "<|im_end|>", "</s>", "<bos>", "<", "\n\n", "ing", "'S", "1234", "こんにちは", "e\u0301", "ﬁ", "한국", "가\u11A8", ">", " </", .. Alphabet];
        for (int round = 0; round < 2_000; round++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 40)).Select(_ => words[random.Next(words.Length)]));
            Assert.Equal(tokenizer.EncodeFull(text).Ids, tokenizer.Encode(text));
        }
    }

    [Fact]
    public void Many_threads_get_the_same_ids()
    {
        TokenizerPipeline tokenizer = GoldenTokenizers.Tokenizer("llama3_1.dev.json", TokenizerJson.Load);
        string[] texts = [.. Enumerable.Range(0, 200).Select(i => $"Text number {i} about naïve tokens, {i * 7919} of them.\n\n")];
        int[][] expected = [.. texts.Select(t => tokenizer.Encode(t))];
        Parallel.For(0, 4000, i => Assert.Equal(expected[i % 200], tokenizer.Encode(texts[i % 200])));
    }

    private static int[] Ends(WordScanner scanner, byte[] text)
    {
        IntBuffer ends = new();
        scanner.Scan(text, 0, ends);
        return ends.Items.ToArray();
    }
}
