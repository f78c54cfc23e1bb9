using System.Text;
using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Tokenizers;

namespace TuneSharp.Models.Phi3;

/// <summary>Phi-3's conversations: <c>&lt;|role|>\ncontent&lt;|end|>\n</c>, BOS before each exchange and <c>&lt;|endoftext|></c> after it.</summary>
/// <remarks>
/// SentencePiece's file knows nothing of the special tokens, which have ids behind its own. torchtune counterpart:
/// <c>torchtune/models/phi3/_tokenizer.py</c>; there the turn that waits for the model is closed, here it is left open.
/// </remarks>
public sealed class Phi3MiniTokenizer : IModelTokenizer
{
    internal static readonly IReadOnlyDictionary<string, int> Specials = new Dictionary<string, int>(StringComparer.Ordinal)
    {
        ["<|endoftext|>"] = 32000,
        ["<|assistant|>"] = 32001,
        ["<|placeholder1|>"] = 32002,
        ["<|placeholder2|>"] = 32003,
        ["<|placeholder3|>"] = 32004,
        ["<|placeholder4|>"] = 32005,
        ["<|system|>"] = 32006,
        ["<|end|>"] = 32007,
        ["<|placeholder5|>"] = 32008,
        ["<|placeholder6|>"] = 32009,
        ["<|user|>"] = 32010,
    };

    private const string Anchor = "\n";

    private readonly ITokenizer _tokenizer;
    private readonly IReadOnlyDictionary<string, int> _specials;
    private readonly Dictionary<int, string> _names;
    private readonly IPromptTemplate? _template;
    private readonly TruncationType _truncation;
    private readonly int _bos;
    private readonly int _end;
    private readonly int[] _lineBreak;

    /// <summary>Creates the tokenizer.</summary>
    /// <param name="tokenizer">The vocabulary, with <c>&lt;s></c> in it.</param>
    /// <param name="specialTokens">Special tokens and their ids; null for Phi-3's.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">Text around the messages, or null.</param>
    /// <param name="truncation">Which end of a sample that is too long gives way.</param>
    /// <exception cref="ConfigException">A special token is missing.</exception>
    public Phi3MiniTokenizer(
        ITokenizer tokenizer,
        IReadOnlyDictionary<string, int>? specialTokens = null,
        int? maxSeqLen = null,
        IPromptTemplate? promptTemplate = null,
        TruncationType truncation = TruncationType.Right)
    {
        _tokenizer = tokenizer;
        _specials = specialTokens ?? Specials;
        _names = _specials.ToDictionary(s => s.Value, s => s.Key);
        MaxSeqLen = maxSeqLen;
        _template = promptTemplate;
        _truncation = truncation;
        _bos = tokenizer.TokenToId("<s>") ?? throw Missing("<s>");
        EosId = Special("<|endoftext|>");
        _end = Special("<|end|>");
        _lineBreak = tokenizer.EncodeAsText(Anchor);
    }

    /// <inheritdoc/>
    public int VocabSize => Math.Max(_tokenizer.VocabSize, _names.Keys.Max() + 1);

    /// <inheritdoc/>
    public int? MaxSeqLen { get; }

    /// <inheritdoc/>
    public int PadId => EosId;

    /// <inheritdoc/>
    public int? BosId => _bos;

    /// <inheritdoc/>
    public int EosId { get; }

    /// <inheritdoc/>
    public IReadOnlyList<int> StopTokens => [EosId, _end];

    /// <inheritdoc/>
    public int[] Encode(string text, bool addBos = true, bool addEos = true) =>
        [.. addBos ? [_bos] : Array.Empty<int>(), .. _tokenizer.EncodeAsText(text), .. addEos ? [EosId] : Array.Empty<int>()];

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        StringBuilder text = new();
        int start = 0;
        for (int i = 0; i <= ids.Length; i++)
        {
            if (i < ids.Length && !_names.ContainsKey(ids[i]))
            {
                continue;
            }

            text.Append(i > start ? _tokenizer.Decode(ids[start..i], skipSpecialTokens) : "");
            text.Append(i < ids.Length && !skipSpecialTokens ? _names[ids[i]] : "");
            start = i + 1;
        }

        return text.ToString();
    }

    /// <inheritdoc/>
    public TokenizedMessages TokenizeMessages(IReadOnlyList<Message> messages, bool inference = false)
    {
        messages = Turns.Prepare(messages, _template, inference);
        TurnIds turns = new(MaxSeqLen, _truncation);
        bool starts = true;
        for (int i = 0; i < messages.Count && !turns.IsFull; i++)
        {
            Message message = messages[i];
            bool open = inference && i == messages.Count - 1;
            if (message.Role is Role.Ipython or Role.Tool)
            {
                throw new DatasetException($"Phi-3 has no place for a message of the role {Turns.Name(message.Role)}. Leave it out of the data, or use another tokenizer.");
            }

            if (starts)
            {
                turns.Add(message.Masked, _bos);
            }

            turns.Add(message.Masked, Special($"<|{Turns.Name(message.Role)}|>"));
            turns.Add(message.Masked, _lineBreak);
            turns.Add(message.Masked, _tokenizer.EncodeAsText(Anchor + message.ContentAndCalls().TrimEnd(' ')).AsSpan(_lineBreak.Length));
            if (!open)
            {
                turns.Add(message.Masked, _end);
                turns.Add(message.Masked, _lineBreak);
            }

            starts = message.Role == Role.Assistant && !inference;
            if (starts)
            {
                turns.Add(message.Masked, EosId);
            }
        }

        return turns.Cut(inference ? null : EosId, always: false);
    }

    private int Special(string token) => _specials.TryGetValue(token, out int id) ? id : throw Missing(token);

    private static ConfigException Missing(string token) => new(
        $"The tokenizer has no {token}, which Phi-3's conversations need. Name the tokenizer of a Phi-3 model, " +
        "or set tokenizer._component_ to torchtune.modules.transforms.tokenizers.HuggingFaceModelTokenizer for another one.");
}

/// <summary>What a config names to get a <see cref="Phi3MiniTokenizer"/>.</summary>
public static class Phi3Tokenizers
{
    /// <summary>Phi-3 Mini's tokenizer.</summary>
    /// <param name="path">SentencePiece's <c>tokenizer.model</c>, a <c>tokenizer.json</c>, or a model's folder.</param>
    /// <param name="specialTokensPath">A <c>tokenizer.json</c> whose added tokens replace the usual special ones; null for those.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">A template's name, a dictionary from role to [before, after], or null.</param>
    /// <param name="truncationType">Which end of a sample that is too long gives way.</param>
    [Component("torchtune.models.phi3.phi3_mini_tokenizer")]
    public static Phi3MiniTokenizer Phi3MiniTokenizer(
        string path,
        string? specialTokensPath = null,
        int? maxSeqLen = null,
        object? promptTemplate = null,
        TruncationType truncationType = TruncationType.Right) =>
        new(
            TokenizerFiles.Load(path),
            specialTokensPath is null ? null : SpecialTokensFile.Read(specialTokensPath),
            maxSeqLen,
            PromptTemplates.Parse(promptTemplate),
            truncationType);
}
