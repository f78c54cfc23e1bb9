using System.Text.Json;
using TuneSharp.Tokenizers;

namespace TuneSharp.Tests.Tokenizers;

/// <summary>SentencePiece's own ids, pieces and decoded text, for BPE and Unigram models.</summary>
public class SentencePieceGoldenTests
{
    public static TheoryData<string> Files => [.. Directory
        .EnumerateFiles(Path.Combine(GoldenTokenizers.Folder, "made"), "spm_*.dev.json")
        .Select(f => Path.GetRelativePath(GoldenTokenizers.Folder, f))
        .Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Files))]
    public void Ids_pieces_and_decoded_text_equal_the_reference(string file)
    {
        SentencePieceModel model = GoldenTokenizers.Tokenizer(file, SentencePieceModel.Load);
        List<string> wrong = [];
        int cases = 0;
        foreach (JsonElement golden in GoldenTokenizers.Read(file).GetProperty("cases").EnumerateArray())
        {
            cases++;
            string text = golden.GetProperty("text").GetString()!;
            int[] ids = GoldenTokenizers.Ints(golden.GetProperty("ids"));
            string[] pieces = [.. golden.GetProperty("pieces").EnumerateArray().Select(p => p.GetString()!)];
            int[] found = model.Encode(text);
            TokenEncoding full = model.EncodeFull(text);
            if (!ids.SequenceEqual(found) || !ids.SequenceEqual(full.Ids) || !pieces.SequenceEqual(full.Tokens))
            {
                wrong.Add($"{JsonSerializer.Serialize(text)}\n   wanted {string.Join(' ', ids)}\n          {string.Join(' ', pieces)}\n   got    {string.Join(' ', found)}\n          {string.Join(' ', full.Tokens)}");
            }

            string decoded = model.Decode(ids);
            if (decoded != golden.GetProperty("decoded").GetString())
            {
                wrong.Add($"decoded {JsonSerializer.Serialize(text)}\n   wanted {golden.GetProperty("decoded").GetRawText()}\n   got    {JsonSerializer.Serialize(decoded)}");
            }
        }

        Assert.True(cases > 50);
        Assert.True(wrong.Count == 0, $"{wrong.Count} differences, the first:\n" + string.Join('\n', wrong.Take(8)));
    }

    [Fact]
    public void The_loader_knows_a_model_by_its_first_bytes()
    {
        ITokenizer tokenizer = TokenizerLoader.Load(Path.Combine(GoldenTokenizers.Folder, "made", "spm_bpe.model"));
        Assert.Equal(900, Assert.IsType<SentencePieceModel>(tokenizer).VocabSize);
        Assert.Equal(1, tokenizer.Encode("a", addSpecialTokens: true)[0]);
    }

    [Fact]
    public void A_cut_file_is_an_error_that_names_it()
    {
        using TempFile file = new(".model");
        File.WriteAllBytes(file.Path, File.ReadAllBytes(Path.Combine(GoldenTokenizers.Folder, "made", "spm_bpe.model"))[..1001]);
        FormatException e = Assert.Throws<FormatException>(() => SentencePieceModel.Load(file.Path));
        Assert.StartsWith(file.Path, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Offsets_cover_the_text_in_code_points()
    {
        SentencePieceModel model = SentencePieceModel.Load(Path.Combine(GoldenTokenizers.Folder, "made", "spm_bpe.model"));
        TokenEncoding full = model.EncodeFull("a 😀b");
        Assert.Equal(0, full.Offsets[0].Start);
        Assert.Equal(4, full.Offsets[^1].End);
        Assert.All(full.Offsets, o => Assert.True(o.Start <= o.End));
    }
}
