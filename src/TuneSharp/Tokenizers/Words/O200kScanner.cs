namespace TuneSharp.Tokenizers;

/// <summary>o200k's words: a new one begins where lower case turns to upper case; contractions stay on.</summary>
internal sealed class O200kScanner : WordScanner
{
    internal override void Scan(ReadOnlySpan<byte> text, int offset, IntBuffer ends)
    {
        for (int at = 0; at < text.Length;)
        {
            at = WordEnd(text, at);
            ends.Add(offset + at);
        }
    }

    private static int WordEnd(ReadOnlySpan<byte> text, int at)
    {
        CharKind kind = CharKinds.At(text, at, out int length);
        int next = at + length;
        bool mayPrecede = (kind & (CharKind.Letter | CharKind.Number | CharKind.LineEnd)) == CharKind.None;
        int end = mayPrecede ? MixedEnd(text, next) : -1;
        end = end >= 0 ? end : MixedEnd(text, at);
        end = end >= 0 || !mayPrecede ? end : UpperEnd(text, next);
        end = end >= 0 ? end : UpperEnd(text, at);
        if (end >= 0)
        {
            return ContractionEnd(text, end, ignoreCase: true);
        }

        if ((kind & CharKind.Number) != CharKind.None)
        {
            for (int count = 1; count < 3 && next < text.Length && (CharKinds.At(text, next, out length) & CharKind.Number) != CharKind.None; count++)
            {
                next += length;
            }

            return next;
        }

        if ((kind & CharKind.Space) == CharKind.None)
        {
            return SignsEnd(text, next);
        }

        return text[at] == ' ' && next < text.Length && IsSign(CharKinds.At(text, next, out length))
            ? SignsEnd(text, next + length)
            : SpaceEnd(text, at, cutAtLineEnds: true);
    }

    // [upper]*[lower]+: -1 if there is no such word here.
    private static int MixedEnd(ReadOnlySpan<byte> text, int at)
    {
        int lastLower = -1;
        CharKind kind = CharKind.None;
        int length = 0;
        while (at < text.Length && ((kind = CharKinds.At(text, at, out length)) & CharKind.UpperPart) != CharKind.None)
        {
            at += length;
            if ((kind & CharKind.LowerPart) != CharKind.None)
            {
                lastLower = at;
            }
        }

        if (at == text.Length || (kind & CharKind.LowerPart) == CharKind.None)
        {
            return lastLower;
        }

        do
        {
            at += length;
        }
        while (at < text.Length && (CharKinds.At(text, at, out length) & CharKind.LowerPart) != CharKind.None);
        return at;
    }

    // [upper]+[lower]*, where no lower case follows: else the word above had matched.
    private static int UpperEnd(ReadOnlySpan<byte> text, int at)
    {
        int start = at;
        while (at < text.Length && (CharKinds.At(text, at, out int length) & CharKind.UpperPart) != CharKind.None)
        {
            at += length;
        }

        return at > start ? at : -1;
    }

    private static bool IsSign(CharKind kind) => (kind & (CharKind.Space | CharKind.Letter | CharKind.Number)) == CharKind.None;

    private static int SignsEnd(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && IsSign(CharKinds.At(text, at, out int length)))
        {
            at += length;
        }

        while (at < text.Length && text[at] is (byte)'\r' or (byte)'\n' or (byte)'/')
        {
            at++;
        }

        return at;
    }
}
