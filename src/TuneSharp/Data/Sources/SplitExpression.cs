using System.Globalization;
using System.Text.RegularExpressions;

namespace TuneSharp.Data;

/// <summary>One term of a split expression: a split's name and the part of it.</summary>
/// <param name="Name">The split.</param>
/// <param name="From">First row, or percent; null for the beginning.</param>
/// <param name="To">End, not included, or percent; null for the end. Negative counts from the end.</param>
/// <param name="FromPercent">True when <paramref name="From"/> is a percentage.</param>
/// <param name="ToPercent">True when <paramref name="To"/> is a percentage.</param>
/// <param name="Text">As the user wrote it.</param>
internal sealed record SplitTerm(string Name, int? From, int? To, bool FromPercent, bool ToPercent, string Text)
{
    /// <summary>The rows it means in a split of so many.</summary>
    public (int From, int To) Resolve(int count)
    {
        int from = From is { } f ? Absolute(f, FromPercent, count) : 0;
        int to = To is { } t ? Absolute(t, ToPercent, count) : count;
        return (from, Math.Max(from, to));
    }

    private int Absolute(int value, bool percent, int count)
    {
        // Half a row goes to the even neighbour: `load_dataset` rounds so, and the same slice must hold the same rows.
        int at = percent ? (int)Math.Round(value * (double)count / 100.0, MidpointRounding.ToEven) : value;
        if (Math.Abs(at) > count)
        {
            throw new DatasetException($"split {Text}: the split has only {count} rows. Choose a slice within them.");
        }

        return at < 0 ? count + at : at;
    }
}

/// <summary>Reads <c>train[:95%]+test[100:200]</c>.</summary>
internal static partial class SplitExpression
{
    public static IReadOnlyList<SplitTerm> Parse(string text) => [.. text.Split('+').Select(term => ParseTerm(term.Trim(), text))];

    private static SplitTerm ParseTerm(string term, string whole)
    {
        Match m = Term().Match(term);
        if (!m.Success)
        {
            throw new DatasetException(
                $"split '{whole}' cannot be read. Write a name, a slice of rows or of percent, or several with +: " +
                "train, train[:1000], train[95%:], train+test.");
        }

        (int? from, bool fromPercent) = Bound(m.Groups["from"].Value, whole);
        (int? to, bool toPercent) = Bound(m.Groups["to"].Value, whole);
        return new SplitTerm(m.Groups["name"].Value, from, to, fromPercent, toPercent, term);
    }

    private static (int? Value, bool Percent) Bound(string text, string whole)
    {
        if (text.Length == 0)
        {
            return (null, false);
        }

        bool percent = text[^1] == '%';
        string digits = percent ? text[..^1] : text;
        if (!int.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value)
            || (percent && Math.Abs(value) > 100))
        {
            throw new DatasetException($"split '{whole}': {text} is out of range. Percentages go from -100% to 100%.");
        }

        return (value, percent);
    }

    [GeneratedRegex(
        @"^(?<name>[\w.-]+)(\[\s*(?<from>-?\d+%?)?\s*:\s*(?<to>-?\d+%?)?\s*\])?$",
        RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant,
        1000)]
    private static partial Regex Term();
}
