using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Tokenizers;

namespace TuneSharp.Models.Qwen2;

/// <summary>Qwen's conversations: ChatML, with tool calls and tool answers in marks of their own.</summary>
/// <remarks>
/// <c>&lt;|im_start|>role\ncontent&lt;|im_end|>\n</c> each; an assistant's last turn ends with <c>&lt;|im_end|></c> alone. From Qwen 2.5 on a tool call stands
/// between <c>&lt;tool_call></c> marks, and answers of tools stand together in a user's turn, each in <c>&lt;tool_response></c> marks.
/// torchtune counterparts: <c>torchtune/models/{qwen2,qwen2_5,qwen3}/_tokenizer.py</c>.
/// </remarks>
public sealed class QwenTokenizer : IModelTokenizer
{
    private readonly ITokenizer _tokenizer;
    private readonly IPromptTemplate? _template;
    private readonly TruncationType _truncation;
    private readonly bool _tools;
    private readonly int _imStart;
    private readonly int _imEnd;
    private readonly int[] _lineBreak;

    /// <summary>Creates the tokenizer.</summary>
    /// <param name="tokenizer">The vocabulary, with Qwen's special tokens in it.</param>
    /// <param name="tools">Write tool calls and answers as Qwen 2.5 and later do.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">Text around the messages, or null.</param>
    /// <param name="truncation">Which end of a sample that is too long gives way.</param>
    /// <exception cref="ConfigException">A special token is missing, or the template writes ChatML a second time.</exception>
    public QwenTokenizer(
        ITokenizer tokenizer,
        bool tools = true,
        int? maxSeqLen = null,
        IPromptTemplate? promptTemplate = null,
        TruncationType truncation = TruncationType.Right)
    {
        if (PromptTemplates.IsChatMl(promptTemplate))
        {
            throw new ConfigException(
                "tokenizer.prompt_template: Qwen's tokenizer writes ChatML already, and ChatMLTemplate would write its marks twice. Leave prompt_template out.");
        }

        _tokenizer = tokenizer;
        _tools = tools;
        MaxSeqLen = maxSeqLen;
        _template = promptTemplate;
        _truncation = truncation;
        _imStart = Require("<|im_start|>");
        _imEnd = Require("<|im_end|>");
        PadId = Require("<|endoftext|>");
        _lineBreak = tokenizer.EncodeAsText("\n");
    }

    /// <inheritdoc/>
    public int VocabSize => _tokenizer.VocabSize;

    /// <inheritdoc/>
    public int? MaxSeqLen { get; }

    /// <inheritdoc/>
    public int PadId { get; }

    /// <inheritdoc/>
    public int? BosId => null;

    /// <inheritdoc/>
    public int EosId => _imEnd;

    /// <inheritdoc/>
    public IReadOnlyList<int> StopTokens => [_imEnd, PadId];

    /// <inheritdoc/>
    public int[] Encode(string text, bool addBos = true, bool addEos = true) =>
        [.. _tokenizer.EncodeAsText(text), .. addEos ? [EosId] : Array.Empty<int>()];

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => _tokenizer.Decode(ids, skipSpecialTokens);

    /// <inheritdoc/>
    public TokenizedMessages TokenizeMessages(IReadOnlyList<Message> messages, bool inference = false)
    {
        messages = Turns.Prepare(messages, _template, inference);
        TurnIds turns = new(MaxSeqLen, _truncation);
        for (int i = 0; i < messages.Count && !turns.IsFull; i++)
        {
            Message message = messages[i];
            bool last = i == messages.Count - 1;
            if (IsAnswer(message))
            {
                AddAnswer(turns, messages, i);
                continue;
            }

            turns.Add(message.Masked, _imStart);
            turns.Add(message.Masked, Text(Turns.Name(message.Role) + "\n"));
            bool call = _tools && message.Role == Role.Assistant && message.Ipython;
            if (call)
            {
                turns.Add(message.Masked, Require("<tool_call>"));
                turns.Add(message.Masked, _lineBreak);
            }

            turns.Add(message.Masked, Text(message.ContentAndCalls()));
            if (call)
            {
                turns.Add(message.Masked, _lineBreak);
                turns.Add(message.Masked, Require("</tool_call>"));
            }

            if (message.Role != Role.Assistant || !last)
            {
                turns.Add(message.Masked, _imEnd);
                turns.Add(message.Masked, _lineBreak);
            }
        }

        if (!inference)
        {
            turns.Add(turns.LastMasked, EosId);
        }

        return turns.Cut(inference ? null : EosId, always: true);
    }

    private static bool IsAnswer(Message message) => message.Role is Role.Ipython or Role.Tool;

    private void AddAnswer(TurnIds turns, IReadOnlyList<Message> messages, int i)
    {
        Message message = messages[i];
        if (!_tools)
        {
            turns.Add(message.Masked, Text(message.ContentAndCalls())); // Qwen 2 has no marks for it
            return;
        }

        bool first = i == 0 || !IsAnswer(messages[i - 1]);
        bool last = i == messages.Count - 1 || !IsAnswer(messages[i + 1]);
        if (first)
        {
            turns.Add(message.Masked, _imStart);
            turns.Add(message.Masked, Text("user\n"));
        }

        turns.Add(message.Masked, _tokenizer.Encode(first ? "<tool_response>\n" : "\n<tool_response>\n"));
        turns.Add(message.Masked, Text(message.ContentAndCalls()));
        turns.Add(message.Masked, _tokenizer.Encode("\n</tool_response>"));
        if (last)
        {
            turns.Add(message.Masked, _imEnd);
            turns.Add(message.Masked, _lineBreak);
        }
    }

    private int[] Text(string text) => _tokenizer.EncodeAsText(text);

    private int Require(string token) => _tokenizer.TokenToId(token) ?? throw new ConfigException(
        $"The tokenizer has no {token}, which Qwen's conversations need. Name the files of a Qwen model, " +
        "or set tokenizer._component_ to torchtune.modules.transforms.tokenizers.HuggingFaceModelTokenizer for another one.");
}

/// <summary>What a config names to get a <see cref="QwenTokenizer"/>.</summary>
public static class QwenTokenizers
{
    private static readonly string[] Qwen2Names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

    private static readonly string[] Qwen2_5Names =
    [
        .. Qwen2Names, "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>",
        "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>",
        "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
    ];

    private static readonly string[] Qwen3Names = [.. Qwen2_5Names, "<tool_response>", "</tool_response>", "<think>", "</think>"];

    /// <summary>Qwen 2's tokenizer.</summary>
    /// <param name="path"><c>vocab.json</c>; or a model's folder, or a <c>tokenizer.json</c>, without <paramref name="mergesFile"/>.</param>
    /// <param name="mergesFile"><c>merges.txt</c>.</param>
    /// <param name="specialTokensPath">A <c>tokenizer.json</c> whose added tokens replace the usual special ones; null for those.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">A template's name, a dictionary from role to [before, after], or null.</param>
    /// <param name="truncationType">Which end of a sample that is too long gives way.</param>
    [Component("torchtune.models.qwen2.qwen2_tokenizer")]
    public static QwenTokenizer Qwen2Tokenizer(
        string path,
        string? mergesFile = null,
        string? specialTokensPath = null,
        int? maxSeqLen = null,
        object? promptTemplate = null,
        TruncationType truncationType = TruncationType.Right) =>
        Build(Qwen2Names, tools: false, path, mergesFile, specialTokensPath, maxSeqLen, promptTemplate, truncationType);

    /// <summary>Qwen 2.5's tokenizer.</summary>
    /// <param name="path"><c>vocab.json</c>; or a model's folder, or a <c>tokenizer.json</c>, without <paramref name="mergesFile"/>.</param>
    /// <param name="mergesFile"><c>merges.txt</c>.</param>
    /// <param name="specialTokensPath">A <c>tokenizer.json</c> whose added tokens replace the usual special ones; null for those.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">A template's name, a dictionary from role to [before, after], or null.</param>
    /// <param name="truncationType">Which end of a sample that is too long gives way.</param>
    [Component("torchtune.models.qwen2_5.qwen2_5_tokenizer")]
    public static QwenTokenizer Qwen2_5Tokenizer(
        string path,
        string? mergesFile = null,
        string? specialTokensPath = null,
        int? maxSeqLen = null,
        object? promptTemplate = null,
        TruncationType truncationType = TruncationType.Right) =>
        Build(Qwen2_5Names, tools: true, path, mergesFile, specialTokensPath, maxSeqLen, promptTemplate, truncationType);

    /// <summary>Qwen 3's tokenizer.</summary>
    /// <param name="path"><c>vocab.json</c>; or a model's folder, or a <c>tokenizer.json</c>, without <paramref name="mergesFile"/>.</param>
    /// <param name="mergesFile"><c>merges.txt</c>.</param>
    /// <param name="specialTokensPath">A <c>tokenizer.json</c> whose added tokens replace the usual special ones; null for those.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">A template's name, a dictionary from role to [before, after], or null.</param>
    /// <param name="truncationType">Which end of a sample that is too long gives way.</param>
    [Component("torchtune.models.qwen3.qwen3_tokenizer")]
    public static QwenTokenizer Qwen3Tokenizer(
        string path,
        string? mergesFile = null,
        string? specialTokensPath = null,
        int? maxSeqLen = null,
        object? promptTemplate = null,
        TruncationType truncationType = TruncationType.Right) =>
        Build(Qwen3Names, tools: true, path, mergesFile, specialTokensPath, maxSeqLen, promptTemplate, truncationType);

    private static QwenTokenizer Build(
        string[] names,
        bool tools,
        string path,
        string? mergesFile,
        string? specialTokensPath,
        int? maxSeqLen,
        object? promptTemplate,
        TruncationType truncationType)
    {
        const int First = 151_643;
        IReadOnlyDictionary<string, int> specials = specialTokensPath is null
            ? names.Select((n, i) => (n, First + i)).ToDictionary(t => t.n, t => t.Item2, StringComparer.Ordinal)
            : SpecialTokensFile.Read(specialTokensPath);
        ITokenizer tokenizer = VocabularyFiles.Load(path, mergesFile, VocabularyFiles.QwenPattern, normalForm: true, specials);
        if (specialTokensPath is not null)
        {
            SpecialTokensFile.RequireSame(tokenizer, SpecialTokensFile.Read(specialTokensPath), specialTokensPath);
        }

        return new(tokenizer, tools, maxSeqLen, PromptTemplates.Parse(promptTemplate), truncationType);
    }
}
