using System.Text;
using System.Text.RegularExpressions;

namespace TuneSharp.Templates;

/// <summary>The filter <c>urlize</c>: addresses in a text become links.</summary>
internal static partial class Urls
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private static readonly Regex Web = new(
        @"^((https?://|www\.)(([\w%-]+\.)+)?([a-z]{2,63}|xn--[\w%]{2,59})|([\w%-]{2,63}\.)+(com|net|int|edu|gov|org|info|mil)"
        + @"|(https?://)((([\d]{1,3})(\.[\d]{1,3}){3})|(\[([\da-f]{0,4}:){2}([\da-f]{0,4}:?){1,6}])))(?::[\d]{1,5})?(?:[/?#]\S*)?$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        Patience);

    private static readonly Regex Mail = new(@"^\S+@\w[\w.-]*\.\w+$", RegexOptions.CultureInvariant, Patience);

    public static object? Urlize(object?[] a)
    {
        int? limit = Arguments.Given(a[1]) && a[1] is not null ? Arguments.Int(a[1]) : null;
        SortedSet<string> rel = new(StringComparer.Ordinal) { "noopener" };
        if (Arguments.Given(a[4]) && a[4] is not null)
        {
            rel.UnionWith(Repr.Str(a[4]).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        }

        if (Arguments.Flag(a[2]))
        {
            rel.Add("nofollow");
        }

        string attributes = $" rel=\"{Markup.Escape(string.Join(' ', rel)).Text}\""
            + (Arguments.Given(a[3]) && Operators.Truth(a[3]) ? $" target=\"{Markup.Escape(a[3]).Text}\"" : "");
        string[] schemes = Arguments.Given(a[5]) && a[5] is not null ? [.. Operators.ToList(a[5]).Select(Repr.Str)] : [];
        foreach (string scheme in schemes)
        {
            if (!scheme.Contains(':', StringComparison.Ordinal) || scheme.IndexOf(':', StringComparison.Ordinal) < 2)
            {
                throw TemplateException.Argument($"{Repr.Of(scheme)} is not a valid URI scheme prefix.");
            }
        }

        StringBuilder result = new();
        string text = Markup.Escape(a[0]).Text;
        for (int i = 0; i < text.Length;)
        {
            int end = i;
            bool blank = CodePoints.IsSpace(text[i]);
            while (end < text.Length && CodePoints.IsSpace(text[end]) == blank)
            {
                end++;
            }

            result.Append(blank ? text[i..end] : Word(text[i..end], limit, attributes, schemes));
            Budget.Text(result.Length > Budget.MaxChars ? result.Length : end - i);
            i = end;
        }

        return result.ToString();
    }

    private static string Word(string word, int? limit, string attributes, string[] schemes)
    {
        string head = "";
        while (Starts(word, out int width))
        {
            head += word[..width];
            word = word[width..];
        }

        string tail = "";
        while (Ends(word, out int width))
        {
            tail = word[^width..] + tail;
            word = word[..^width];
        }

        foreach ((string open, string close) in new[] { ("(", ")"), ("<", ">"), ("&lt;", "&gt;") })
        {
            int opened = word.Split(open).Length - 1;
            int times = opened <= word.Split(close).Length - 1 ? 0 : Math.Min(opened, tail.Split(close).Length - 1);
            for (; times > 0; times--)
            {
                int end = tail.IndexOf(close, StringComparison.Ordinal) + close.Length;
                word += tail[..end];
                tail = tail[end..];
            }
        }

        string Shown(string url) => limit is { } max && CodePoints.Count(url) > max ? CodePoints.Slice(url, 0, 1, max) + "..." : url;
        if (Web.IsMatch(word))
        {
            bool full = word.StartsWith("https://", StringComparison.Ordinal) || word.StartsWith("http://", StringComparison.Ordinal);
            word = $"<a href=\"{(full ? "" : "https://")}{word}\"{attributes}>{Shown(word)}</a>";
        }
        else if (word.StartsWith("mailto:", StringComparison.Ordinal) && Mail.IsMatch(word[7..]))
        {
            word = $"<a href=\"{word}\">{word[7..]}</a>";
        }
        else if (!word.StartsWith("www.", StringComparison.Ordinal) && !word.StartsWith('@') && !word.Contains(':', StringComparison.Ordinal) && Mail.IsMatch(word))
        {
            word = $"<a href=\"mailto:{word}\">{word}</a>";
        }
        else if (schemes.Any(s => word != s && word.StartsWith(s, StringComparison.Ordinal)))
        {
            word = $"<a href=\"{word}\"{attributes}>{word}</a>";
        }

        return head + word + tail;
    }

    private static bool Starts(string word, out int width)
    {
        width = word.StartsWith("&lt;", StringComparison.Ordinal) ? 4 : word.StartsWith('(') || word.StartsWith('<') ? 1 : 0;
        return width > 0;
    }

    private static bool Ends(string word, out int width)
    {
        width = word.EndsWith("&gt;", StringComparison.Ordinal) ? 4 : word.Length > 0 && word[^1] is ')' or '>' or '.' or ',' ? 1 : 0;
        return width > 0;
    }
}
