using System.Text;

namespace TuneSharp.Templates;

/// <summary>Strings counted and cut as Python does, by code points. A surrogate without its other half counts as one.</summary>
internal static class CodePoints
{
    public static int Count(string text) => Count(text.AsSpan());

    public static int Count(ReadOnlySpan<char> text)
    {
        int count = text.Length;
        for (int i = text.IndexOfAnyInRange('\uD800', '\uDBFF'); i >= 0 && i + 1 < text.Length; i++)
        {
            count -= char.IsSurrogatePair(text[i], text[i + 1]) ? 1 : 0;
        }

        return count;
    }

    public static bool IsSimple(string text) => !text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF');

    /// <summary>Index in UTF-16 units of a code point.</summary>
    public static int Offset(string text, int point)
    {
        if (IsSimple(text))
        {
            return point;
        }

        int at = 0;
        for (; point > 0; point--)
        {
            at += Width(text, at);
        }

        return at;
    }

    /// <summary>UTF-16 units of the code point at an index.</summary>
    public static int Width(string text, int at) => at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;

    public static int ValueAt(string text, int at) => Width(text, at) == 2 ? char.ConvertToUtf32(text[at], text[at + 1]) : text[at];

    public static string FromValue(int value) => value > 0xFFFF ? char.ConvertFromUtf32(value) : ((char)value).ToString();

    /// <summary>The characters, each as a text.</summary>
    public static IEnumerable<string> Each(string text)
    {
        for (int i = 0; i < text.Length;)
        {
            int width = Width(text, i);
            yield return text.Substring(i, width);
            i += width;
        }
    }

    public static string Slice(string text, int start, int step, int count)
    {
        if (count == 0)
        {
            return "";
        }

        if (step == 1)
        {
            int from = Offset(text, start);
            return IsSimple(text) ? text.Substring(from, count) : text[from..Offset(text, start + count)];
        }

        string[] points = [.. Each(text)];
        StringBuilder result = new();
        for (int i = 0; i < count; i++)
        {
            result.Append(points[start + (i * step)]);
        }

        return result.ToString();
    }

    /// <summary>White space as Python's <c>str</c> sees it.</summary>
    public static bool IsSpace(int c) => c is (>= 9 and <= 13) or (>= 0x1C and <= 0x20) or 0x85 or 0xA0 or 0x1680
        or (>= 0x2000 and <= 0x200A) or 0x2028 or 0x2029 or 0x202F or 0x205F or 0x3000;

    public static bool IsLineBreak(char c) => c is '\n' or '\r' or '\v' or '\f' or '\x1c' or '\x1d' or '\x1e' or '\x85' or '\u2028' or '\u2029';

    public static bool IsPrintable(int c) => c == ' ' || System.Globalization.CharUnicodeInfo.GetUnicodeCategory(c) is not (
        System.Globalization.UnicodeCategory.Control or System.Globalization.UnicodeCategory.Format
        or System.Globalization.UnicodeCategory.Surrogate or System.Globalization.UnicodeCategory.PrivateUse
        or System.Globalization.UnicodeCategory.OtherNotAssigned or System.Globalization.UnicodeCategory.LineSeparator
        or System.Globalization.UnicodeCategory.ParagraphSeparator or System.Globalization.UnicodeCategory.SpaceSeparator);

    /// <summary>A letter, digit or underscore to Python's regular expressions.</summary>
    public static bool IsWord(int c) => c == '_' || IsAlphanumeric(c);

    public static bool IsAlphanumeric(int c) => IsAlpha(c)
        || System.Globalization.CharUnicodeInfo.GetNumericValue(CharText(c), 0) >= 0
        || System.Globalization.CharUnicodeInfo.GetUnicodeCategory(c) is System.Globalization.UnicodeCategory.DecimalDigitNumber;

    public static bool IsAlpha(int c) => System.Globalization.CharUnicodeInfo.GetUnicodeCategory(c)
        is >= System.Globalization.UnicodeCategory.UppercaseLetter and <= System.Globalization.UnicodeCategory.OtherLetter;

    /// <summary>Python's <c>lower()</c>: with the final sigma, and the one letter that becomes two.</summary>
    public static string Lower(string text)
    {
        string lower = text.ToLowerInvariant();
        if (!text.AsSpan().ContainsAny('\u03A3', '\u0130'))
        {
            return lower;
        }

        StringBuilder result = new(lower);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\u03A3' && Letters(text, i, -1) && !Letters(text, i, 1))
            {
                result[i] = '\u03C2';
            }
        }

        return result.ToString().Replace("\u0130", "i\u0307", StringComparison.Ordinal);
    }

    /// <summary>Python's <c>upper()</c>, with the letters that become several.</summary>
    public static string Upper(string text)
    {
        string upper = text.ToUpperInvariant();
        if (System.Text.Ascii.IsValid(text))
        {
            return upper;
        }

        StringBuilder result = new(upper.Length);
        foreach (char c in upper)
        {
            result.Append(Widened.TryGetValue(c, out string? wide) ? wide : c.ToString());
        }

        return result.ToString();
    }

    private static readonly Dictionary<char, string> Widened = new()
    {
        ['ß'] = "SS", ['ŉ'] = "ʼN", ['ǰ'] = "J\u030C", ['ΐ'] = "Ϊ\u0301", ['ΰ'] = "Ϋ\u0301", ['և'] = "ԵՒ", ['ẖ'] = "H\u0331", ['ẗ'] = "T\u0308",
        ['ẘ'] = "W\u030A", ['ẙ'] = "Y\u030A", ['ẚ'] = "Aʾ", ['ﬀ'] = "FF", ['ﬁ'] = "FI", ['ﬂ'] = "FL", ['ﬃ'] = "FFI", ['ﬄ'] = "FFL",
        ['ﬅ'] = "ST", ['ﬆ'] = "ST", ['ﬓ'] = "ՄՆ", ['ﬔ'] = "ՄԵ", ['ﬕ'] = "ՄԻ", ['ﬖ'] = "ՎՆ", ['ﬗ'] = "ՄԽ",
    };

    private static bool Letters(string text, int at, int direction)
    {
        int i = at + direction;
        while (i >= 0 && i < text.Length && text[i] is '\'' or '.' or '\u00AD' or '\u2019' or '\u0301' or '\u0308')
        {
            i += direction;
            if (i < 0 || i >= text.Length)
            {
                return false;
            }
        }

        return i >= 0 && i < text.Length && char.IsLetter(text[i]);
    }

    private static string CharText(int c) => c is >= 0xD800 and <= 0xDFFF ? " " : char.ConvertFromUtf32(c);
}
