using System.Text.Json.Nodes;
using TuneSharp.Tokenizers;

namespace TuneSharp.Tests.Tokenizers;

/// <summary>Whatever a file has that is not understood is an error that names the file and the place.</summary>
public class TokenizerJsonMistakesTests
{
    [Theory]
    [InlineData("model", """{"type":"Markov"}""", "model is of type Markov")]
    [InlineData("model/dropout", "0.1", "dropout")]
    [InlineData("model/flavour", "1", "model has flavour")]
    [InlineData("model/vocab", """{"a":-1}""", "has the id -1")]
    [InlineData("model/vocab", """{"a":0,"b":0}""", "Two tokens have the id 0: a and b")]
    [InlineData("model/merges", """["a b c"]""", "model.merges[0] should be two tokens")]
    [InlineData("model/merges", """[["a"]]""", "model.merges[0] should be a pair")]
    [InlineData("model/merges", """["a zz"]""", "needs the token zz")]
    [InlineData("model/merges", """[["a",null]]""", "null stands where a token should")]
    [InlineData("model/unk_token", "\"<nope>\"", "unk_token <nope> is not in the vocabulary")]
    [InlineData("normalizer", """{"type":"Sequence","normalizers":[{"type":"Rot13"}]}""", "normalizer.normalizers[0] is of type Rot13")]
    [InlineData("normalizer", """{"type":"Replace","pattern":{"Regex":"(a"},"content":""}""", "closing parenthesis")]
    [InlineData("normalizer", """{"type":"Precompiled","precompiled_charsmap":"AAAA"}""", "character map is damaged")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"String":" "},"behavior":"Sideways"}""", "behavior should be Removed, Isolated")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace","replacement":"__"}""", "replacement should be one character")]
    [InlineData("post_processor", """{"type":"BertProcessing","sep":["[SEP]"],"cls":["[CLS]",1]}""", "sep should be a token and its id")]
    [InlineData("decoder", """{"type":"ByteLevel","speed":9}""", "decoder has speed")]
    [InlineData("added_tokens", """[{"id":0,"content":"x"}]""", "added_tokens[0] has no single_word")]
    [InlineData("colour", "\"red\"", "tokenizer has colour")]
    [InlineData("version", "\"2.0\"", "version is 2.0")]
    public void A_mistake_is_named(string place, string value, string expected)
    {
        JsonNode root = JsonNode.Parse("""{"version":"1.0","added_tokens":[],"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]}}""")!;
        string[] path = place.Split('/');
        JsonNode parent = path.Length == 1 ? root : root[path[0]]!;
        parent[path[^1]] = JsonNode.Parse(value);
        using TempFile file = new();
        File.WriteAllText(file.Path, root.ToJsonString());
        FormatException e = Assert.Throws<FormatException>(() => TokenizerJson.Load(file.Path));
        Assert.StartsWith(file.Path, e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_cut_file_is_named()
    {
        using TempFile file = new();
        File.WriteAllText(file.Path, """{"version":"1.0","model":{"type":"BPE","vo""");
        FormatException e = Assert.Throws<FormatException>(() => TokenizerLoader.Load(file.Path));
        Assert.StartsWith(file.Path, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Escaped_tokens_are_read_as_what_they_stand_for()
    {
        using TempFile file = new();
        File.WriteAllText(file.Path, """{"model":{"vocab":{"\u0061":0,"b\\":1,"ab\\":2,"\"":3},"merges":["\u0061 b\\"]}}""");
        TokenizerPipeline tokenizer = TokenizerJson.Load(file.Path);
        Assert.Equal(0, tokenizer.TokenToId("a"));
        Assert.Equal("ab\\", tokenizer.IdToToken(2));
        Assert.Equal(3, tokenizer.TokenToId("\""));
    }

    [Fact]
    public void An_id_beyond_the_vocabulary_is_an_error()
    {
        TokenizerPipeline tokenizer = TokenizerJson.Load(Path.Combine(GoldenTokenizers.Folder, "made", "bytebpe.tokenizer.json"));
        ArgumentOutOfRangeException e = Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([5, 123456]));
        Assert.Contains("The id 123456 is not in the vocabulary", e.Message, StringComparison.Ordinal);
        Assert.Null(tokenizer.IdToToken(-1));
    }
}
