namespace TuneSharp.Tokenizers;

/// <summary>cl100k's and Llama 3's words, digits in threes; Qwen's, digits one by one.</summary>
internal sealed class Cl100kScanner(int maxDigits) : WordScanner
{
    internal const string QwenPattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    internal override void Scan(ReadOnlySpan<byte> text, int offset, IntBuffer ends)
    {
        for (int at = 0; at < text.Length;)
        {
            at = WordEnd(text, at);
            ends.Add(offset + at);
        }
    }

    private int WordEnd(ReadOnlySpan<byte> text, int at)
    {
        CharKind kind = CharKinds.At(text, at, out int length);
        if ((kind & CharKind.Letter) != CharKind.None)
        {
            return LettersEnd(text, at + length);
        }

        int next = at + length;
        if ((kind & CharKind.Number) != CharKind.None)
        {
            for (int count = 1; count < maxDigits && next < text.Length && (CharKinds.At(text, next, out length) & CharKind.Number) != CharKind.None; count++)
            {
                next += length;
            }

            return next;
        }

        if (text[at] == '\'' && ContractionEnd(text, at, ignoreCase: true) is int end && end > at)
        {
            return end;
        }

        // One character of another kind goes with the letters after it.
        CharKind after = CharKind.None;
        int afterLength = 0;
        if (next < text.Length)
        {
            after = CharKinds.At(text, next, out afterLength);
            if ((after & CharKind.Letter) != CharKind.None && (kind & CharKind.LineEnd) == CharKind.None)
            {
                return LettersEnd(text, next + afterLength);
            }
        }

        if ((kind & CharKind.Space) == CharKind.None)
        {
            return SignsEnd(text, next);
        }

        return text[at] == ' ' && next < text.Length && (after & (CharKind.Space | CharKind.Letter | CharKind.Number)) == CharKind.None
            ? SignsEnd(text, next + afterLength)
            : SpaceEnd(text, at, cutAtLineEnds: true);
    }

    private static int LettersEnd(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && (CharKinds.At(text, at, out int length) & CharKind.Letter) != CharKind.None)
        {
            at += length;
        }

        return at;
    }

    // Anything but spaces, letters and numbers, then line ends.
    private static int SignsEnd(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && (CharKinds.At(text, at, out int length) & (CharKind.Space | CharKind.Letter | CharKind.Number)) == CharKind.None)
        {
            at += length;
        }

        while (at < text.Length && text[at] is (byte)'\r' or (byte)'\n')
        {
            at++;
        }

        return at;
    }
}
