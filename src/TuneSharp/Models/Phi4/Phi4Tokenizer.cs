using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Tokenizers;

namespace TuneSharp.Models.Phi4;

/// <summary>Phi-4's conversations: <c>&lt;|im_start|>role&lt;|im_sep|>content&lt;|im_end|></c>.</summary>
/// <remarks>
/// An assistant's turn has no end token, as in torchtune. torchtune counterpart: <c>torchtune/models/phi4/_tokenizer.py</c>. Its word pattern is
/// GPT-2's; here it is the one that Phi-4 was trained with (cl100k's), so ids are the model's own.
/// </remarks>
public sealed class Phi4Tokenizer : IModelTokenizer
{
    private readonly ITokenizer _tokenizer;
    private readonly IPromptTemplate? _template;
    private readonly TruncationType _truncation;
    private readonly int _imStart;
    private readonly int _imSep;

    /// <summary>Creates the tokenizer.</summary>
    /// <param name="tokenizer">The vocabulary, with Phi-4's special tokens in it.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">Text around the messages, or null.</param>
    /// <param name="truncation">Which end of a sample that is too long gives way.</param>
    /// <exception cref="ConfigException">A special token is missing.</exception>
    public Phi4Tokenizer(
        ITokenizer tokenizer, int? maxSeqLen = null, IPromptTemplate? promptTemplate = null, TruncationType truncation = TruncationType.Right)
    {
        _tokenizer = tokenizer;
        MaxSeqLen = maxSeqLen;
        _template = promptTemplate;
        _truncation = truncation;
        _imStart = Require("<|im_start|>");
        _imSep = Require("<|im_sep|>");
        EosId = Require("<|im_end|>");
        BosId = Require("<|endoftext|>");
        PadId = tokenizer.TokenToId("<|dummy_85|>") ?? BosId.Value;
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
    public IReadOnlyList<int> StopTokens => [EosId];

    /// <inheritdoc/>
    public int[] Encode(string text, bool addBos = true, bool addEos = true) =>
    [
        .. addBos ? [BosId!.Value] : Array.Empty<int>(), .. _tokenizer.EncodeAsText(text), .. addEos ? [EosId] : Array.Empty<int>(),
    ];

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
            turns.Add(message.Masked, _imStart);
            turns.Add(message.Masked, _tokenizer.EncodeAsText(Turns.Name(message.Role)));
            turns.Add(message.Masked, _imSep);
            turns.Add(message.Masked, _tokenizer.EncodeAsText(message.ContentAndCalls().TrimEnd(' ')));
            if (message.Role != Role.Assistant)
            {
                turns.Add(message.Masked, EosId);
            }
        }

        return turns.Cut(null, always: false);
    }

    private int Require(string token) => _tokenizer.TokenToId(token) ?? throw new ConfigException(
        $"The tokenizer has no {token}, which Phi-4's conversations need. Name the files of a Phi-4 model, " +
        "or set tokenizer._component_ to torchtune.modules.transforms.tokenizers.HuggingFaceModelTokenizer for another one.");
}

/// <summary>What a config names to get a <see cref="Phi4Tokenizer"/>.</summary>
public static class Phi4Tokenizers
{
    /// <summary>Phi-4's tokenizer.</summary>
    /// <param name="vocabPath"><c>vocab.json</c>; or a model's folder, or a <c>tokenizer.json</c>, without <paramref name="mergesPath"/>.</param>
    /// <param name="mergesPath"><c>merges.txt</c>.</param>
    /// <param name="specialTokensPath">A <c>tokenizer.json</c> whose added tokens replace the usual special ones; null for those.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">A template's name, a dictionary from role to [before, after], or null.</param>
    /// <param name="truncationType">Which end of a sample that is too long gives way.</param>
    [Component("torchtune.models.phi4.phi4_tokenizer")]
    public static Phi4Tokenizer Phi4Tokenizer(
        string? vocabPath = null,
        string? mergesPath = null,
        string? specialTokensPath = null,
        int? maxSeqLen = null,
        object? promptTemplate = null,
        TruncationType truncationType = TruncationType.Right)
    {
        string path = vocabPath ?? throw new ConfigException("tokenizer.vocab_path is not set. Name the model's vocab.json (with merges_path), or its folder.");
        ITokenizer tokenizer = VocabularyFiles.Load(
            path, mergesPath, TiktokenFile.Cl100kPattern, normalForm: false, specialTokensPath is null ? Specials() : SpecialTokensFile.Read(specialTokensPath));
        if (specialTokensPath is not null)
        {
            SpecialTokensFile.RequireSame(tokenizer, SpecialTokensFile.Read(specialTokensPath), specialTokensPath);
        }

        return new(tokenizer, maxSeqLen, PromptTemplates.Parse(promptTemplate), truncationType);
    }

    private static Dictionary<string, int> Specials()
    {
        Dictionary<string, int> tokens = new(StringComparer.Ordinal)
        {
            ["<|endoftext|>"] = 100257,
            ["<|fim_prefix|>"] = 100258,
            ["<|fim_middle|>"] = 100259,
            ["<|fim_suffix|>"] = 100260,
            ["<|im_start|>"] = 100264,
            ["<|im_end|>"] = 100265,
            ["<|im_sep|>"] = 100266,
            ["<|endofprompt|>"] = 100276,
        };
        int[] free = [.. Enumerable.Range(100256, 100352 - 100256).Except(tokens.Values)];
        for (int i = 0; i < free.Length; i++)
        {
            tokens[$"<|dummy_{i.ToString(System.Globalization.CultureInfo.InvariantCulture)}|>"] = free[i];
        }

        return tokens;
    }
}
