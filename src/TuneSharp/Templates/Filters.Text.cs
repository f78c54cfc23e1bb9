using System.Globalization;
using System.Text;

namespace TuneSharp.Templates;

/// <content>Filters that work on text.</content>
internal static partial class Filters
{
    private static string TitleWords(string text)
    {
        StringBuilder result = new();
        bool starts = true;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool separator = Rune.IsWhiteSpace(rune) || rune.Value is '-' or '(' or '{' or '[' or '<';
            result.Append(separator ? rune.ToString() : starts ? StrMethods.Upper(rune.ToString()) : Rune.ToLowerInvariant(rune).ToString());
            starts = separator;
        }

        return result.ToString();
    }

    private static object Indent(object? value, object?[] bound)
    {
        string text = PyText.Str(value) + "\n"; // a last line without an end counts as one
        string indent = PyOps.Text(bound[0]) ?? new string(' ', (int)Math.Clamp(PyNumber.Long(bound[0]), 0, 10_000));
        string[] lines = [.. StrMethods.Lines(text).Cast<string>()];
        string result = PyOps.Truth(bound[2])
            ? string.Join("\n" + indent, lines)
            : lines.Length == 0 ? "" : lines[0] + (lines.Length > 1 ? "\n" + string.Join('\n', lines.Skip(1).Select(l => l.Length > 0 ? indent + l : l)) : "");
        result = PyOps.Truth(bound[1]) ? indent + result : result;
        return value is PyMarkup ? new PyMarkup(result) : PyOps.Sized(result);
    }

    private static string Replace(object? value, object?[] bound) => StrMethods.ReplaceFirst(
        PyText.Str(value), PyText.Str(bound[0]), PyText.Str(bound[1]), bound[2] is null ? -1 : PyNumber.Long(bound[2]));

    private static string StripTags(string text)
    {
        // Comments first, then tags, then runs of white space: markupsafe's order.
        for (int start; (start = text.IndexOf("<!--", StringComparison.Ordinal)) >= 0;)
        {
            int end = text.IndexOf("-->", start, StringComparison.Ordinal);
            if (end < 0)
            {
                break;
            }

            text = text[..start] + text[(end + 3)..];
        }

        for (int start; (start = text.IndexOf('<', StringComparison.Ordinal)) >= 0;)
        {
            int end = text.IndexOf('>', start);
            if (end < 0)
            {
                break;
            }

            text = text[..start] + text[(end + 1)..];
        }

        return System.Net.WebUtility.HtmlDecode(string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));
    }

    private static string Truncate(string text, object?[] bound)
    {
        (long length, string end) = (PyNumber.Long(bound[0]), PyText.Str(bound[2]));
        long leeway = bound[3] is null ? 5 : PyNumber.Long(bound[3]); // the policy truncate.leeway
        long most = length - PyOps.CodePoints(end);
        if (most < 0)
        {
            throw new TemplateException("AssertionError", string.Create(CultureInfo.InvariantCulture, $"expected length >= {PyOps.CodePoints(end)}, got {length}"));
        }

        if (PyOps.CodePoints(text) <= length + leeway)
        {
            return text;
        }

        string cut = string.Concat(text.EnumerateRunes().Take((int)most));
        if (PyOps.Truth(bound[1]))
        {
            return cut + end;
        }

        int space = cut.LastIndexOf(' ');
        return (space < 0 ? cut : cut[..space]) + end;
    }

    private static string UrlEncode(object? value)
    {
        if (PyOps.Text(value) is not null || !PyOps.IsIterable(value) || value is PyUndefined)
        {
            return Quote(PyText.Str(value), slash: true);
        }

        IEnumerable<object?> pairs = value is PyDict dict ? new PyView("items", dict).Items : PyOps.Iterate(value);
        return string.Join('&', pairs.Select(p =>
        {
            object?[] pair = [.. PyOps.Iterate(p)];
            return pair.Length == 2 ? $"{Form(pair[0])}={Form(pair[1])}" : throw TemplateException.Value("not enough values to unpack (expected 2)");
        }));

        static string Form(object? part) => Quote(PyText.Str(part), slash: false).Replace("%20", "+", StringComparison.Ordinal);
    }

    private static string Quote(string text, bool slash) => string.Concat(Encoding.UTF8.GetBytes(text).Select(b =>
        char.IsAsciiLetterOrDigit((char)b) || b is (byte)'_' or (byte)'.' or (byte)'-' or (byte)'~' || (slash && b == '/')
            ? ((char)b).ToString()
            : b.ToString("X2", CultureInfo.InvariantCulture).Insert(0, "%")));

    private static long Words(string text)
    {
        long count = 0;
        bool inside = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool word = Rune.IsLetterOrDigit(rune) || rune.Value == '_' || Rune.GetUnicodeCategory(rune) is UnicodeCategory.OtherNumber or UnicodeCategory.LetterNumber;
            count += word && !inside ? 1 : 0;
            inside = word;
        }

        return count;
    }

    private static string WordWrap(string text, object?[] bound)
    {
        int width = (int)Math.Clamp(PyNumber.Long(bound[0]), 1, 1_000_000);
        (bool breaksWords, bool breaksHyphens) = (PyOps.Truth(bound[1]), PyOps.Truth(bound[3]));
        string end = bound[2] is null ? "\n" : PyText.Str(bound[2]);
        return string.Join(end, StrMethods.Lines(text).Cast<string>().Select(line => string.Join(end, Wrap(line, width, breaksWords, breaksHyphens))));
    }

    /// <summary>textwrap.wrap with expand_tabs and replace_whitespace off.</summary>
    private static List<string> Wrap(string line, int width, bool breaksWords, bool breaksHyphens)
    {
        Queue<string> chunks = new(Chunks(line, breaksHyphens));
        List<string> lines = [];
        while (chunks.Count > 0)
        {
            StringBuilder current = new();
            if (lines.Count > 0 && string.IsNullOrWhiteSpace(chunks.Peek()))
            {
                chunks.Dequeue();
            }

            while (chunks.Count > 0 && current.Length + chunks.Peek().Length <= width)
            {
                current.Append(chunks.Dequeue());
            }

            if (chunks.Count > 0 && chunks.Peek().Length > width)
            {
                string word = chunks.Dequeue();
                int room = breaksWords ? width - current.Length : current.Length == 0 ? word.Length : 0;
                current.Append(word, 0, room);
                if (room < word.Length)
                {
                    chunks = new Queue<string>(chunks.Prepend(word[room..]));
                }
            }

            string done = current.ToString().TrimEnd(' ', '\t', '\n', '\v', '\f', '\r');
            if (done.Length > 0)
            {
                lines.Add(done);
            }
            else if (current.Length == 0 && chunks.Count > 0 && !breaksWords)
            {
                lines.Add(chunks.Dequeue());
            }
        }

        return lines;
    }

    private static IEnumerable<string> Chunks(string line, bool breaksHyphens)
    {
        for (int at = 0; at < line.Length;)
        {
            int end = at;
            bool space = char.IsWhiteSpace(line[at]);
            while (end < line.Length && char.IsWhiteSpace(line[end]) == space)
            {
                end++;
                if (!space && breaksHyphens && line[end - 1] == '-' && end - 2 >= at && char.IsLetter(line[end - 2]) && end + 1 < line.Length && char.IsLetter(line[end]) && char.IsLetter(line[end + 1]))
                {
                    break;
                }
            }

            yield return line[at..end];
            at = end;
        }
    }

    private static PyMarkup XmlAttributes(object? value, bool autospace)
    {
        if (value is not PyDict dict)
        {
            throw TemplateException.Type($"'{PyType.Name(value)}' object has no attribute 'items'");
        }

        List<string> attributes = [];
        foreach ((object? key, object? item) in dict.Items.Where(i => i.Value is not (null or PyUndefined)))
        {
            string name = PyText.Str(key);
            if (name.Any(c => " \t\n\f\r/>=".Contains(c, StringComparison.Ordinal)))
            {
                throw TemplateException.Value($"Invalid character in attribute name: {PyText.Repr(name)}");
            }

            attributes.Add($"{Escape(name)}=\"{Escape(PyText.Str(item))}\"");
        }

        string text = string.Join(' ', attributes);
        return new PyMarkup(autospace && text.Length > 0 ? " " + text : text);
    }
}
