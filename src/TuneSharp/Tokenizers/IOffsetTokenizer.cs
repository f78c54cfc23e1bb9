namespace TuneSharp.Tokenizers;

/// <summary>A tokenizer that can say where in the text each token came from.</summary>
public interface IOffsetTokenizer : ITokenizer
{
    /// <summary>Encodes text and says where each token came from.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">As for <see cref="ITokenizer.Encode"/>.</param>
    TokenEncoding EncodeFull(string text, bool addSpecialTokens = false);
}
