using System.Globalization;
using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Tokenizers;

namespace TuneSharp.Models.Llama4;

/// <summary>Llama 4's conversations, text alone: <c>&lt;|header_start|>role&lt;|header_end|>\n\ncontent&lt;|eot|></c>, between BOS and EOS.</summary>
/// <remarks>
/// Blanks around a content are dropped; the first and the last token are never learned. torchtune counterpart:
/// <c>torchtune/models/llama4/_tokenizer.py</c>, without images.
/// </remarks>
public sealed class Llama4Tokenizer : IModelTokenizer
{
    private readonly ITokenizer _tokenizer;
    private readonly IPromptTemplate? _template;
    private readonly TruncationType _truncation;
    private readonly int _bos;
    private readonly int _headerStart;
    private readonly int _headerEnd;
    private readonly int _eot;
    private readonly int _eom;
    private readonly int[] _blankLine;

    /// <summary>Creates the tokenizer.</summary>
    /// <param name="tokenizer">The vocabulary, with Llama 4's special tokens in it.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">Text around the messages, or null.</param>
    /// <param name="truncation">Which end of a sample that is too long gives way.</param>
    /// <exception cref="ConfigException">A special token is missing.</exception>
    public Llama4Tokenizer(
        ITokenizer tokenizer, int? maxSeqLen = null, IPromptTemplate? promptTemplate = null, TruncationType truncation = TruncationType.Right)
    {
        _tokenizer = tokenizer;
        MaxSeqLen = maxSeqLen;
        _template = promptTemplate;
        _truncation = truncation;
        _bos = Require("<|begin_of_text|>");
        EosId = Require("<|end_of_text|>");
        _headerStart = Require("<|header_start|>");
        _headerEnd = Require("<|header_end|>");
        _eot = Require("<|eot|>");
        _eom = Require("<|eom|>");
        PadId = Require("<|finetune_right_pad|>");
        _blankLine = tokenizer.EncodeAsText("\n\n");
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
    public IReadOnlyList<int> StopTokens => [EosId, _eot, _eom];

    /// <inheritdoc/>
    public int[] Encode(string text, bool addBos = true, bool addEos = true) =>
        [.. addBos ? [_bos] : Array.Empty<int>(), .. _tokenizer.EncodeAsText(text), .. addEos ? [EosId] : Array.Empty<int>()];

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        if (!skipSpecialTokens)
        {
            return _tokenizer.Decode(ids);
        }

        // The role in a header and the blank line after it are no one's words.
        List<int> kept = new(ids.Length);
        for (int i = 0; i < ids.Length; i++)
        {
            int end = ids[i] == _headerStart ? ids[i..].IndexOf(_headerEnd) : -1;
            if (end < 0)
            {
                kept.Add(ids[i]);
                continue;
            }

            i += end;
            i += ids[(i + 1)..].StartsWith(_blankLine) ? _blankLine.Length : 0;
        }

        return _tokenizer.Decode([.. kept], skipSpecialTokens: true);
    }

    /// <inheritdoc/>
    public TokenizedMessages TokenizeMessages(IReadOnlyList<Message> messages, bool inference = false)
    {
        messages = Turns.Prepare(messages, _template, inference);
        TurnIds turns = new(MaxSeqLen, _truncation);
        turns.Add(true, _bos);
        for (int i = 0; i < messages.Count && !turns.IsFull; i++)
        {
            Message message = messages[i];
            turns.Add(message.Masked, _headerStart);
            turns.Add(message.Masked, _tokenizer.EncodeAsText(Turns.Name(message.Role)));
            turns.Add(message.Masked, _headerEnd);
            turns.Add(message.Masked, _blankLine);
            turns.Add(message.Masked, _tokenizer.EncodeAsText(message.ContentAndCalls().Trim()));
            if (!inference || i < messages.Count - 1)
            {
                turns.Add(message.Masked, message.Eot ? _eot : _eom);
            }
        }

        if (!inference)
        {
            turns.Add(true, EosId);
        }

        return turns.Cut(inference ? null : EosId, always: true);
    }

    private int Require(string token) => _tokenizer.TokenToId(token) ?? throw new ConfigException(
        $"The tokenizer has no {token}, which Llama 4's conversations need. Name the tokenizer of a Llama 4 model, " +
        "or set tokenizer._component_ to torchtune.modules.transforms.tokenizers.HuggingFaceModelTokenizer for another one.");
}

/// <summary>What a config names to get a <see cref="Llama4Tokenizer"/>.</summary>
public static class Llama4Tokenizers
{
    /// <summary>Llama 4's tokenizer, for text.</summary>
    /// <param name="path">tiktoken's <c>tokenizer.model</c>, a <c>tokenizer.json</c>, or a model's folder.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">A template's name, a dictionary from role to [before, after], or null.</param>
    /// <param name="truncationType">Which end of a sample that is too long gives way.</param>
    [Component("torchtune.models.llama4.llama4_tokenizer")]
    public static Llama4Tokenizer Llama4Tokenizer(
        string path, int? maxSeqLen = null, object? promptTemplate = null, TruncationType truncationType = TruncationType.Right) => new(
            TokenizerFiles.LoadTiktoken(path, TiktokenFile.O200kPattern, Specials()), maxSeqLen, PromptTemplates.Parse(promptTemplate), truncationType);

    /// <summary>Llama 4's tokenizer under the name of torchtune's configs, whose transform reads pictures as well; here it is for text.</summary>
    /// <param name="path">tiktoken's <c>tokenizer.model</c>, a <c>tokenizer.json</c>, or a model's folder.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">A template's name, a dictionary from role to [before, after], or null.</param>
    /// <param name="truncationType">Which end of a sample that is too long gives way.</param>
    [Component("torchtune.models.llama4.llama4_transform")]
    public static Llama4Tokenizer Llama4Transform(
        string path, int? maxSeqLen = null, object? promptTemplate = null, TruncationType truncationType = TruncationType.Right) =>
        Llama4Tokenizer(path, maxSeqLen, promptTemplate, truncationType);

    private static Dictionary<string, int> Specials()
    {
        Dictionary<string, int> tokens = new(StringComparer.Ordinal);
        void Named(int first, params ReadOnlySpan<string> names)
        {
            foreach (string name in names)
            {
                tokens[$"<|{name}|>"] = first++;
            }
        }

        void Reserved(string prefix, int first, int end, int number)
        {
            for (int id = first; id < end; id++)
            {
                tokens[$"<|{prefix}reserved_special_token_{(number + id - first).ToString(CultureInfo.InvariantCulture)}|>"] = id;
            }
        }

        Named(200_000, "begin_of_text", "end_of_text", "fim_prefix", "fim_middle", "fim_suffix", "header_start", "header_end", "eom", "eot", "step");
        Reserved("text_post_train_", 200_010, 200_018, 0);
        Named(200_018, "finetune_right_pad");
        Reserved("text_post_train_", 200_019, 200_080, 8);
        Named(200_080, "image_start", "image_end");
        Reserved("vision_", 200_082, 200_084, 0);
        Named(200_084, "tile_x_separator", "tile_y_separator");
        Reserved("vision_", 200_086, 200_090, 2);
        Named(200_090, "image");
        Reserved("vision_", 200_091, 200_092, 6);
        Named(200_092, "patch");
        Reserved("vision_", 200_093, 201_134, 7);
        Reserved("reasoning_", 201_134, 201_142, 0);
        Named(201_142, "reasoning_thinking_start", "reasoning_thinking_end");
        Reserved("", 201_144, 202_048, 0);
        return tokens;
    }
}
