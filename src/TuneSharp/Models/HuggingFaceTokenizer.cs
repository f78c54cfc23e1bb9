using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Hub;
using TuneSharp.Models.Llama3;
using TuneSharp.Templates;
using TuneSharp.Tokenizers;

namespace TuneSharp.Models;

/// <summary>Any model's tokenizer, made of the files that Hugging Face's models carry.</summary>
/// <remarks>
/// A conversation is written, in this order of preference, by the prompt template that the config names, by the model's own chat template
/// (as it is, in training as in generation: with no BOS or EOS beyond those it writes), as ChatML when the vocabulary has <c>&lt;|im_start|></c>, or as the
/// messages alone with a line break between them. In the last three BOS comes first, and EOS follows each assistant's turn that
/// does not end with one already.
/// torchtune counterpart: <c>torchtune/modules/transforms/tokenizers/_hf_tokenizer.py</c>.
/// </remarks>
public sealed class HuggingFaceTokenizer : IModelTokenizer
{
    private readonly ITokenizer _tokenizer;
    private readonly IPromptTemplate? _template;
    private readonly IChatTemplate? _chatTemplate;
    private readonly TruncationType _truncation;
    private readonly int[] _lineBreak;
    private readonly bool _chatMl;

    /// <summary>Creates the tokenizer.</summary>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="specials">The ids of its special tokens.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">Text around the messages, or null.</param>
    /// <param name="truncation">Which end of a sample that is too long gives way.</param>
    /// <param name="chatTemplate">The model's own template, or null. It writes what <paramref name="promptTemplate"/> gives, if that is given too.</param>
    public HuggingFaceTokenizer(
        ITokenizer tokenizer,
        SpecialTokenIds specials,
        int? maxSeqLen = null,
        IPromptTemplate? promptTemplate = null,
        TruncationType truncation = TruncationType.Right,
        IChatTemplate? chatTemplate = null)
    {
        _tokenizer = tokenizer;
        _template = promptTemplate;
        _chatTemplate = chatTemplate;
        _truncation = truncation;
        MaxSeqLen = maxSeqLen;
        BosId = specials.Bos;
        EosId = specials.Eos;
        PadId = specials.Pad;
        StopTokens = specials.Stop;
        _lineBreak = tokenizer.EncodeAsText("\n");
        _chatMl = tokenizer.TokenToId("<|im_start|>") is not null;
        if (_chatMl && _template is null && chatTemplate is null)
        {
            _template = PromptTemplates.ChatMLTemplate();
        }
    }

    /// <inheritdoc/>
    public int VocabSize => _tokenizer.VocabSize;

    /// <inheritdoc/>
    public int? MaxSeqLen { get; }

    /// <inheritdoc/>
    public int PadId { get; }

    /// <inheritdoc/>
    public int? BosId { get; }

    /// <inheritdoc/>
    public int EosId { get; }

    /// <inheritdoc/>
    public IReadOnlyList<int> StopTokens { get; }

    /// <inheritdoc/>
    public int? TokenToId(string token) => _tokenizer.TokenToId(token);

    /// <inheritdoc/>
    public int[] Encode(string text, bool addBos = true, bool addEos = true) =>
    [
        .. addBos && BosId is { } bos ? [bos] : Array.Empty<int>(),
        .. _tokenizer.EncodeAsText(text),
        .. addEos ? [EosId] : Array.Empty<int>(),
    ];

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => _tokenizer.Decode(ids, skipSpecialTokens);

    /// <inheritdoc/>
    public TokenizedMessages TokenizeMessages(IReadOnlyList<Message> messages, bool inference = false)
    {
        List<int> ids = [];
        List<bool> mask = [];
        if (_chatTemplate is not null)
        {
            AddRendered(_chatTemplate, _template?.Apply(messages) ?? messages, inference, ids, mask);
        }
        else
        {
            AddTemplated(messages, inference, ids, mask);
        }

        return new TokenizedMessages(
            Truncation.Apply<int>([.. ids], MaxSeqLen, _truncation, last: null),
            Truncation.Apply<bool>([.. mask], MaxSeqLen, _truncation, last: null));
    }

    /// <summary>Renders the conversation as a whole, encodes it as a whole, and learns the tokens of the stretches that are to be learned.</summary>
    private void AddRendered(IChatTemplate template, IReadOnlyList<Message> messages, bool inference, List<int> ids, List<bool> mask)
    {
        try
        {
            string text;
            IReadOnlyList<(int Start, int End)> learned;
            if (inference)
            {
                text = TemplateTurns.Prompt(template, messages);
                learned = [];
            }
            else
            {
                (text, learned) = TemplateTurns.Learned(template, messages);
            }

            AddText(text, learned, ids, mask);
        }
        catch (TemplateException e)
        {
            throw new DatasetException($"The model's chat template cannot write the conversation: {e.Message}", e);
        }
    }

    /// <summary>Encodes a text; a token is learned when it overlaps a stretch that is.</summary>
    private void AddText(string text, IReadOnlyList<(int Start, int End)> learned, List<int> ids, List<bool> mask)
    {
        if (_tokenizer is IOffsetTokenizer tokenizer && learned.Count > 0)
        {
            TokenEncoding encoding = tokenizer.EncodeFull(text);
            ids.AddRange(encoding.Ids);
            int next = 0;
            foreach ((int start, int end) in encoding.Offsets)
            {
                while (next < learned.Count && learned[next].End <= start)
                {
                    next++;
                }

                mask.Add(next >= learned.Count || end <= learned[next].Start);
            }

            return;
        }

        // Without offsets, or with nothing to learn: stretch by stretch.
        int at = 0;
        foreach ((int start, int end) in learned)
        {
            AddPart(TemplateTurns.Cut(text, at, start), masked: true, ids, mask);
            AddPart(TemplateTurns.Cut(text, start, end), masked: false, ids, mask);
            at = end;
        }

        AddPart(TemplateTurns.Cut(text, at, int.MaxValue), masked: true, ids, mask);
    }

    private void AddPart(string text, bool masked, List<int> ids, List<bool> mask)
    {
        int[] part = text.Length == 0 ? [] : _tokenizer.Encode(text);
        ids.AddRange(part);
        mask.AddRange(Enumerable.Repeat(masked, part.Length));
    }

    private void AddTemplated(IReadOnlyList<Message> messages, bool inference, List<int> ids, List<bool> mask)
    {
        if (inference && (messages.Count == 0 || messages[^1].Role != Role.Assistant))
        {
            messages = [.. messages, new Message(Role.Assistant, "")];
        }

        IReadOnlyList<Message> templated = _template?.Apply(messages) ?? messages;
        for (int i = 0; i < templated.Count; i++)
        {
            Message message = templated[i];
            int start = ids.Count;
            string content = message.ContentAndCalls();
            int[] body = _template is null ? _tokenizer.EncodeAsText(content) : _tokenizer.Encode(content);
            if (i == 0 && BosId is { } bos && (body.Length == 0 || body[0] != bos))
            {
                ids.Add(bos);
                mask.Add(true);
                start++;
            }

            if (i > 0 && _template is null)
            {
                ids.AddRange(_lineBreak);
            }

            ids.AddRange(body);
            bool open = inference && i == templated.Count - 1;
            if (message.Role == Role.Assistant && !open && !EndsTurn(body))
            {
                ids.Add(EosId);
            }

            mask.AddRange(Enumerable.Repeat(message.Masked, ids.Count - start));
        }
    }

    /// <summary>True when a turn ends with a token that stops generation, a line break after it aside.</summary>
    private bool EndsTurn(ReadOnlySpan<int> body)
    {
        if (body.EndsWith(_lineBreak))
        {
            body = body[..^_lineBreak.Length];
        }

        return body.Length > 0 && StopTokens.Contains(body[^1]);
    }
}

/// <summary>What a config names to get the tokenizer of a model that has none of its own here.</summary>
public static class HuggingFaceTokenizers
{
    /// <summary>
    /// The tokenizer of any Hugging Face model, whose own chat template writes the conversations. Without one, a vocabulary with Llama 3's headers
    /// gives a <see cref="Llama3Tokenizer"/>.
    /// </summary>
    /// <param name="tokenizerJsonPath">The <c>tokenizer.json</c>; null when <paramref name="path"/> is given.</param>
    /// <param name="tokenizerConfigJsonPath">The <c>tokenizer_config.json</c>; the one beside the tokenizer when null.</param>
    /// <param name="generationConfigPath">The <c>generation_config.json</c>; the one beside the tokenizer when null.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">A template's name, a dictionary from role to [before, after]; null for the model's own chat template.</param>
    /// <param name="truncationType">Which end of a sample that is too long gives way.</param>
    /// <param name="path">A model's folder, in place of the three files.</param>
    [Component("torchtune.modules.transforms.tokenizers.HuggingFaceModelTokenizer")]
    public static IModelTokenizer HuggingFaceModelTokenizer(
        string? tokenizerJsonPath = null,
        string? tokenizerConfigJsonPath = null,
        string? generationConfigPath = null,
        int? maxSeqLen = null,
        object? promptTemplate = null,
        TruncationType truncationType = TruncationType.Right,
        string? path = null)
    {
        path = path is null ? null : HubCache.Local(path);
        string file = tokenizerJsonPath ?? path ?? throw new ConfigException(
            "tokenizer: neither path (a model's folder) nor tokenizer_json_path is given. Set one of them.");
        ITokenizer tokenizer = TokenizerFiles.Load(file);
        IPromptTemplate? template = PromptTemplates.Parse(promptTemplate);
        string folder = path is not null && Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(file))!;
        IChatTemplate? chatTemplate = template is null ? FindChatTemplate(folder, tokenizerConfigJsonPath) : null;
        if (template is null && chatTemplate is null
            && tokenizer.TokenToId("<|start_header_id|>") is not null && tokenizer.TokenToId("<|eot_id|>") is not null)
        {
            return new Llama3Tokenizer(tokenizer, maxSeqLen, template, truncationType);
        }

        SpecialTokenIds specials = SpecialTokenIds.Read(tokenizer, folder, tokenizerConfigJsonPath, generationConfigPath);
        return new HuggingFaceTokenizer(tokenizer, specials, maxSeqLen, template, truncationType, chatTemplate);
    }

    private static ChatTemplate? FindChatTemplate(string folder, string? tokenizerConfig)
    {
        try
        {
            return ChatTemplate.Find(folder, tokenizerConfig);
        }
        catch (TemplateException e)
        {
            throw new ConfigException(
                $"tokenizer: the chat template of {folder} cannot be read: {e.Message}{(e.Line is { } line ? $" (line {line.ToString(System.Globalization.CultureInfo.InvariantCulture)})" : "")} " +
                "Mend it, or set tokenizer.prompt_template to write the conversations in its place.",
                e);
        }
    }
}
