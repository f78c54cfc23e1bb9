namespace TuneSharp.Tokenizers;

/// <summary>
/// Regular expressions over UTF-8 by code point, leftmost first and backtracking, in the syntax that tokenizer files use
/// (Oniguruma's, without back-references).
/// </summary>
/// <remarks>
/// .NET's own engine sees UTF-16 units, so that letters beyond U+FFFF are no letters to it. This one is exact and
/// plain; the patterns of well-known tokenizers have faster scanners of their own, tested against it.
/// </remarks>
internal sealed class CodeRegex
{
    private readonly RegexNode _start;

    internal CodeRegex(string pattern)
    {
        Pattern = pattern;
        _start = new RegexParser(pattern).Parse();
    }

    internal string Pattern { get; }

    /// <summary>The next match at or after a position; false if there is none.</summary>
    internal bool Find(ReadOnlySpan<byte> text, int from, out int start, out int end)
    {
        for (start = from; start <= text.Length; start += start < text.Length ? Utf8.LengthOf(text[start]) : 1)
        {
            end = _start.Match(text, start, null);
            if (end >= 0)
            {
                return true;
            }
        }

        end = -1;
        return false;
    }

    /// <summary>Where a match that begins exactly here ends, or -1.</summary>
    internal int MatchAt(ReadOnlySpan<byte> text, int at) => _start.Match(text, at, null);
}

/// <summary>A step of a compiled pattern; it ends by asking the step after it.</summary>
internal abstract class RegexNode
{
    internal RegexNode? Next { get; set; }

    /// <summary>The end of the whole match, or -1. The frame is the repeated group that this step is in.</summary>
    internal abstract int Match(ReadOnlySpan<byte> text, int at, TurnFrame? frame);

    protected int Rest(ReadOnlySpan<byte> text, int at, TurnFrame? frame) =>
        Next is not null ? Next.Match(text, at, frame) : frame is null ? at : frame.Loop.TurnEnded(text, at, frame);
}

/// <summary>Nothing: joins branches.</summary>
internal sealed class JointNode : RegexNode
{
    internal override int Match(ReadOnlySpan<byte> text, int at, TurnFrame? frame) => Rest(text, at, frame);
}

/// <summary>One character of a set, once or repeated.</summary>
internal sealed class SetNode(CharSet set, int min, int max, RepeatKind kind) : RegexNode
{
    internal override int Match(ReadOnlySpan<byte> text, int at, TurnFrame? frame)
    {
        int count = 0;
        int limit = kind == RepeatKind.Lazy ? min : max;
        int here = at;
        while (count < limit && here < text.Length && set.Contains(Utf8.Decode(text, here, out int length)))
        {
            here += length;
            count++;
        }

        if (count < min)
        {
            return -1;
        }

        switch (kind)
        {
            case RepeatKind.Possessive:
                return Rest(text, here, frame);
            case RepeatKind.Lazy:
                while (true)
                {
                    int lazyEnd = Rest(text, here, frame);
                    if (lazyEnd >= 0)
                    {
                        return lazyEnd;
                    }

                    if (count == max || here == text.Length || !set.Contains(Utf8.Decode(text, here, out int length)))
                    {
                        return -1;
                    }

                    here += length;
                    count++;
                }

            default:
                while (true)
                {
                    int end = Rest(text, here, frame);
                    if (end >= 0 || count == min)
                    {
                        return end;
                    }

                    here = Utf8.Before(text, here);
                    count--;
                }
        }
    }
}

/// <summary>The first branch that leads to a match.</summary>
internal sealed class ChoiceNode(IReadOnlyList<RegexNode> branches) : RegexNode
{
    internal override int Match(ReadOnlySpan<byte> text, int at, TurnFrame? frame)
    {
        foreach (RegexNode branch in branches)
        {
            int end = branch.Match(text, at, frame);
            if (end >= 0)
            {
                return end;
            }
        }

        return -1;
    }
}

/// <summary>Where a repeated group stands while one of its turns is matched.</summary>
internal sealed record TurnFrame(LoopNode Loop, int Count, int From, TurnFrame? Outer);

/// <summary>A repeated group. A turn's last step leads back here, through its frame, to the next turn or onward.</summary>
internal sealed class LoopNode(RegexNode body, int min, int max, RepeatKind kind) : RegexNode
{
    internal override int Match(ReadOnlySpan<byte> text, int at, TurnFrame? frame)
    {
        if (kind != RepeatKind.Possessive)
        {
            return Turn(text, at, 0, frame);
        }

        int here = at;
        int count = 0;
        for (; count < max; count++)
        {
            int end = body.Match(text, here, null);
            if (end < 0 || (end == here && count >= min))
            {
                break;
            }

            here = end;
        }

        return count < min ? -1 : Rest(text, here, frame);
    }

    /// <summary>A turn has ended: an empty one beyond the least count leads nowhere.</summary>
    internal int TurnEnded(ReadOnlySpan<byte> text, int at, TurnFrame turn) =>
        at == turn.From && turn.Count >= min ? -1 : Turn(text, at, turn.Count + 1, turn.Outer);

    private int Turn(ReadOnlySpan<byte> text, int at, int count, TurnFrame? outer)
    {
        // Each turn is a call inside the one before; running out of stack would end the process.
        if (!System.Runtime.CompilerServices.RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw new InvalidOperationException(
                $"The tokenizer's pattern repeats a group {count} times in one stretch of text, which is more than fits on the stack. Split the text.");
        }

        if (kind == RepeatKind.Lazy && count >= min)
        {
            int end = Rest(text, at, outer);
            if (end >= 0)
            {
                return end;
            }
        }

        if (count < max)
        {
            int end = body.Match(text, at, new TurnFrame(this, count, at, outer));
            if (end >= 0)
            {
                return end;
            }
        }

        return kind == RepeatKind.Greedy && count >= min ? Rest(text, at, outer) : -1;
    }
}

/// <summary>(?=…), (?!…), (?&lt;=…), (?&lt;!…).</summary>
internal sealed class LookNode(RegexNode body, bool behind, bool negative) : RegexNode
{
    internal override int Match(ReadOnlySpan<byte> text, int at, TurnFrame? frame)
    {
        bool found = behind ? Behind(text, at) : body.Match(text, at, null) >= 0;
        return found == negative ? -1 : Rest(text, at, frame);
    }

    private bool Behind(ReadOnlySpan<byte> text, int at)
    {
        ReadOnlySpan<byte> before = text[..at];
        for (int start = at; ; start = Utf8.Before(text, start))
        {
            if (body.Match(before, start, null) == at)
            {
                return true;
            }

            if (start == 0)
            {
                return false;
            }
        }
    }
}

/// <summary>^, $, \A, \z, \Z, \b, \B.</summary>
internal sealed class AnchorNode(char kind) : RegexNode
{
    internal override int Match(ReadOnlySpan<byte> text, int at, TurnFrame? frame) => Holds(text, at) ? Rest(text, at, frame) : -1;

    private bool Holds(ReadOnlySpan<byte> text, int at) => kind switch
    {
        '^' => at == 0 || text[at - 1] == '\n',
        '$' => at == text.Length || text[at] == '\n',
        'A' => at == 0,
        'z' => at == text.Length,
        'Z' => at == text.Length || (at == text.Length - 1 && text[at] == '\n'),
        _ => (Word(text, at) != (at > 0 && Word(text, Utf8.Before(text, at)))) == (kind == 'b'),
    };

    private static bool Word(ReadOnlySpan<byte> text, int at) =>
        at < text.Length && Unicode.IsWord(Utf8.Decode(text, at, out _));
}

/// <summary>How a repetition tries its counts.</summary>
internal enum RepeatKind
{
    Greedy,
    Lazy,
    Possessive,
}
