using System.Globalization;

namespace TuneSharp.Tokenizers;

/// <summary>What stands for one character: classes, properties, escapes.</summary>
internal sealed partial class RegexParser
{
    // After '[': members, ranges, nested classes, && for the intersection.
    private CharSet Class()
    {
        bool negated = Take('^');
        List<CharSet> parts = [];
        CharSet? left = null;
        for (bool first = true; ; first = false)
        {
            if (_at >= _text.Length)
            {
                throw Wrong("a character class without its closing bracket");
            }

            int c = _text[_at++];
            if (c == ']' && !first)
            {
                break;
            }

            if (c == '&' && Take('&'))
            {
                left = left is null ? CharSet.Union(parts) : left.And(CharSet.Union(parts));
                parts = [];
            }
            else
            {
                parts.Add(Member(c));
            }
        }

        CharSet set = CharSet.Union(parts);
        set = left is null ? set : left.And(set);
        return negated ? set.Not() : set;
    }

    private CharSet Member(int c)
    {
        if (c == '[')
        {
            return _at < _text.Length && _text[_at] == ':' ? Posix() : Class();
        }

        int low = c;
        if (c == '\\' && Escaped(out low) is CharSet set)
        {
            return set;
        }

        if (_at + 1 >= _text.Length || _text[_at] != '-' || _text[_at + 1] == ']')
        {
            return CharSet.One(low, _ignoreCase);
        }

        _at++;
        int high = _text[_at++];
        if (high == '\\' && Escaped(out high) is not null)
        {
            throw Wrong("a range that ends in a class");
        }

        bool folded = _ignoreCase;
        return high < low ? throw Wrong("a range that runs backwards") : new CharSet(x => (x >= low && x <= high)
            || (folded && ((Unicode.Fold(x) >= low && Unicode.Fold(x) <= high) || (x < 128 && char.IsAsciiLetterLower((char)x) && x - 32 >= low && x - 32 <= high))));
    }

    private CharSet Posix()
    {
        int close = pattern.Length;
        for (int i = _at; i + 1 < _text.Length; i++)
        {
            if (_text[i] == ':' && _text[i + 1] == ']' && i > _at)
            {
                close = i;
                break;
            }
        }

        if (close >= _text.Length)
        {
            throw Wrong("a bracket class without ':]'");
        }

        string name = Span(_at + 1, close);
        _at = close + 2;
        bool negated = name.StartsWith('^');
        CharSet set = CharSet.Property(name.TrimStart('^')) ?? throw Wrong($"the class [:{name}:]");
        return negated ? set.Not() : set;
    }

    // After a backslash: a set, or null with the character meant.
    private CharSet? Escaped(out int literal)
    {
        if (_at >= _text.Length)
        {
            throw Wrong("a backslash at the end");
        }

        int c = _text[_at++];
        literal = c;
        switch (c)
        {
            case 'n':
                literal = '\n';
                return null;
            case 'r':
                literal = '\r';
                return null;
            case 't':
                literal = '\t';
                return null;
            case 'f':
                literal = '\f';
                return null;
            case 'v':
                literal = '\v';
                return null;
            case 'a':
                literal = '\a';
                return null;
            case 'e':
                literal = 0x1B;
                return null;
            case '0':
                literal = 0;
                return null;
            case 'u':
                literal = Hex(4, 4);
                return null;
            case 'x':
                literal = Take('{') ? Hex(1, 8) : Hex(1, 2);
                Take('}');
                return null;
            case 'p' or 'P':
                return Property(negated: c == 'P');
            default:
                CharSet? set = c < 128 ? CharSet.Escape((char)c) : null;
                return set is null && c < 128 && char.IsAsciiLetterOrDigit((char)c)
                    ? throw Wrong($"the escape \\{(char)c}")
                    : set;
        }
    }

    private CharSet Property(bool negated)
    {
        string name;
        if (Take('{'))
        {
            int close = Array.IndexOf(_text, '}', _at);
            if (close < 0)
            {
                throw Wrong("a property without its closing brace");
            }

            name = Span(_at, close);
            _at = close + 1;
        }
        else
        {
            name = _at < _text.Length ? char.ConvertFromUtf32(_text[_at++]) : "";
        }

        if (name.StartsWith('^'))
        {
            negated = !negated;
            name = name[1..];
        }

        CharSet set = CharSet.Property(name) ?? throw Wrong($"the property \\p{{{name}}}");
        return negated ? set.Not() : set;
    }

    private int Hex(int least, int most)
    {
        int start = _at;
        while (_at < _text.Length && _at - start < most && _text[_at] < 128 && char.IsAsciiHexDigit((char)_text[_at]))
        {
            _at++;
        }

        return _at - start >= least && int.TryParse(Span(start, _at), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out int value) && value <= 0x10FFFF
            ? value
            : throw Wrong("a code point that is not hexadecimal");
    }
}
