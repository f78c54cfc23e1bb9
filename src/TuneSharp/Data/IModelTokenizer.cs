namespace TuneSharp.Data;

/// <summary>Ids of a conversation and, beside each, whether training skips it.</summary>
/// <param name="Tokens">Token ids.</param>
/// <param name="Mask">True where the token is not learned (a prompt's tokens, say). As long as <paramref name="Tokens"/>.</param>
public sealed record TokenizedMessages(int[] Tokens, bool[] Mask);

/// <summary>A model's tokenizer: its vocabulary together with the way it writes messages. Thread-safe.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/modules/transforms/tokenizers/_utils.py</c>, <c>ModelTokenizer</c>.</remarks>
public interface IModelTokenizer
{
    /// <summary>Number of ids.</summary>
    int VocabSize { get; }

    /// <summary>Longest sample in tokens; longer ones are truncated. Null for no limit.</summary>
    int? MaxSeqLen { get; }

    /// <summary>The id that fills batches up.</summary>
    int PadId { get; }

    /// <summary>The id that begins a text, or null if the model has none.</summary>
    int? BosId { get; }

    /// <summary>The id that ends a text.</summary>
    int EosId { get; }

    /// <summary>Ids at which generation stops.</summary>
    IReadOnlyList<int> StopTokens { get; }

    /// <summary>The id of a token's exact text; null when there is none, or the tokenizer does not say.</summary>
    /// <param name="token">As the vocabulary spells it.</param>
    int? TokenToId(string token) => null;

    /// <summary>Encodes plain text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addBos">Begin with the BOS id, if there is one.</param>
    /// <param name="addEos">End with the EOS id.</param>
    int[] Encode(string text, bool addBos = true, bool addEos = true);

    /// <summary>Decodes ids.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="skipSpecialTokens">Leave special tokens out.</param>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true);

    /// <summary>Writes a conversation as the model expects it.</summary>
    /// <param name="messages">The turns, in order.</param>
    /// <param name="inference">
    /// True to leave the last assistant turn open for generation (its header written, no end token), false for training.
    /// </param>
    /// <returns>Ids and mask, cut to <see cref="MaxSeqLen"/>.</returns>
    TokenizedMessages TokenizeMessages(IReadOnlyList<Message> messages, bool inference = false);
}
