namespace TuneSharp.Tokenizers;

/// <summary>
/// Decodes ids as they come. Text is given out as soon as it is whole: never half a character, and all pieces together
/// are what decoding the ids at once gives.
/// </summary>
/// <remarks>
/// Not thread-safe: one for each text. The last few tokens are kept as context, so a step costs the same however long
/// the text. One exception to the equality: when byte tokens that were valid, and were given out, are followed by more
/// that make no UTF-8, decoding at once turns all of them into U+FFFD, which cannot be taken back here.
/// </remarks>
/// <param name="tokenizer">The tokenizer.</param>
/// <param name="skipSpecialTokens">Leave special tokens out.</param>
public sealed class StreamingDecoder(ITokenizer tokenizer, bool skipSpecialTokens = true)
{
    private const char Replacement = '\uFFFD';
    private readonly List<int> _ids = [];
    private string _given = "";
    private int _contextEnd;

    /// <summary>Takes an id.</summary>
    /// <param name="id">The id.</param>
    /// <returns>The text that is certain now and was not given out before; often empty.</returns>
    public string Add(int id)
    {
        _ids.Add(id);
        string text = Decode();

        // A text that ends in U+FFFD may be waiting for the rest of a character.
        if (text.Length <= _given.Length || text[^1] == Replacement)
        {
            return "";
        }

        string fresh = After(text);

        // The tokens before the last ones given out are no longer needed.
        int keep = _contextEnd;
        _contextEnd = _ids.Count - keep;
        _ids.RemoveRange(0, keep);
        _given = Decode();
        return fresh;
    }

    /// <summary>Ends the text.</summary>
    /// <returns>What was held back: an unfinished character becomes U+FFFD.</returns>
    public string Finish()
    {
        string text = Decode();
        string rest = text.Length > _given.Length ? After(text) : "";
        _ids.Clear();
        _given = "";
        _contextEnd = 0;
        return rest;
    }

    private string After(string text) => text[(char.IsLowSurrogate(text[_given.Length]) && _given.Length > 0 ? _given.Length - 1 : _given.Length)..];

    private string Decode() => tokenizer.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_ids), skipSpecialTokens);
}
