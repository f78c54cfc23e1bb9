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
            "Strip" => new StripNormalizer(fields.Flag("strip_left"), fields.Flag("strip_right")),
            "StripAccents" => new StripAccentsNormalizer(),
            "Lowercase" => new LowercaseNormalizer(),
            "Nmt" => new NmtNormalizer(),
            "ByteLevel" => new ByteLevelNormalizer(),
            "Precompiled" => new PrecompiledNormalizer(new CharsMap(fields.Base64("precompiled_charsmap"))),
            "BertNormalizer" => new BertNormalizer(
                fields.Flag("clean_text"), fields.Flag("handle_chinese_chars"),
                fields.Optional("strip_accents") is null ? null : fields.Flag("strip_accents"), fields.Flag("lowercase")),
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
            "Whitespace" => new WhitespacePreTokenizer(),
            "WhitespaceSplit" => new CharSplitPreTokenizer(Unicode.IsWhiteSpace, SplitBehavior.Removed),
            "BertPreTokenizer" => new PreTokenizerSequence(
            [
                new CharSplitPreTokenizer(Unicode.IsWhiteSpace, SplitBehavior.Removed),
                new CharSplitPreTokenizer(Unicode.IsBertPunctuation, SplitBehavior.Isolated),
            ]),
            "Punctuation" => new CharSplitPreTokenizer(
                Unicode.IsBertPunctuation, fields.Optional("behavior") is null ? SplitBehavior.Isolated : Pattern.ReadBehavior(fields, "behavior")),
            "Digits" => new CharSplitPreTokenizer(
                Unicode.IsNumber, fields.Flag("individual_digits") ? SplitBehavior.Isolated : SplitBehavior.Contiguous),
            "CharDelimiterSplit" => Delimiter(fields.Character("delimiter").Value),
            "Metaspace" => ReadMetaspace(fields, (text, scheme, split) => new MetaspacePreTokenizer(text, scheme, split)),
            "FixedLength" => new FixedLengthPreTokenizer(fields.Optional("length") is null ? 5 : fields.Integer("length")),
            "UnicodeScripts" => new UnicodeScriptsPreTokenizer(),
            _ => throw Unknown(fields, type),
        };
        fields.Done();
        return result;
    }

    private static CharSplitPreTokenizer Delimiter(int delimiter) => new(c => c == delimiter, SplitBehavior.Removed);

    private static T ReadMetaspace<T>(Fields fields, Func<string, PrependScheme, bool, T> make)
    {
        fields.OptionalText("str_rep");
        string name = fields.OptionalText("prepend_scheme") ?? "always";
        PrependScheme scheme = name switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            _ => throw fields.Wrong("prepend_scheme", fields.Required("prepend_scheme"), "always, first or never"),
        };
        if (!fields.Flag("add_prefix_space", true))
        {
            scheme = fields.Optional("prepend_scheme") is null || scheme == PrependScheme.Never
                ? PrependScheme.Never
                : throw new FormatException($"{fields.Where}: add_prefix_space is false, yet prepend_scheme is {name}.");
        }

        return make(fields.Character("replacement").ToString(), scheme, fields.Flag("split", true));
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
            "BertProcessing" => new FramingPostProcessor([Named(fields, "cls")], [Named(fields, "sep")]),
            "RobertaProcessing" => new FramingPostProcessor(
                [Named(fields, "cls")], [Named(fields, "sep")], fields.Flag("trim_offsets"), fields.Flag("add_prefix_space")),
            _ => throw Unknown(fields, type),
        };
        fields.Done();
        return result;
    }

    // ["[CLS]", 2]
    private static (int Id, string Text) Named(Fields fields, string name)
    {
        JsonElement[] pair = [.. fields.List(name)];
        return pair.Length == 2 && pair[0].ValueKind == JsonValueKind.String && pair[1].ValueKind == JsonValueKind.Number && pair[1].TryGetInt32(out int id)
            ? (id, pair[0].GetString()!)
            : throw fields.Wrong(name, fields.Required(name), "a token and its id");
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
            "WordPiece" => new WordPieceDecoder(fields.Text("prefix"), fields.Flag("cleanup")),
            "BPEDecoder" => new BpeSuffixDecoder(fields.Text("suffix")),
            "CTC" => new CtcDecoder(fields.Text("pad_token"), fields.Text("word_delimiter_token"), fields.Flag("cleanup")),
            "Metaspace" => ReadMetaspace(fields, (text, scheme, _) => new MetaspaceDecoder(text, scheme)),
            _ => throw Unknown(fields, type),
        };
        fields.Done();
        return result;
    }

    private static FormatException Unknown(Fields fields, string type) =>
        new($"{fields.Where} is of type {type}, which this program does not know.");
}
