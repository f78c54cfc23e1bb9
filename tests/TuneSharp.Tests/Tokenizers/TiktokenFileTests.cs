using System.Text.Json;
using TuneSharp.Tokenizers;

namespace TuneSharp.Tests.Tokenizers;

/// <summary>tiktoken files made from real vocabularies' tokens give the reference's ids.</summary>
public class TiktokenFileTests
{
    [Theory]
    [InlineData("llama3_1.dev.json", 128_000)]
    [InlineData("gpt35turbo.dev.json", 100_256)]
    [InlineData("gptoss.dev.json", 199_998)]
    public void Ranks_alone_give_the_ids_of_the_golden_cases(string caseFile, int ranks)
    {
        using TempFile file = new(".model");
        WriteRanks(GoldenTokenizers.TokenizerPath(caseFile), file.Path, ranks);
        ITokenizer tokenizer = TokenizerLoader.Load(file.Path);
        foreach (JsonElement golden in GoldenTokenizers.Read(caseFile).GetProperty("cases").EnumerateArray())
        {
            string text = golden.GetProperty("text").GetString()!;
            int[] ids = GoldenTokenizers.Ints(golden.GetProperty("ids"));

            // Names and numbers of some special tokens differ between the two files; the text's own tokens do not.
            if (ids.All(id => id < ranks))
            {
                Assert.Equal(ids, tokenizer.Encode(text));
                Assert.Equal(golden.GetProperty("decoded_skip").GetString(), tokenizer.Decode(ids, skipSpecialTokens: true));
            }
        }
    }

    [Fact]
    public void Llama_3_begins_a_text_with_its_bos()
    {
        Assert.Equal(128000, TiktokenFile.Llama3SpecialTokens["<|begin_of_text|>"]);
        using TempFile file = new(".model");
        WriteRanks(GoldenTokenizers.TokenizerPath("llama3_1.dev.json"), file.Path, 128_000);
        ITokenizer tokenizer = TokenizerLoader.Load(file.Path);
        Assert.Equal([128000, 9906, 11, 1917, 0, 128009], tokenizer.Encode("Hello, world!<|eot_id|>", addSpecialTokens: true));
    }

    [Fact]
    public void A_malformed_line_is_named()
    {
        using TempFile file = new(".model");
        File.WriteAllText(file.Path, "IQ== 0\nIg== 2\n");
        FormatException e = Assert.Throws<FormatException>(() => TiktokenFile.Load(file.Path));
        Assert.Contains(":2 has the rank 2", e.Message, StringComparison.Ordinal);
    }

    private static void WriteRanks(string tokenizerJson, string path, int ranks)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(tokenizerJson));
        string[] tokens = new string[ranks];
        foreach (JsonProperty token in json.RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject())
        {
            if (token.Value.GetInt32() < ranks)
            {
                byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(token.Name);
                byte[] bytes = new byte[utf8.Length];
                Assert.True(ByteAlphabet.TryGetBytes(utf8, bytes, out int count));
                tokens[token.Value.GetInt32()] = Convert.ToBase64String(bytes.AsSpan(0, count));
            }
        }

        File.WriteAllLines(path, tokens.Select((t, i) => $"{t} {i}"));
    }
}
