using System.Text;
using System.Text.Json;

namespace TuneSharp.Tokenizers;

/// <summary>
/// Reads Hugging Face's tokenizer.json whole: whatever it holds that is not understood is an error that names it.
/// </summary>
/// <remarks>Truncation and padding settings are let through and not applied: lengths are the caller's matter.</remarks>
public static class TokenizerJson
{
    /// <summary>Reads a tokenizer.json.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FormatException">The file is malformed, or has something that is not understood; the message names it.</exception>
    public static TokenizerPipeline Load(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            return new TokenizerPipeline(Read(document.RootElement));
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
        {
            throw new FormatException($"{path}: {e.Message}", e);
        }
    }

    internal static TokenizerParts Read(JsonElement root)
    {
        Fields fields = new(root, "tokenizer");
        string version = fields.OptionalText("version") ?? "1.0";
        if (version != "1.0")
        {
            throw new FormatException($"version is {version}; this program reads 1.0.");
        }

        fields.Optional("truncation");
        fields.Optional("padding");
        TokenizerParts parts = new(ModelReader.Read(fields.Required("model")))
        {
            AddedTokens = fields.Optional("added_tokens") is null ? [] : [.. fields.List("added_tokens").Select(ReadAddedToken)],
            Normalizer = Map(fields, "normalizer", ReadNormalizer),
            PreTokenizer = Map(fields, "pre_tokenizer", ReadPreTokenizer),
            PostProcessor = Map(fields, "post_processor", ReadPostProcessor),
            Decoder = Map(fields, "decoder", ReadDecoder),
        };
        fields.Done();
        return parts;
    }

    private static T? Map<T>(Fields fields, string name, Func<JsonElement, string, T> read)
        where T : class =>
        fields.Optional(name) is JsonElement value ? read(value, name) : null;

    private static IReadOnlyList<T> Children<T>(Fields fields, string name, Func<JsonElement, string, T> read) =>
        [.. fields.List(name).Select((child, i) => read(child, $"{fields.Where}.{name}[{i}]"))];

    private static AddedToken ReadAddedToken(JsonElement element, int index)
    {
        Fields fields = new(element, $"added_tokens[{index}]");
        fields.Integer("id");
        AddedToken token = new(fields.Text("content"))
        {
            SingleWord = fields.Flag("single_word"),
            LeftStrip = fields.Flag("lstrip"),
            RightStrip = fields.Flag("rstrip"),
            Normalized = fields.Flag("normalized"),
            Special = fields.Flag("special"),
        };
        fields.Done();
        return token;
    }

    private static Normalizer ReadNormalizer(JsonElement element, string where)
    {
        Fields fields = new(element, where);
        string type = fields.Text("type");
        Normalizer result = type switch
        {
            "Sequence" => new NormalizerSequence(Children(fields, "normalizers", ReadNormalizer)),
            "NFC" => new UnicodeNormalizer(compatible: false, compose: true),
            "NFD" => new UnicodeNormalizer(compatible: false, compose: false),
            "NFKC" => new UnicodeNormalizer(compatible: true, compose: true),
            "NFKD" => new UnicodeNormalizer(compatible: true, compose: false),
            "Replace" => new ReplaceNormalizer(Pattern.Read(fields, "pattern"), fields.Text("content")),
            "Prepend" => new PrependNormalizer(fields.Text("prepend")),
            _ => throw Unknown(fields, type),
        };
        fields.Done();
        return result;
    }

    private static PreTokenizer ReadPreTokenizer(JsonElement element, string where)
    {
        Fields fields = new(element, where);
        string type = fields.Text("type");
        PreTokenizer result = type switch
        {
            "Sequence" => new PreTokenizerSequence(Children(fields, "pretokenizers", ReadPreTokenizer)),
            "Split" => new SplitPreTokenizer(Pattern.Read(fields, "pattern"), Pattern.ReadBehavior(fields, "behavior"), fields.Flag("invert", false)),
            "ByteLevel" => ReadByteLevel(fields, (prefix, _, regex) => new ByteLevelPreTokenizer(prefix, regex)),
            _ => throw Unknown(fields, type),
        };
        fields.Done();
        return result;
    }

    private static T ReadByteLevel<T>(Fields fields, Func<bool, bool, bool, T> make) => make(
        fields.Flag("add_prefix_space", true),
        fields.Flag("trim_offsets", true),
        fields.Flag("use_regex", true));

    private static PostProcessor ReadPostProcessor(JsonElement element, string where)
    {
        Fields fields = new(element, where);
        string type = fields.Text("type");
        PostProcessor result = type switch
        {
            "Sequence" => new PostProcessorSequence(Children(fields, "processors", ReadPostProcessor)),
            "ByteLevel" => ReadByteLevel(fields, (prefix, trim, _) => new ByteLevelPostProcessor(prefix, trim)),
            "TemplateProcessing" => ReadTemplate(fields),
            _ => throw Unknown(fields, type),
        };
        fields.Done();
        return result;
    }

    private static FramingPostProcessor ReadTemplate(Fields fields)
    {
        Dictionary<string, List<(int Id, string Text)>> special = new(StringComparer.Ordinal);
        foreach (JsonProperty property in fields.Required("special_tokens").EnumerateObject())
        {
            Fields token = new(property.Value, $"{fields.Where}.special_tokens.{property.Name}");
            token.Text("id");
            special[property.Name] = [.. token.List("ids").Zip(token.List("tokens"), (id, text) => (id.GetInt32(), text.GetString()!))];
            token.Done();
        }

        fields.List("pair");
        List<(int Id, string Text)> before = [];
        List<(int Id, string Text)> after = [];
        bool seen = false;
        foreach (JsonElement item in fields.List("single"))
        {
            Fields piece = new(item, $"{fields.Where}.single");
            if (piece.Optional("Sequence") is JsonElement)
            {
                seen = !seen ? true : throw new FormatException($"{fields.Where}.single has the text twice.");
            }
            else
            {
                string name = new Fields(piece.Required("SpecialToken"), piece.Where).Text("id");
                (seen ? after : before).AddRange(special.TryGetValue(name, out List<(int Id, string Text)>? tokens)
                    ? tokens
                    : throw new FormatException($"{fields.Where}.single names {name}, which is not in its special_tokens."));
            }

            piece.Done();
        }

        return new FramingPostProcessor(before, after);
    }

    private static Decoder ReadDecoder(JsonElement element, string where)
    {
        Fields fields = new(element, where);
        string type = fields.Text("type");
        Decoder result = type switch
        {
            "Sequence" => new DecoderSequence(Children(fields, "decoders", ReadDecoder)),
            "ByteLevel" => ReadByteLevel(fields, (_, _, _) => new ByteLevelDecoder()),
            "Replace" => new ReplaceDecoder(Pattern.Read(fields, "pattern"), fields.Text("content")),
            "ByteFallback" => new ByteFallbackDecoder(),
            "Fuse" => new FuseDecoder(),
            "Strip" => new StripDecoder(fields.Character("content"), fields.Integer("start"), fields.Integer("stop")),
            _ => throw Unknown(fields, type),
        };
        fields.Done();
        return result;
    }

    private static FormatException Unknown(Fields fields, string type) =>
        new($"{fields.Where} is of type {type}, which this program does not know.");
}

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

    private static TokenTable ReadVocabulary(JsonElement vocabulary)
    {
        List<(byte[] Token, int Id)> tokens = [];
        TokenTable table = new(vocabulary.GetPropertyCount());
        foreach (JsonProperty property in vocabulary.EnumerateObject())
        {
            table.Add(property.Value.GetInt32(), Encoding.UTF8.GetBytes(property.Name));
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
        foreach (JsonElement merge in list.EnumerateArray())
        {
            byte[] left;
            byte[] right;
            if (merge.ValueKind == JsonValueKind.String)
            {
                string[] parts = merge.GetString()!.Split(' ');
                if (parts.Length != 2)
                {
                    throw new FormatException($"model.merges[{rank}] should be two tokens with one blank between; it is {merge.GetRawText()}.");
                }

                (left, right) = (Encoding.UTF8.GetBytes(parts[0]), Encoding.UTF8.GetBytes(parts[1]));
            }
            else if (merge.ValueKind == JsonValueKind.Array && merge.GetArrayLength() == 2)
            {
                (left, right) = (Encoding.UTF8.GetBytes(merge[0].GetString()!), Encoding.UTF8.GetBytes(merge[1].GetString()!));
            }
            else
            {
                throw new FormatException($"model.merges[{rank}] should be a pair of tokens; it is {merge.GetRawText()}.");
            }

            merges.Set(Id(left), Id(right), rank, Id([.. left, .. right.AsSpan(Math.Min(prefix, right.Length))]));
            rank++;
        }

        return merges;

        int Id(byte[] token) => table.Find(token) is int id and >= 0
            ? id
            : throw new FormatException($"model.merges[{rank}] needs the token {Encoding.UTF8.GetString(token)}, which is not in the vocabulary.");
    }
}
