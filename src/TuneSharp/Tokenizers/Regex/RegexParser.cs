using System.Globalization;
using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>Reads a pattern into linked steps. What it does not know is an error that names it.</summary>
internal sealed partial class RegexParser(string pattern)
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
