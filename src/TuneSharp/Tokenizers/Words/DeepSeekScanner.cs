namespace TuneSharp.Tokenizers;

/// <summary>Numbers in threes stand apart from the rest.</summary>
internal sealed class DigitsScanner : WordScanner
{
    internal const string Pattern = @"\p{N}{1,3}";

    internal override void Scan(ReadOnlySpan<byte> text, int offset, IntBuffer ends)
    {
        int covered = 0;
        int count = 0;
        for (int at = 0; at < text.Length;)
        {
            bool digit = (CharKinds.At(text, at, out int length) & CharKind.Number) != CharKind.None;
            if (at > covered && (digit ? count is 0 or 3 : count > 0))
            {
                ends.Add(offset + at);
                covered = at;
                count = 0;
            }

            count = digit ? count + 1 : 0;
            at += length;
        }

        if (covered < text.Length)
        {
            ends.Add(offset + text.Length);
        }
    }
}

/// <summary>DeepSeek V3's words, after numbers, kana and Chinese characters have been set apart.</summary>
internal sealed class DeepSeekScanner : WordScanner
{
    internal const string KanaPattern = "[一-龥぀-ゟ゠-ヿ]+";

    internal const string Pattern =
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";

    private const CharKind Wordly = CharKind.Letter | CharKind.Mark;

    internal override void Scan(ReadOnlySpan<byte> text, int offset, IntBuffer ends)
    {
        // Characters that no branch takes stand together as words of their own.
        int gap = -1;
        for (int at = 0; at < text.Length;)
        {
            int end = WordEnd(text, at);
            if (end < 0)
            {
                gap = gap < 0 ? at : gap;
                at += Utf8.LengthOf(text[at]);
                continue;
            }

            if (gap >= 0)
            {
                ends.Add(offset + at);
                gap = -1;
            }

            ends.Add(offset + end);
            at = end;
        }

        if (gap >= 0)
        {
            ends.Add(offset + text.Length);
        }
    }

    private static int WordEnd(ReadOnlySpan<byte> text, int at)
    {
        CharKind kind = CharKinds.At(text, at, out int length);
        int next = at + length;
        if (text[at] < 0x80 && (kind & CharKind.Sign) != CharKind.None)
        {
            int end = next;
            while (end < text.Length && (text[end] | 0x20) is >= 'a' and <= 'z')
            {
                end++;
            }

            if (end > next)
            {
                return end;
            }
        }

        CharKind after = CharKind.None;
        int afterLength = 0;
        if (next < text.Length)
        {
            after = CharKinds.At(text, next, out afterLength);
        }

        bool mayPrecede = (kind & (CharKind.LineEnd | CharKind.Letter | CharKind.Sign)) == CharKind.None;
        if (mayPrecede && (after & Wordly) != CharKind.None)
        {
            return RunEnd(text, next, Wordly);
        }

        if ((kind & Wordly) != CharKind.None)
        {
            return RunEnd(text, at, Wordly);
        }

        if ((kind & CharKind.Sign) != CharKind.None || (text[at] == ' ' && (after & CharKind.Sign) != CharKind.None))
        {
            int end = RunEnd(text, (kind & CharKind.Sign) != CharKind.None ? at : next, CharKind.Sign);
            while (end < text.Length && text[end] is (byte)'\r' or (byte)'\n')
            {
                end++;
            }

            return end;
        }

        return (kind & CharKind.Space) != CharKind.None ? SpaceEnd(text, at, cutAtLineEnds: true) : -1;
    }

    private static int RunEnd(ReadOnlySpan<byte> text, int at, CharKind kinds)
    {
        while (at < text.Length && (CharKinds.At(text, at, out int length) & kinds) != CharKind.None)
        {
            at += length;
        }

        return at;
    }
}
