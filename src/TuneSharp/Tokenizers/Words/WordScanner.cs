namespace TuneSharp.Tokenizers;

/// <summary>Cuts text into words: what a pattern does, by hand and fast.</summary>
internal abstract class WordScanner
{
    /// <summary>Appends the end of each word; together the words are the text.</summary>
    /// <param name="text">UTF-8.</param>
    /// <param name="offset">Added to each end.</param>
    /// <param name="ends">Where the ends go.</param>
    internal abstract void Scan(ReadOnlySpan<byte> text, int offset, IntBuffer ends);

    /// <summary>The scanner of a pattern: one written for it, or one that runs the pattern.</summary>
    internal static WordScanner For(CodeRegex regex) => regex.Pattern switch
    {
        TiktokenFile.Cl100kPattern => new Cl100kScanner(3),
        Cl100kScanner.QwenPattern => new Cl100kScanner(1),
        TiktokenFile.O200kPattern => new O200kScanner(),
        ByteLevelPreTokenizer.Gpt2Pattern => new Gpt2Scanner(),
        DigitsScanner.Pattern => new DigitsScanner(),
        DeepSeekScanner.KanaPattern => new RunScanner(c => c is (>= 0x4E00 and <= 0x9FA5) or (>= 0x3040 and <= 0x30FF)),
        DeepSeekScanner.Pattern => new DeepSeekScanner(),
        _ => new PatternScanner(regex),
    };

    /// <summary>
    /// White space, as the last branches of all these patterns have it: up to its last line end; else all but the
    /// last character before more text; else all.
    /// </summary>
    protected static int SpaceEnd(ReadOnlySpan<byte> text, int at, bool cutAtLineEnds)
    {
        int lineEnd = -1;
        int last = at;
        int end = at;
        while (end < text.Length)
        {
            CharKind kind = CharKinds.At(text, end, out int length);
            if ((kind & CharKind.Space) == CharKind.None)
            {
                break;
            }

            last = end;
            end += length;
            if ((kind & CharKind.LineEnd) != CharKind.None)
            {
                lineEnd = end;
            }
        }

        return cutAtLineEnds && lineEnd >= 0 ? lineEnd : end == text.Length || last == at ? end : last;
    }

    /// <summary>The end of a contraction such as 's or 'LL, or the start if there is none.</summary>
    protected static int ContractionEnd(ReadOnlySpan<byte> text, int at, bool ignoreCase)
    {
        if (at + 1 >= text.Length || text[at] != '\'')
        {
            return at;
        }

        int first = text[at + 1];
        if (ignoreCase)
        {
            // The long s counts as an s.
            if (first == 0xC5 && at + 2 < text.Length && text[at + 2] == 0xBF)
            {
                return at + 3;
            }

            first |= 0x20;
        }

        if (first is 's' or 't' or 'm' or 'd')
        {
            return at + 2;
        }

        if (at + 2 >= text.Length)
        {
            return at;
        }

        int second = ignoreCase ? text[at + 2] | 0x20 : text[at + 2];
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? at + 3 : at;
    }
}

/// <summary>A pattern that has no scanner of its own: words are its matches and what lies between them.</summary>
internal sealed class PatternScanner(CodeRegex regex) : WordScanner
{
    internal override void Scan(ReadOnlySpan<byte> text, int offset, IntBuffer ends)
    {
        int covered = 0;
        int from = 0;
        while (from <= text.Length && regex.Find(text, from, out int start, out int end))
        {
            if (start > covered)
            {
                ends.Add(offset + start);
            }

            if (end > start)
            {
                ends.Add(offset + end);
            }

            covered = end;
            from = end > start ? end : end < text.Length ? end + Utf8.LengthOf(text[end]) : end + 1;
        }

        if (covered < text.Length)
        {
            ends.Add(offset + text.Length);
        }
    }
}

/// <summary>Several patterns in turn, each cutting what the one before left.</summary>
internal sealed class SequenceScanner(WordScanner first, WordScanner second) : WordScanner
{
    [ThreadStatic]
    private static List<IntBuffer>? _free;

    internal override void Scan(ReadOnlySpan<byte> text, int offset, IntBuffer ends)
    {
        List<IntBuffer> free = _free ??= [];
        IntBuffer between = free.Count > 0 ? free[^1] : new IntBuffer();
        if (free.Count > 0)
        {
            free.RemoveAt(free.Count - 1);
        }

        between.Clear();
        first.Scan(text, 0, between);
        int start = 0;
        foreach (int end in between.Items)
        {
            second.Scan(text[start..end], offset + start, ends);
            start = end;
        }

        free.Add(between);
    }
}

/// <summary>Runs of characters of a kind stand apart from what is between.</summary>
internal sealed class RunScanner(Func<int, bool> test) : WordScanner
{
    internal override void Scan(ReadOnlySpan<byte> text, int offset, IntBuffer ends)
    {
        bool inside = false;
        for (int at = 0; at < text.Length;)
        {
            int ascii = text[at..].IndexOfAnyExceptInRange((byte)0, (byte)127);
            ascii = ascii < 0 ? text.Length - at : ascii;
            bool isIn = false;
            int length = ascii;
            if (ascii == 0)
            {
                isIn = test(Utf8.Decode(text, at, out length));
            }

            if (isIn != inside && at > 0)
            {
                ends.Add(offset + at);
            }

            inside = isIn;
            at += length;
        }

        if (!text.IsEmpty)
        {
            ends.Add(offset + text.Length);
        }
    }
}
