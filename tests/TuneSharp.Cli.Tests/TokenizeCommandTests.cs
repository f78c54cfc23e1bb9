using TuneSharp.Tests;

namespace TuneSharp.Cli.Tests;

public class TokenizeCommandTests
{
    private static string Tokenizer => Repo.Golden("tokenizers/made/sp_bpe.tokenizer.json");

    [Fact]
    public void Each_line_gets_an_answer()
    {
        CliResult result = Tokenize("{\"text\": \"Hello\"}\n\nnonsense\n{\"ids\": [1, 338, 275]}\n", "tokenize", Tokenizer);
        string[] lines = result.Out.TrimEnd().Split('\n');
        Assert.Equal(0, result.Code);
        Assert.Equal(3, lines.Length);
        Assert.Equal("""{"ids":[338,275,295,301,301,304],"tokens":["▁","H","e","l","l","o"],"decoded":"Hello"}""", lines[0]);
        Assert.StartsWith("{\"error\":\"The line is not JSON", lines[1], StringComparison.Ordinal);
        Assert.StartsWith("{\"ids\":[1,338,275]", lines[2], StringComparison.Ordinal);
    }

    [Fact]
    public void Special_adds_and_keeps_special_tokens()
    {
        CliResult result = Tokenize("{\"text\": \"Hello\"}\n", "tokenize", Tokenizer, "--special");
        Assert.Equal("""{"ids":[1,338,275,295,301,301,304],"tokens":["<s>","▁","H","e","l","l","o"],"decoded":"<s> Hello"}""", result.Out.TrimEnd());
    }

    [Fact]
    public void A_folder_without_a_tokenizer_is_one_sentence()
    {
        using Folder folder = new();
        CliResult result = Tokenize("", "tokenize", folder.Path);
        Assert.Equal(1, result.Code);
        Assert.Contains("holds no tokenizer. Looked for tokenizer.json, tokenizer.model", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(" at ", result.Error, StringComparison.Ordinal);
    }

    private static CliResult Tokenize(string input, params string[] arguments)
    {
        StringWriter output = new();
        StringWriter error = new();
        Terminal terminal = new(output, error, false, false, () => 80) { OpenIn = () => new StringReader(input) };
        return new(new CommandLine(terminal).Run(arguments, CancellationToken.None), output.ToString(), error.ToString());
    }
}
