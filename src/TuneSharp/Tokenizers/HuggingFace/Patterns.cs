using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>What to do with the matches when text is split at them.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>Finds stretches of text, for splitting at and replacing.</summary>
internal abstract class Pattern
{
    /// <summary>Appends stretches that together cover the text, each marked as a match or not.</summary>
    internal abstract void Find(ReadOnlySpan<byte> text, List<(Range32 Range, bool IsMatch)> found);

    /// <summary>{"String": …} or {"Regex": …}.</summary>
    internal static Pattern Read(Fields owner, string name)
    {
        Fields fields = new(owner.Required(name), $"{owner.Where}.{name}");
        string? text = fields.OptionalText("String");
        string? regex = fields.OptionalText("Regex");
        fields.Done();
        return text is not null ? new TextPattern(text)
            : regex is not null ? new RegexPattern(new CodeRegex(regex))
            : throw new FormatException($"{fields.Where} has neither String nor Regex.");
    }

    internal static SplitBehavior ReadBehavior(Fields fields, string name) =>
        Enum.TryParse(fields.Text(name), out SplitBehavior behavior) && Enum.IsDefined(behavior)
            ? behavior
            : throw fields.Wrong(name, fields.Required(name), string.Join(", ", Enum.GetNames<SplitBehavior>()));

    /// <summary>Cuts text at the matches.</summary>
    internal IEnumerable<AlignedText> Split(AlignedText text, SplitBehavior behavior, bool invert = false)
    {
        List<(Range32 Range, bool IsMatch)> found = [];
        Find(text.Bytes, found);
        if (invert)
        {
            for (int i = 0; i < found.Count; i++)
            {
                found[i] = (found[i].Range, !found[i].IsMatch);
            }
        }

        return Pieces(found, behavior).Where(p => p.End > p.Start).Select(p => text.Slice(p.Start, p.End));
    }

    private static List<Range32> Pieces(List<(Range32 Range, bool IsMatch)> found, SplitBehavior behavior)
    {
        List<Range32> pieces = [];
        if (behavior == SplitBehavior.MergedWithNext)
        {
            found.Reverse();
        }

        bool previous = false;
        foreach ((Range32 range, bool isMatch) in found)
        {
            bool joins = pieces.Count > 0 && behavior switch
            {
                SplitBehavior.Contiguous => isMatch == previous,
                SplitBehavior.MergedWithPrevious or SplitBehavior.MergedWithNext => isMatch && !previous,
                _ => false,
            };
            if (joins)
            {
                Range32 last = pieces[^1];
                pieces[^1] = new(Math.Min(last.Start, range.Start), Math.Max(last.End, range.End));
            }
            else if (behavior != SplitBehavior.Removed || !isMatch)
            {
                pieces.Add(range);
            }

            previous = isMatch;
        }

        if (behavior == SplitBehavior.MergedWithNext)
        {
            pieces.Reverse();
        }

        return pieces;
    }
}

/// <summary>A fixed text.</summary>
internal sealed class TextPattern(string text) : Pattern
{
    private readonly byte[] _text = Encoding.UTF8.GetBytes(text);

    internal string Text { get; } = text;

    internal override void Find(ReadOnlySpan<byte> text, List<(Range32 Range, bool IsMatch)> found)
    {
        int from = 0;
        while (_text.Length > 0)
        {
            int at = text[from..].IndexOf(_text);
            if (at < 0)
            {
                break;
            }

            if (at > 0)
            {
                found.Add((new(from, from + at), false));
            }

            found.Add((new(from + at, from + at + _text.Length), true));
            from += at + _text.Length;
        }

        if (from < text.Length || text.IsEmpty)
        {
            found.Add((new(from, text.Length), false));
        }
    }
}

/// <summary>A regular expression.</summary>
internal sealed class RegexPattern(CodeRegex regex) : Pattern
{
    internal CodeRegex Regex { get; } = regex;

    internal override void Find(ReadOnlySpan<byte> text, List<(Range32 Range, bool IsMatch)> found)
    {
        int covered = 0;
        int from = 0;
        while (!text.IsEmpty && from <= text.Length && Regex.Find(text, from, out int start, out int end))
        {
            if (start > covered)
            {
                found.Add((new(covered, start), false));
            }

            found.Add((new(start, end), true));
            covered = end;
            from = end > start ? end : end < text.Length ? end + Utf8.LengthOf(text[end]) : end + 1;
        }

        if (covered < text.Length || text.IsEmpty)
        {
            found.Add((new(covered, text.Length), false));
        }
    }
}

/// <summary>Single characters of a kind.</summary>
internal sealed class CharPattern(Func<int, bool> test) : Pattern
{
    internal override void Find(ReadOnlySpan<byte> text, List<(Range32 Range, bool IsMatch)> found)
    {
        int covered = 0;
        for (int i = 0; i < text.Length;)
        {
            bool isMatch = test(Utf8.Decode(text, i, out int length));
            if (isMatch)
            {
                if (covered < i)
                {
                    found.Add((new(covered, i), false));
                }

                found.Add((new(i, i + length), true));
                covered = i + length;
            }

            i += length;
        }

        if (covered < text.Length || text.IsEmpty)
        {
            found.Add((new(covered, text.Length), false));
        }
    }
}
