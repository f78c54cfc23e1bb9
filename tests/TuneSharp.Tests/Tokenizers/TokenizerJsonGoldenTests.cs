using System.Text.Json;
using TuneSharp.Tokenizers;

namespace TuneSharp.Tests.Tokenizers;

/// <summary>Every id, offset and decoded string of Rust's tokenizers, for real vocabularies and for small made ones.</summary>
public class TokenizerJsonGoldenTests
{
    public static TheoryData<string> Files => [.. Directory
        .EnumerateFiles(GoldenTokenizers.Folder, "*.dev.json", SearchOption.AllDirectories)
        .Select(f => Path.GetRelativePath(GoldenTokenizers.Folder, f))
        .Where(f => !GoldenTokenizers.Read(f).TryGetProperty("file", out JsonElement file) || file.GetString()!.EndsWith(".json", StringComparison.Ordinal))
        .Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Files))]
    public void Ids_offsets_and_decoded_text_equal_the_reference(string file)
    {
        TokenizerPipeline tokenizer = GoldenTokenizers.Tokenizer(file, TokenizerJson.Load);
        List<string> wrong = [];
        int cases = 0;
        foreach (JsonElement golden in GoldenTokenizers.Read(file).GetProperty("cases").EnumerateArray())
        {
            cases++;
            string text = golden.GetProperty("text").GetString()!;
            int[] ids = GoldenTokenizers.Ints(golden.GetProperty("ids"));
            int[] special = GoldenTokenizers.Ints(golden.GetProperty("ids_special"));
            Check("ids", ids, tokenizer.Encode(text));
            Check("ids_special", special, tokenizer.Encode(text, addSpecialTokens: true));
            TokenEncoding full = tokenizer.EncodeFull(text);
            Check("ids of EncodeFull", ids, full.Ids);
            if (golden.TryGetProperty("offsets", out JsonElement offsets))
            {
                Check("offsets", offsets.EnumerateArray().Select(o => (o[0].GetInt32(), o[1].GetInt32())), full.Offsets);
            }

            if (golden.TryGetProperty("ids_plain", out JsonElement plain))
            {
                Check("ids_plain", GoldenTokenizers.Ints(plain), tokenizer.Encode(text, false, specialTokensAsText: true));
            }

            Check("decoded", golden.GetProperty("decoded").GetString()!, tokenizer.Decode(special));
            Check("decoded_skip", golden.GetProperty("decoded_skip").GetString()!, tokenizer.Decode(special, skipSpecialTokens: true));

            void Check<T>(string what, IEnumerable<T> expected, IEnumerable<T> actual)
            {
                if (!expected.SequenceEqual(actual))
                {
                    wrong.Add($"{what} of {JsonSerializer.Serialize(text)}\n   wanted {Show(expected)}\n   got    {Show(actual)}");
                }
            }
        }

        Assert.True(cases > 50);
        Assert.True(wrong.Count == 0, $"{wrong.Count} differences, the first:\n" + string.Join('\n', wrong.Take(8)));
    }

    private static string Show<T>(IEnumerable<T> values) =>
        values is IEnumerable<char> text ? JsonSerializer.Serialize(string.Concat(text)) : string.Join(' ', values.Take(60));
}
