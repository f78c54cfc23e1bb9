using System.Globalization;
using System.Text.RegularExpressions;

namespace TuneSharp.Data;

/// <summary>One term of a split expression: a split's name and the part of it.</summary>
/// <param name="Name">The split.</param>
/// <param name="From">First row, or percent; null for the beginning.</param>
/// <param name="To">End, not included, or percent; null for the end. Negative counts from the end.</param>
/// <param name="IsPercent">Both bounds are percentages: one sign is enough, as in <c>load_dataset</c>.</param>
/// <param name="DropsRemainder">Percentages are multiples of a whole hundredth of the rows (<c>pct1_dropremainder</c>).</param>
/// <param name="Text">As the user wrote it.</param>
internal sealed record SplitTerm(string Name, int? From, int? To, bool IsPercent, bool DropsRemainder, string Text)
{
    /// <summary>Whether the number of rows must be known to say which rows are meant.</summary>
    public bool IsSlice => From is not null || To is not null;

    /// <summary>The rows it means in a split of so many.</summary>
    public (long From, long To) Resolve(long count)
    {
        long from = From is { } f ? Absolute(f, count) : 0;
        long to = To is { } t ? Absolute(t, count) : count;
        return (from, Math.Max(from, to));
    }

    private long Absolute(int value, long count)
    {
        if (IsPercent && DropsRemainder && count < 100)
        {
            throw new DatasetException($"split {Text}: pct1_dropremainder of a split of {count} rows, fewer than 100, is always empty. Leave it out.");
        }

        // Half a row goes to the even neighbour: `load_dataset` rounds so, and the same slice must hold the same rows.
        long at = !IsPercent ? value
            : DropsRemainder ? value * (count / 100)
            : (long)Math.Round(value * (double)count / 100.0, MidpointRounding.ToEven);
        if (Math.Abs(at) > count)
        {
            throw new DatasetException($"split {Text}: the split has only {count} rows. Choose a slice within them.");
        }

        return at < 0 ? count + at : at;
    }
}

/// <summary>Reads <c>train[:95%]+test[100:200]</c>, the grammar of <c>load_dataset</c>.</summary>
internal static partial class SplitExpression
{
    public static IReadOnlyList<SplitTerm> Parse(string text)
    {
        SplitTerm[] terms = [.. text.Split('+').Select(term => ParseTerm(term.Trim(), text))];
        return terms.All(t => t.DropsRemainder == terms[0].DropsRemainder)
            ? terms
            : throw new DatasetException($"split '{text}': all terms must round in one way. Write (pct1_dropremainder) after each, or after none.");
    }

    /// <summary>Whether a text is a bare split name.</summary>
    public static bool IsName(string text) => Term().Match(text) is { Success: true } m && m.Groups["name"].Length == text.Length;

    private static SplitTerm ParseTerm(string term, string whole)
    {
        Match m = Term().Match(term);
        if (!m.Success)
        {
            throw new DatasetException(
                $"split '{whole}' cannot be read. Write a name, a slice of rows or of percent, or several with +: " +
                "train, train[:1000], train[95%:], train+test.");
        }

        bool isPercent = m.Groups["from"].Value.EndsWith('%') || m.Groups["to"].Value.EndsWith('%');
        return new SplitTerm(
            m.Groups["name"].Value,
            Bound(m.Groups["from"].Value, isPercent, whole),
            Bound(m.Groups["to"].Value, isPercent, whole),
            isPercent,
            m.Groups["rounding"].Value == "pct1_dropremainder",
            term);
    }

    private static int? Bound(string text, bool isPercent, string whole)
    {
        if (text.Length == 0)
        {
            return null;
        }

        return int.TryParse(text.TrimEnd('%'), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value)
            && !(isPercent && Math.Abs(value) > 100)
            ? value
            : throw new DatasetException($"split '{whole}': {text} is out of range. Percentages go from -100% to 100%.");
    }

    [GeneratedRegex(
        @"^(?<name>[\w.-]+)(\[\s*(?<from>-?\d+%?)?\s*:\s*(?<to>-?\d+%?)?\s*\])?(\((?<rounding>closest|pct1_dropremainder)\))?$",
        RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant,
        1000)]
    private static partial Regex Term();
}
