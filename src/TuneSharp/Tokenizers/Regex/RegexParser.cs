using System.Globalization;
using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>Reads a pattern into linked steps. What it does not know is an error that names it.</summary>
internal sealed class RegexParser(string pattern)
{
    private readonly int[] _text = [.. pattern.EnumerateRunes().Select(r => r.Value)];
    private int _at;
    private bool _ignoreCase;

    internal RegexNode Parse()
    {
        (RegexNode start, _) = Alternatives();
        return _at == _text.Length ? start : throw Wrong("a closing parenthesis without its opening one");
    }

    // alternatives := sequence ('|' sequence)*, all joined at one end.
    private (RegexNode Start, RegexNode End) Alternatives()
    {
        if (!System.Runtime.CompilerServices.RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw Wrong("groups nested too deeply");
        }

        bool outerCase = _ignoreCase;
        List<RegexNode> branches = [];
        JointNode joint = new();
        do
        {
            (RegexNode start, RegexNode end) = Sequence();
            end.Next = joint;
            branches.Add(start);
        }
        while (Take('|'));
        _ignoreCase = outerCase;
        return (branches.Count == 1 ? branches[0] : new ChoiceNode(branches), joint);
    }

    private (RegexNode Start, RegexNode End) Sequence()
    {
        RegexNode start = new JointNode();
        RegexNode end = start;
        while (_at < _text.Length && _text[_at] is not ('|' or ')'))
        {
            if (Item() is (RegexNode itemStart, RegexNode itemEnd))
            {
                end.Next = itemStart;
                end = itemEnd;
            }
        }

        return (start, end);
    }

    private (RegexNode Start, RegexNode End)? Item()
    {
        int c = _text[_at++];
        switch (c)
        {
            case '(':
                return Group();
            case '^':
                return Single(new AnchorNode('^'));
            case '$':
                return Single(new AnchorNode('$'));
            case '.':
                return Repeated(new CharSet(x => x != '\n'));
            case '[':
                return Repeated(Class());
            case '\\' when _at < _text.Length && _text[_at] is 'A' or 'z' or 'Z' or 'b' or 'B':
                return Single(new AnchorNode((char)_text[_at++]));
            case '\\':
                return Repeated(Escaped(out int literal) ?? CharSet.One(literal, _ignoreCase));
            case '*' or '+' or '?':
                throw Wrong($"nothing to repeat before '{(char)c}'");
            default:
                return Repeated(CharSet.One(c, _ignoreCase));
        }
    }

    private (RegexNode Start, RegexNode End)? Group()
    {
        if (!Take('?'))
        {
            return Closed(repeatable: true);
        }

        if (Take(':'))
        {
            return Closed(repeatable: true);
        }

        if (Take('>'))
        {
            (RegexNode atom, _) = Body();
            return Single(new LoopNode(atom, 1, 1, RepeatKind.Possessive));
        }

        bool behind = _at + 1 < _text.Length && _text[_at] == '<' && _text[_at + 1] is '=' or '!';
        if (behind)
        {
            _at++;
        }

        if (Take('='))
        {
            return Single(new LookNode(Body().Start, behind, negative: false));
        }

        if (Take('!'))
        {
            return Single(new LookNode(Body().Start, behind, negative: true));
        }

        return Options();
    }

    // (?i), (?i:…), (?-i:…): only i is known. An option alone holds to the end of its group.
    private (RegexNode Start, RegexNode End)? Options()
    {
        bool outer = _ignoreCase;
        bool on = true;
        while (_at < _text.Length)
        {
            switch (_text[_at++])
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    _ignoreCase = on;
                    break;
                case ')':
                    return null;
                case ':':
                    (RegexNode start, RegexNode end)? group = Closed(repeatable: true);
                    _ignoreCase = outer;
                    return group;
                default:
                    throw Wrong($"the group option '{char.ConvertFromUtf32(_text[_at - 1])}'");
            }
        }

        throw Wrong("an open group");
    }

    private (RegexNode Start, RegexNode End) Body()
    {
        (RegexNode Start, RegexNode End) body = Alternatives();
        return Take(')') ? body : throw Wrong("a group without its closing parenthesis");
    }

    private (RegexNode Start, RegexNode End) Closed(bool repeatable)
    {
        (RegexNode start, RegexNode end) = Body();
        if (!repeatable || Quantifier() is not (int min, int max, RepeatKind kind))
        {
            return (start, end);
        }

        return Single(new LoopNode(start, min, max, kind));
    }

    private static (RegexNode Start, RegexNode End) Single(RegexNode node) => (node, node);

    private (RegexNode Start, RegexNode End) Repeated(CharSet set) =>
        Single(Quantifier() is (int min, int max, RepeatKind kind)
            ? new SetNode(set, min, max, kind)
            : new SetNode(set, 1, 1, RepeatKind.Greedy));

    private (int Min, int Max, RepeatKind Kind)? Quantifier()
    {
        int min;
        int max;
        bool braces = false;
        if (Take('*'))
        {
            (min, max) = (0, int.MaxValue);
        }
        else if (Take('+'))
        {
            (min, max) = (1, int.MaxValue);
        }
        else if (Take('?'))
        {
            (min, max) = (0, 1);
        }
        else if (Braces() is (int low, int high))
        {
            (min, max) = (low, high);
            braces = true;
        }
        else
        {
            return null;
        }

        RepeatKind kind = Take('?') ? RepeatKind.Lazy : !braces && Take('+') ? RepeatKind.Possessive : RepeatKind.Greedy;
        return _at < _text.Length && (_text[_at] is '*' or '+' or '?')
            ? throw Wrong("one quantifier after another")
            : (min, max, kind);
    }

    // {n}, {n,}, {,m}, {n,m}; anything else is text.
    private (int Min, int Max)? Braces()
    {
        int start = _at;
        if (!Take('{'))
        {
            return null;
        }

        int? min = Digits();
        bool comma = Take(',');
        int? max = comma ? Digits() : min;
        if (!Take('}') || (min is null && max is null))
        {
            _at = start;
            return null;
        }

        return (min ?? 0, max ?? int.MaxValue);
    }

    private int? Digits()
    {
        int? value = null;
        while (_at < _text.Length && _text[_at] is >= '0' and <= '9' && value is null or < 100_000)
        {
            value = ((value ?? 0) * 10) + (_text[_at++] - '0');
        }

        return value;
    }

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

    private string Span(int from, int to)
    {
        StringBuilder text = new();
        for (int i = from; i < to; i++)
        {
            text.Append(new Rune(_text[i]));
        }

        return text.ToString();
    }

    private bool Take(char c)
    {
        if (_at < _text.Length && _text[_at] == c)
        {
            _at++;
            return true;
        }

        return false;
    }

    private FormatException Wrong(string what) =>
        new($"The pattern {pattern} has {what} (at character {_at.ToString(CultureInfo.InvariantCulture)}), which this program does not understand.");
}
