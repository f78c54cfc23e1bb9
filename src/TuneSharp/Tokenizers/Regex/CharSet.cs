using System.Globalization;

namespace TuneSharp.Tokenizers;

/// <summary>A set of code points: what one place of a pattern accepts.</summary>
internal sealed class CharSet
{
    private readonly Func<int, bool> _test;
    private readonly UInt128 _ascii;

    internal CharSet(Func<int, bool> test)
    {
        _test = test;
        for (int c = 0; c < 128; c++)
        {
            if (test(c))
            {
                _ascii |= UInt128.One << c;
            }
        }
    }

    internal bool Contains(int codePoint) =>
        codePoint < 128 ? ((_ascii >> codePoint) & 1) != 0 : _test(codePoint);

    internal static CharSet One(int codePoint, bool ignoreCase)
    {
        int folded = Unicode.Fold(codePoint);
        return ignoreCase ? new(c => Unicode.Fold(c) == folded) : new(c => c == codePoint);
    }

    internal static CharSet Union(IReadOnlyList<CharSet> parts) => parts.Count == 1 ? parts[0] : new(c =>
    {
        foreach (CharSet part in parts)
        {
            if (part.Contains(c))
            {
                return true;
            }
        }

        return false;
    });

    internal CharSet Not() => new(c => !Contains(c));

    internal CharSet And(CharSet other) => new(c => Contains(c) && other.Contains(c));

    /// <summary>What the letter of an escape such as \s or \W stands for, or null.</summary>
    internal static CharSet? Escape(char letter) => letter switch
    {
        's' => new(Unicode.IsWhiteSpace),
        'S' => new(c => !Unicode.IsWhiteSpace(c)),
        'd' => new(c => Unicode.Category(c) == UnicodeCategory.DecimalDigitNumber),
        'D' => new(c => Unicode.Category(c) != UnicodeCategory.DecimalDigitNumber),
        'w' => new(Unicode.IsWord),
        'W' => new(c => !Unicode.IsWord(c)),
        'h' => new(IsHex),
        'H' => new(c => !IsHex(c)),
        _ => null,
    };

    /// <summary>The set of a property name as in \p{Lu}, or null when there is no such property here.</summary>
    internal static CharSet? Property(string name)
    {
        string key = name.Replace("_", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal).ToUpperInvariant();
        int code = Array.IndexOf(CategoryCodes, key);
        if (code >= 0)
        {
            return new(c => (int)Unicode.Category(c) == code);
        }

        return key switch
        {
            "L" or "LETTER" => new(Unicode.IsLetter),
            "LC" => new(c => Unicode.Category(c) <= UnicodeCategory.TitlecaseLetter),
            "M" or "MARK" => new(Unicode.IsMark),
            "N" or "NUMBER" => new(Unicode.IsNumber),
            "P" or "PUNCT" or "PUNCTUATION" => new(Unicode.IsPunctuation),
            "S" or "SYMBOL" => new(Unicode.IsSymbol),
            "Z" or "SEPARATOR" => new(c => Unicode.Category(c) is >= UnicodeCategory.SpaceSeparator and <= UnicodeCategory.ParagraphSeparator),
            "C" or "OTHER" => new(c => Unicode.Category(c) is (>= UnicodeCategory.Control and <= UnicodeCategory.PrivateUse) or UnicodeCategory.OtherNotAssigned),
            "ANY" => new(_ => true),
            "ASCII" => new(c => c < 128),
            "SPACE" or "WHITESPACE" => Escape('s'),
            "WORD" => Escape('w'),
            "ALPHA" or "ALPHABETIC" => new(c => Unicode.IsLetter(c) || Unicode.Category(c) == UnicodeCategory.LetterNumber),
            "DIGIT" => Escape('d'),
            "UPPER" => new(c => Unicode.Category(c) == UnicodeCategory.UppercaseLetter),
            "LOWER" => new(c => Unicode.Category(c) == UnicodeCategory.LowercaseLetter),
            "ALNUM" => new(c => Unicode.IsLetter(c) || Unicode.IsMark(c) || Unicode.Category(c) == UnicodeCategory.DecimalDigitNumber),
            _ => Script(name),
        };
    }

    // \p{Han}, \p{Script=Han}, \p{IsHan}
    private static CharSet? Script(string name)
    {
        string script = name.StartsWith("Script=", StringComparison.OrdinalIgnoreCase) || name.StartsWith("sc=", StringComparison.OrdinalIgnoreCase)
            ? name[(name.IndexOf('=', StringComparison.Ordinal) + 1)..]
            : name.StartsWith("Is", StringComparison.Ordinal) ? name[2..] : name;
        int number = Scripts.Find(script);
        return number < 0 ? null : new(c => Scripts.Of(c) == number);
    }

    private static bool IsHex(int c) => c < 128 && char.IsAsciiHexDigit((char)c);

    // In the order of UnicodeCategory.
    private static readonly string[] CategoryCodes =
    [
        "LU", "LL", "LT", "LM", "LO", "MN", "MC", "ME", "ND", "NL", "NO", "ZS", "ZL", "ZP", "CC", "CF", "CS", "CO",
        "PC", "PD", "PS", "PE", "PI", "PF", "PO", "SM", "SC", "SK", "SO", "CN",
    ];
}
