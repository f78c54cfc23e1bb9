namespace TuneSharp.Tokenizers;

/// <summary>Text as tokens, with where each came from.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Tokens">The tokens as the vocabulary spells them; an added token as it stood in the text.</param>
/// <param name="Offsets">For each token the stretch of text it covers, in code points: start, and one after the end.</param>
public sealed record TokenEncoding(int[] Ids, string[] Tokens, (int Start, int End)[] Offsets);
