using System.Text.Json;
using TuneSharp.Tokenizers;

namespace TuneSharp.Tests.Tokenizers;

public class TokenizeSessionTests
{
    private static ITokenizer Tokenizer => TokenizerLoader.Load(Path.Combine(GoldenTokenizers.Folder, "made", "sp_bpe.tokenizer.json"));

    [Fact]
    public void Text_becomes_ids_tokens_and_text_again()
    {
        TokenizeSession plain = new(Tokenizer, special: false);
        TokenizeSession special = new(Tokenizer, special: true);
        JsonElement one = Answer(plain, """{"text": "Hello, world!"}""");
        JsonElement two = Answer(special, """{"text": "Hello, world!"}""");
        Assert.Equal([338, 275, 295, 301, 301, 304, 47, 548, 350, 301, 294, 259], GoldenTokenizers.Ints(one.GetProperty("ids")));

        // This file marks its byte tokens as special, and the comma is one.
        Assert.Equal("Hello world!", one.GetProperty("decoded").GetString());
        Assert.Equal(1, two.GetProperty("ids")[0].GetInt32());
        Assert.Equal("<s>", two.GetProperty("tokens")[0].GetString());
        Assert.Equal("<s> Hello, world!", two.GetProperty("decoded").GetString());
    }

    [Fact]
    public void Ids_become_tokens_and_text()
    {
        JsonElement answer = Answer(new(Tokenizer, special: false), """{"ids": [1, 338, 275, 295]}""");
        Assert.Equal("<s>", answer.GetProperty("tokens")[0].GetString());
        Assert.Equal("He", answer.GetProperty("decoded").GetString()![..2]);
    }

    [Theory]
    [InlineData("not json", "not JSON")]
    [InlineData("[1]", "object")]
    [InlineData("{}", "needs text, ids or messages")]
    [InlineData("""{"text": 5}""", "text should be a string")]
    [InlineData("""{"ids": "x"}""", "list of numbers")]
    [InlineData("""{"ids": [1, "x"]}""", "list of numbers")]
    [InlineData("""{"ids": [99999]}""", "99999 is not in the vocabulary")]
    [InlineData("""{"messages": []}""", "no chat template")]
    public void Mistakes_are_answered_not_thrown(string line, string expected)
    {
        JsonElement answer = Answer(new(Tokenizer, special: false), line);
        Assert.Contains(expected, answer.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Messages_go_to_the_template()
    {
        TokenizeSession session = new(Tokenizer, special: false, request => request.GetProperty("messages").GetArrayLength() + " turns\n");
        Assert.Equal("""{"rendered":"1 turns\n"}""", session.Answer("""{"messages": [{}]}"""));
    }

    private static JsonElement Answer(TokenizeSession session, string line)
    {
        using JsonDocument document = JsonDocument.Parse(session.Answer(line));
        return document.RootElement.Clone();
    }
}
