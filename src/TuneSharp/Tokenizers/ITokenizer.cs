namespace TuneSharp.Tokenizers;

/// <summary>Text to token ids and back; knows nothing of messages, models or batches. Thread-safe.</summary>
public interface ITokenizer
{
    /// <summary>Number of ids, added tokens included: one more than the largest id.</summary>
    int VocabSize { get; }

    /// <summary>Encodes text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">Apply the post-processor, which adds what the file says (a BOS, say).</param>
    /// <returns>Token ids. Special tokens written out in the text are recognised.</returns>
    int[] Encode(string text, bool addSpecialTokens = false);

    /// <summary>Decodes ids.</summary>
    /// <param name="ids">Token ids; an id outside the vocabulary is an error.</param>
    /// <param name="skipSpecialTokens">Leave special tokens out.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false);

    /// <summary>The id of a token's exact text, or null.</summary>
    /// <param name="token">As the vocabulary or the added tokens spell it.</param>
    int? TokenToId(string token);

    /// <summary>A token's text as the vocabulary spells it, or null.</summary>
    /// <param name="id">The id.</param>
    string? IdToToken(int id);
}
