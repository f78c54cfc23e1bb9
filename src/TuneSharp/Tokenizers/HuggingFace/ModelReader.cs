using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace TuneSharp.Tokenizers;

/// <summary>Reads the model: vocabulary and what goes with it.</summary>
internal static class ModelReader
{
    internal static TokenModel Read(JsonElement element)
    {
        Fields fields = new(element, "model");
        string type = fields.OptionalText("type") ?? "BPE";
        TokenModel model = type switch
        {
            "BPE" => ReadBpe(fields),
            "WordLevel" => new WordLevelModel(ReadVocabulary(fields.Required("vocab")), fields.Text("unk_token")),
            "WordPiece" => ReadWordPiece(fields),
            "Unigram" => ReadUnigram(fields),
            _ => throw new FormatException($"model is of type {type}, which this program does not know."),
        };
        fields.Done();
        return model;
    }

    private static BpeModel ReadBpe(Fields fields)
    {
        if (fields.Optional("dropout") is JsonElement dropout && dropout.GetDouble() != 0)
        {
            throw new FormatException("model.dropout is set: encoding would be random. Set it to null.");
        }

        BpeOptions options = new()
        {
            UnknownToken = fields.OptionalText("unk_token"),
            ContinuingPrefix = fields.OptionalText("continuing_subword_prefix"),
            EndSuffix = fields.OptionalText("end_of_word_suffix"),
            FuseUnknown = fields.Flag("fuse_unk", false),
            ByteFallback = fields.Flag("byte_fallback", false),
            IgnoreMerges = fields.Flag("ignore_merges", false),
        };
        TokenTable table = ReadVocabulary(fields.Required("vocab"));
        return new BpeModel(table, ReadMerges(fields, table, options), options);
    }

    private static WordPieceModel ReadWordPiece(Fields fields) => new(
        ReadVocabulary(fields.Required("vocab")),
        fields.OptionalText("unk_token") ?? "[UNK]",
        fields.OptionalText("continuing_subword_prefix") ?? "##",
        fields.Optional("max_input_chars_per_word") is null ? 100 : fields.Integer("max_input_chars_per_word"));

    private static UnigramModel ReadUnigram(Fields fields)
    {
        JsonElement vocabulary = fields.Required("vocab");
        int count = vocabulary.GetArrayLength();
        TokenTable table = new(count);
        double[] scores = new double[count];
        int id = 0;
        foreach (JsonElement pair in vocabulary.EnumerateArray())
        {
            table.Add(id, TextBytes(pair[0]));
            scores[id++] = pair[1].GetDouble();
        }

        table.Seal();
        int? unknown = fields.Optional("unk_id") is null ? null : fields.Integer("unk_id");
        return unknown is < 0 || unknown >= count
            ? throw fields.Wrong("unk_id", fields.Required("unk_id"), $"below the vocabulary's {count}")
            : new UnigramModel(table, scores, unknown, fields.Flag("byte_fallback", false));
    }

    private static TokenTable ReadVocabulary(JsonElement vocabulary)
    {
        TokenTable table = new(vocabulary.GetPropertyCount());
        foreach (JsonProperty property in vocabulary.EnumerateObject())
        {
            table.Add(property.Value.GetInt32(), NameBytes(property));
        }

        table.Seal();
        return table;
    }

    // A merge is "a b" in older files, ["a", "b"] in newer ones.
    private static MergeTable ReadMerges(Fields fields, TokenTable table, BpeOptions options)
    {
        JsonElement list = fields.Required("merges");
        int prefix = Encoding.UTF8.GetByteCount(options.ContinuingPrefix ?? "");
        MergeTable merges = new(list.GetArrayLength());
        int rank = 0;
        byte[] joined = new byte[256];
        foreach (JsonElement merge in list.EnumerateArray())
        {
            ReadOnlySpan<byte> left;
            ReadOnlySpan<byte> right;
            if (merge.ValueKind == JsonValueKind.String)
            {
                ReadOnlySpan<byte> pair = TextBytes(merge);
                int blank = pair.IndexOf((byte)' ');
                if (blank < 0 || pair[(blank + 1)..].Contains((byte)' '))
                {
                    throw new FormatException($"model.merges[{rank}] should be two tokens with one blank between; it is {merge.GetRawText()}.");
                }

                left = pair[..blank];
                right = pair[(blank + 1)..];
            }
            else if (merge.ValueKind == JsonValueKind.Array && merge.GetArrayLength() == 2)
            {
                left = TextBytes(merge[0]);
                right = TextBytes(merge[1]);
            }
            else
            {
                throw new FormatException($"model.merges[{rank}] should be a pair of tokens; it is {merge.GetRawText()}.");
            }

            ReadOnlySpan<byte> rest = right[Math.Min(prefix, right.Length)..];
            joined = joined.Length < left.Length + rest.Length ? new byte[(left.Length + rest.Length) * 2] : joined;
            left.CopyTo(joined);
            rest.CopyTo(joined.AsSpan(left.Length));
            merges.Set(Id(left), Id(right), rank, Id(joined.AsSpan(0, left.Length + rest.Length)));
            rank++;
        }

        return merges;

        int Id(ReadOnlySpan<byte> token) => table.Find(token) is int id and >= 0
            ? id
            : throw new FormatException($"model.merges[{rank}] needs the token {Encoding.UTF8.GetString(token)}, which is not in the vocabulary.");
    }

    // A string's UTF-8, from the file itself where nothing in it is escaped: there may be a million of them.
    private static ReadOnlySpan<byte> TextBytes(JsonElement text)
    {
        ReadOnlySpan<byte> raw = text.ValueKind == JsonValueKind.String ? JsonMarshal.GetRawUtf8Value(text) : default;
        return raw.Length >= 2 && !raw.Contains((byte)'\\') ? raw[1..^1] : Encoding.UTF8.GetBytes(text.GetString() ?? throw new FormatException("null stands where a token should."));
    }

    private static ReadOnlySpan<byte> NameBytes(JsonProperty property)
    {
        ReadOnlySpan<byte> raw = JsonMarshal.GetRawUtf8PropertyName(property);
        return raw.Contains((byte)'\\') ? Encoding.UTF8.GetBytes(property.Name) : raw;
    }
}
