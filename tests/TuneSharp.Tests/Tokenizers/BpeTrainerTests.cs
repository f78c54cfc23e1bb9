using TuneSharp.Tokenizers;

namespace TuneSharp.Tests.Tokenizers;

public class BpeTrainerTests
{
    private static readonly string[] Texts =
    [
        "the cat sat on the mat, and the other cat sat on the other mat",
        "then the hat: 12345 cats; don't they're\n\n  indented\tnaïve 😀 𝐀𝐁",
    ];

    [Fact]
    public void A_trained_vocabulary_loads_and_gives_back_any_text()
    {
        using TempFile file = new();
        int size = BpeTrainer.Train(Texts, 300, ["<|bos|>", "<|eos|>"], file.Path, "<|bos|>");
        ITokenizer tokenizer = TokenizerLoader.Load(file.Path);
        Assert.Equal(300, size);
        Assert.Equal(300, tokenizer.VocabSize);
        Assert.Equal(298, tokenizer.TokenToId("<|bos|>"));
        Assert.Equal(299, tokenizer.TokenToId("<|eos|>"));
        foreach (string text in Texts.Append("quite other ünïcode \u0000 \U0001F600\u200D ﷺ 漢字\r\n"))
        {
            int[] ids = tokenizer.Encode(text, addSpecialTokens: true);
            Assert.Equal(298, ids[0]);
            Assert.Equal(text, tokenizer.Decode(ids, skipSpecialTokens: true));
        }

        Assert.Single(tokenizer.Encode(" the"));
        Assert.Equal([299], tokenizer.Encode("<|eos|>"));
    }

    [Fact]
    public void The_most_frequent_pair_goes_first_and_ties_go_to_the_smaller_ids()
    {
        using TempFile file = new();
        BpeTrainer.Train(["ab ab ab cd cd ba"], 260, [], file.Path);
        ITokenizer tokenizer = TokenizerLoader.Load(file.Path);

        // ' ' is Ġ, a larger id than any letter: (a, b) three times, then (Ġ, ab) and (c, d) twice each.
        Assert.Equal("ab", tokenizer.IdToToken(256));
        Assert.Equal("cd", tokenizer.IdToToken(257));
        Assert.Equal("Ġab", tokenizer.IdToToken(258));
        Assert.Equal("Ġcd", tokenizer.IdToToken(259));
    }

    [Fact]
    public void The_same_text_gives_the_same_file()
    {
        using TempFile one = new();
        using TempFile two = new();
        BpeTrainer.Train(Texts, 320, ["<|x|>"], one.Path);
        BpeTrainer.Train(Texts, 320, ["<|x|>"], two.Path);
        Assert.Equal(File.ReadAllText(one.Path), File.ReadAllText(two.Path));
    }

    [Fact]
    public void Too_small_a_vocabulary_is_refused()
    {
        ArgumentOutOfRangeException e = Assert.Throws<ArgumentOutOfRangeException>(() => BpeTrainer.Train(Texts, 256, ["<|x|>"], "unused"));
        Assert.Contains("256 tokens for the bytes and 1", e.Message, StringComparison.Ordinal);
    }
}
