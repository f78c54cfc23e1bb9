using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Tokenizers;

namespace TuneSharp.Models;

/// <summary>Conversations as plain text between BOS and EOS, one pair for each exchange: Llama 2, Mistral, Gemma.</summary>
/// <remarks>
/// The messages of an exchange are tokenised one by one and must give the same ids as their text together. SentencePiece puts a
/// blank before a text, so a message that goes on with a line is tokenised behind a line break, whose tokens are then left out.
/// torchtune counterparts: <c>torchtune/models/{llama2,mistral,gemma}/_tokenizer.py</c>. There no assistant's turn is ended when a prompt is
/// written for generation; here only the last is left open.
/// </remarks>
public class PlainTurnTokenizer : IModelTokenizer
{
    private const string Anchor = "\n";

    private readonly ITokenizer _tokenizer;
    private readonly IPromptTemplate? _template;
    private readonly TruncationType _truncation;
    private readonly int _bos;
    private readonly int _anchorLength;

    /// <summary>Creates the tokenizer.</summary>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="family">The model family's name, for errors.</param>
    /// <param name="bosToken">The token that begins an exchange.</param>
    /// <param name="eosToken">The token that ends it.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="promptTemplate">Text around the messages, or null.</param>
    /// <param name="truncation">Which end of a sample that is too long gives way.</param>
    /// <exception cref="ConfigException">BOS or EOS is missing.</exception>
    public PlainTurnTokenizer(
        ITokenizer tokenizer,
        string family,
        string bosToken,
        string eosToken,
        int? maxSeqLen = null,
        IPromptTemplate? promptTemplate = null,
        TruncationType truncation = TruncationType.Right)
    {
        _tokenizer = tokenizer;
        MaxSeqLen = maxSeqLen;
        _template = promptTemplate;
        _truncation = truncation;
        _bos = Require(bosToken, family);
        EosId = Require(eosToken, family);
        _anchorLength = tokenizer.EncodeAsText(Anchor).Length;
    }

    /// <inheritdoc/>
    public int VocabSize => _tokenizer.VocabSize;

    /// <inheritdoc/>
    public int? MaxSeqLen { get; }

    /// <inheritdoc/>
    /// <remarks>These vocabularies have no padding id; 0 is never learned.</remarks>
    public int PadId => 0;

    /// <inheritdoc/>
    public int? BosId => _bos;

    /// <inheritdoc/>
    public int EosId { get; }

    /// <inheritdoc/>
    public IReadOnlyList<int> StopTokens => [EosId];

    /// <inheritdoc/>
    public int[] Encode(string text, bool addBos = true, bool addEos = true)
    {
        int[] ids = _tokenizer.EncodeAsText(text);
        return [.. addBos ? [_bos] : Array.Empty<int>(), .. ids, .. addEos ? [EosId] : Array.Empty<int>()];
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => _tokenizer.Decode(ids, skipSpecialTokens);

    /// <inheritdoc/>
    public TokenizedMessages TokenizeMessages(IReadOnlyList<Message> messages, bool inference = false)
    {
        messages = _template?.Apply(messages) ?? messages;
        List<int> ids = [];
        List<bool> mask = [];
        bool starts = true;
        bool blankBefore = false;
        bool lastMasked = true;
        for (int i = 0; i < messages.Count; i++)
        {
            Message message = messages[i];
            bool open = inference && i == messages.Count - 1;
            int before = ids.Count;
            if (starts)
            {
                ids.Add(_bos);
            }

            string content = message.ContentAndCalls();
            ids.AddRange(EncodeMessage(content.TrimEnd(' '), goesOn: !starts && !blankBefore));
            blankBefore = content.EndsWith(' ');
            starts = message.Role == Role.Assistant;
            if (starts && !open)
            {
                ids.Add(EosId);
            }

            mask.AddRange(Enumerable.Repeat(message.Masked, ids.Count - before));
            lastMasked = message.Masked;
            if (_truncation == TruncationType.Right && ids.Count >= MaxSeqLen)
            {
                break; // what follows would be cut off
            }
        }

        return new TokenizedMessages(
            Truncation.Apply<int>([.. ids], MaxSeqLen, _truncation, inference ? null : EosId),
            Truncation.Apply<bool>([.. mask], MaxSeqLen, _truncation, inference ? null : lastMasked));
    }

    private ReadOnlySpan<int> EncodeMessage(string text, bool goesOn)
    {
        if (text.Length == 0)
        {
            return [];
        }

        return goesOn ? _tokenizer.EncodeAsText(Anchor + text).AsSpan(_anchorLength) : _tokenizer.EncodeAsText(text);
    }

    private int Require(string token, string family) => _tokenizer.TokenToId(token) ?? throw new ConfigException(
        $"The tokenizer has no {token}, which {family} needs. Name the tokenizer of a {family} model, " +
        "or set tokenizer._component_ to torchtune.modules.transforms.tokenizers.HuggingFaceModelTokenizer for another one.");
}
