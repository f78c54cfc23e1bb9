using System.Text;
using System.Text.Json;
using TuneSharp.Tokenizers;

namespace TuneSharp.Tests.Tokenizers;

public class StreamingDecoderTests
{
    public static TheoryData<string> Files => [.. Directory
        .EnumerateFiles(GoldenTokenizers.Folder, "*.dev.json", SearchOption.AllDirectories)
        .Select(f => Path.GetRelativePath(GoldenTokenizers.Folder, f))
        .Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Files))]
    public void Pieces_together_are_the_whole_and_no_piece_ends_in_half_a_character(string file)
    {
        ITokenizer tokenizer = GoldenTokenizers.Tokenizer<object>(file, TokenizerLoader.Load) as ITokenizer
            ?? throw new InvalidOperationException(file);
        foreach (JsonElement golden in GoldenTokenizers.Read(file).GetProperty("cases").EnumerateArray())
        {
            int[] ids = GoldenTokenizers.Ints(golden.GetProperty("ids"));
            foreach (bool skip in (bool[])[false, true])
            {
                StreamingDecoder stream = new(tokenizer, skip);
                StringBuilder text = new();
                foreach (int id in ids)
                {
                    string piece = stream.Add(id);
                    Assert.False(piece.EndsWith('\uFFFD'));
                    Assert.False(piece.Length > 0 && char.IsHighSurrogate(piece[^1]));
                    text.Append(piece);
                }

                text.Append(stream.Finish());
                string whole = tokenizer.Decode(ids, skip);
                if (!whole.Contains('\uFFFD', StringComparison.Ordinal))
                {
                    Assert.Equal(whole, text.ToString());
                }
            }
        }
    }

    [Fact]
    public void A_character_of_several_tokens_comes_out_whole()
    {
        TokenizerPipeline tokenizer = GoldenTokenizers.Tokenizer("llama3_1.dev.json", TokenizerJson.Load);
        int[] ids = tokenizer.Encode("🫠");
        Assert.True(ids.Length > 1);
        StreamingDecoder stream = new(tokenizer);
        Assert.All(ids[..^1], id => Assert.Equal("", stream.Add(id)));
        Assert.Equal("🫠", stream.Add(ids[^1]));
        Assert.Equal("", stream.Add(ids[0]));
        Assert.Equal("\uFFFD", stream.Finish());
    }
}
