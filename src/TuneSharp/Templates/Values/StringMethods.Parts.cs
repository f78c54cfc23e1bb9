using System.Globalization;
using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <content>Searching, splitting, padding, replacing.</content>
internal static partial class StringMethods
{
    private static object Count(string s, Arguments a)
    {
        object?[] args = a.Bind("count", "sub", "start?", "end?");
        (string part, _, bool valid) = Window(s, args[1], args[2]);
        string sub = Part(args[0], "count");
        if (!valid)
        {
            return BigInteger.Zero;
        }

        if (sub.Length == 0)
        {
            return (BigInteger)(CodePoints.Count(part) + 1);
        }

        int count = 0;
        for (int i = part.IndexOf(sub, StringComparison.Ordinal); i >= 0; i = part.IndexOf(sub, i + sub.Length, StringComparison.Ordinal))
        {
            count++;
        }

        return (BigInteger)count;
    }

    private static object Find(string s, Arguments a, string name)
    {
        object?[] args = a.Bind(name, "sub", "start?", "end?");
        string sub = Part(args[0], name);
        (string part, int start, bool valid) = Window(s, args[1], args[2]);
        int at = !valid ? -1
            : name.StartsWith('r') ? (sub.Length == 0 ? part.Length : part.LastIndexOf(sub, StringComparison.Ordinal))
            : part.IndexOf(sub, StringComparison.Ordinal);
        if (at < 0 && name.EndsWith("index", StringComparison.Ordinal))
        {
            throw TemplateException.Value("substring not found");
        }

        return (BigInteger)(at < 0 ? -1 : start + CodePoints.Count(part.AsSpan(0, at)));
    }

    private static string Part(object? value, string name) =>
        Operators.AsText(value) ?? throw TemplateException.Type($"{name}() argument 1 must be str, not {PyType.Name(value)}");

    /// <summary>The part of a text between two indices, and where it begins; invalid when the start is beyond the end.</summary>
    private static (string Part, int Start, bool Valid) Window(string s, object? start, object? end)
    {
        int length = CodePoints.Count(s);
        int from = Position(start, 0, length);
        int to = Math.Min(Position(end, length, length), length);
        return from > to ? ("", from, false) : (CodePoints.Slice(s, from, 1, to - from), from, true);
    }

    private static int Position(object? value, int otherwise, int length)
    {
        if (!Arguments.Given(value) || value is null)
        {
            return otherwise;
        }

        int at = Operators.AsNumber(value) is BigInteger ? Arguments.Int(value)
            : throw TemplateException.Type("slice indices must be integers or None or have an __index__ method");
        return at < 0 ? Math.Max(0, at + length) : at;
    }

    private static bool Affix(string s, Arguments a, string name)
    {
        object?[] args = a.Bind(name, "prefix", "start?", "end?");
        (string part, _, bool valid) = Window(s, args[1], args[2]);
        bool Matches(string affix) => valid && (name[0] == 's' ? part.StartsWith(affix, StringComparison.Ordinal) : part.EndsWith(affix, StringComparison.Ordinal));
        if (args[0] is PyTuple tuple)
        {
            return tuple.Items.Any(i => Matches(Operators.AsText(i)
                ?? throw TemplateException.Type($"tuple for {name} must only contain str, not {PyType.Name(i)}")));
        }

        return Matches(Operators.AsText(args[0])
            ?? throw TemplateException.Type($"{name} first arg must be str or a tuple of str, not {PyType.Name(args[0])}"));
    }

    private static string Padded(string s, Arguments a, string name)
    {
        object?[] args = a.Bind(name, "width", "fillchar?");
        string fill = Arguments.Given(args[1])
            ? Operators.AsText(args[1]) ?? throw TemplateException.Type($"The fill character must be a unicode character, not {PyType.Name(args[1])}")
            : " ";
        if (CodePoints.Count(fill) != 1)
        {
            throw TemplateException.Type("The fill character must be exactly one character long");
        }

        int width = Arguments.Int(args[0]);
        int missing = Math.Max(0, width - CodePoints.Count(s));
        Budget.Text(s.Length + (long)missing);

        // Python puts the odd blank on the left when the width is odd.
        int left = name switch { "ljust" => 0, "rjust" => missing, _ => (missing / 2) + (missing & width & 1) };
        return string.Concat(Enumerable.Repeat(fill, left)) + s + string.Concat(Enumerable.Repeat(fill, missing - left));
    }

    public static string Strip(string s, string? chars, bool left, bool right)
    {
        int start = 0;
        int end = s.Length;
        HashSet<string>? set = chars is null ? null : [.. CodePoints.Each(chars)];
        bool Out(int at, int width) => set is null ? CodePoints.IsSpace(CodePoints.ValueAt(s, at)) : set.Contains(s.Substring(at, width));
        while (left && start < end && Out(start, CodePoints.Width(s, start)))
        {
            start += CodePoints.Width(s, start);
        }

        while (right && end > start)
        {
            int width = end - start > 1 && char.IsSurrogatePair(s[end - 2], s[end - 1]) ? 2 : 1;
            if (!Out(end - width, width))
            {
                break;
            }

            end -= width;
        }

        return s[start..end];
    }

    private static string Stripped(string s, Arguments a, string name)
    {
        object? chars = a.Bind(name, "chars?")[0];
        string? set = !Arguments.Given(chars) || chars is null ? null
            : Operators.AsText(chars) ?? throw TemplateException.Type($"{name} arg must be None or str");
        return Strip(s, set, left: name != "rstrip", right: name != "lstrip");
    }

    private static PyTuple Partition(string s, Arguments a, bool last)
    {
        object? given = a.Bind("str.partition", "sep")[0];
        string separator = Operators.AsText(given) ?? throw TemplateException.Type($"must be str, not {PyType.Name(given)}");
        if (separator.Length == 0)
        {
            throw TemplateException.Value("empty separator");
        }

        int at = last ? s.LastIndexOf(separator, StringComparison.Ordinal) : s.IndexOf(separator, StringComparison.Ordinal);
        return at >= 0 ? new PyTuple([s[..at], separator, s[(at + separator.Length)..]])
            : last ? new PyTuple(["", "", s])
            : new PyTuple([s, "", ""]);
    }

    private static string Replace(string s, Arguments a)
    {
        if (a.Positional.Count < 2)
        {
            throw TemplateException.Type($"replace() takes at least 2 positional arguments ({a.Positional.Count} given)");
        }

        object?[] args = a.Bind("replace", "old", "new", "count?");
        return Replace(s, Part(args[0], "replace"), Operators.AsText(args[1])
            ?? throw TemplateException.Type($"replace() argument 2 must be str, not {PyType.Name(args[1])}"), Arguments.Int(args[2], -1));
    }

    public static string Replace(string s, string old, string now, int count)
    {
        if (count == 0 || (old.Length > 0 && s.Length == 0))
        {
            return s;
        }

        StringBuilder result = new();
        if (old.Length == 0)
        {
            string[] points = [.. CodePoints.Each(s)];
            for (int i = 0; i <= points.Length; i++)
            {
                result.Append(count < 0 || i < count ? now : "").Append(i < points.Length ? points[i] : "");
                Budget.Text(result.Length > Budget.MaxChars ? result.Length : now.Length);
            }

            return result.ToString();
        }

        int from = 0;
        for (int at = s.IndexOf(old, StringComparison.Ordinal); at >= 0 && count != 0; at = s.IndexOf(old, from, StringComparison.Ordinal))
        {
            result.Append(s, from, at - from).Append(now);
            Budget.Text(result.Length > Budget.MaxChars ? result.Length : now.Length);
            from = at + old.Length;
            count--;
        }

        return result.Append(s, from, s.Length - from).ToString();
    }

    private static PyList Split(string s, Arguments a, bool fromRight)
    {
        object?[] args = a.Bind(fromRight ? "rsplit" : "split", "sep?", "maxsplit?");
        int most = Arguments.Int(args[1], -1);
        Budget.Step(s.Length >> 4);
        if (!Arguments.Given(args[0]) || args[0] is null)
        {
            return new PyList([.. OnBlanks(s, most, fromRight)]);
        }

        string separator = Operators.AsText(args[0]) ?? throw TemplateException.Type($"must be str or None, not {PyType.Name(args[0])}");
        if (separator.Length == 0)
        {
            throw TemplateException.Value("empty separator");
        }

        List<object?> parts = [];
        if (fromRight)
        {
            int end = s.Length;
            while (parts.Count != most && end > 0 && s.AsSpan(0, end).LastIndexOf(separator) is >= 0 and int at)
            {
                parts.Add(s[(at + separator.Length)..end]);
                end = at;
            }

            parts.Add(s[..end]);
            parts.Reverse();
            return new PyList(parts);
        }

        int start = 0;
        while (parts.Count != most && s.IndexOf(separator, start, StringComparison.Ordinal) is >= 0 and int at)
        {
            parts.Add(s[start..at]);
            start = at + separator.Length;
        }

        parts.Add(s[start..]);
        return new PyList(parts);
    }

    private static List<object?> OnBlanks(string s, int most, bool fromRight)
    {
        List<object?> parts = [];
        string rest = Strip(s, null, left: !fromRight, right: fromRight);
        while (rest.Length > 0)
        {
            if (parts.Count == most)
            {
                parts.Add(rest);
                break;
            }

            int cut = fromRight ? rest.Length : 0;
            while (fromRight ? cut > 0 && !CodePoints.IsSpace(rest[cut - 1]) : cut < rest.Length && !CodePoints.IsSpace(rest[cut]))
            {
                cut += fromRight ? -1 : 1;
            }

            parts.Add(fromRight ? rest[cut..] : rest[..cut]);
            rest = fromRight ? Strip(rest[..cut], null, false, true) : Strip(rest[cut..], null, true, false);
        }

        if (fromRight)
        {
            parts.Reverse();
        }

        return parts;
    }

    public static IEnumerable<string> Lines(string s, bool keepEnds = false)
    {
        int start = 0;
        for (int i = 0; i < s.Length; i++)
        {
            if (!CodePoints.IsLineBreak(s[i]))
            {
                continue;
            }

            int end = s[i] == '\r' && i + 1 < s.Length && s[i + 1] == '\n' ? i + 2 : i + 1;
            yield return s[start..(keepEnds ? end : i)];
            start = end;
            i = end - 1;
        }

        if (start < s.Length)
        {
            yield return s[start..];
        }
    }

    public static string Join(string separator, object? items)
    {
        StringBuilder result = new();
        int index = 0;
        foreach (object? item in Operators.TryIterate(items) ?? throw TemplateException.Type("can only join an iterable"))
        {
            string text = Operators.AsText(item) ?? throw TemplateException.Type(string.Create(
                CultureInfo.InvariantCulture, $"sequence item {index}: expected str instance, {PyType.Name(item)} found"));
            Budget.Text(result.Length + (long)text.Length > Budget.MaxChars ? long.MaxValue : text.Length);
            result.Append(index++ == 0 ? "" : separator).Append(text);
        }

        return result.ToString();
    }

    private static string ExpandTabs(string s, int size)
    {
        StringBuilder result = new();
        int column = 0;
        foreach (char c in s)
        {
            int blanks = c == '\t' ? (size > 0 ? size - (column % size) : 0) : 0;
            Budget.Text(result.Length + (long)blanks > Budget.MaxChars ? long.MaxValue : blanks);
            result.Append(c == '\t' ? new string(' ', blanks) : c.ToString());
            column = c is '\n' or '\r' ? 0 : column + (c == '\t' ? blanks : char.IsLowSurrogate(c) ? 0 : 1);
        }

        return result.ToString();
    }

    private static string ZFill(string s, int width)
    {
        int missing = Math.Max(0, width - CodePoints.Count(s));
        Budget.Text(missing);
        bool signed = s.Length > 0 && s[0] is '+' or '-';
        return (signed ? s[..1] : "") + new string('0', missing) + (signed ? s[1..] : s);
    }

    private static PyDict MakeTrans(Arguments a)
    {
        object?[] args = a.Bind("maketrans", "x", "y?", "z?");
        PyDict table = new();
        if (args[0] is PyDict given)
        {
            foreach ((object? key, object? value) in given.Pairs())
            {
                table.Set(Operators.AsText(key) is { Length: > 0 } c ? (BigInteger)CodePoints.ValueAt(c, 0) : key, value);
            }

            return table;
        }

        string[] from = [.. CodePoints.Each(Part(args[0], "maketrans"))];
        string[] to = [.. CodePoints.Each(Arguments.Text(args[1]) ?? "")];
        if (from.Length != to.Length)
        {
            throw TemplateException.Value("the first two maketrans arguments must have equal length");
        }

        for (int i = 0; i < from.Length; i++)
        {
            table.Set((BigInteger)CodePoints.ValueAt(from[i], 0), (BigInteger)CodePoints.ValueAt(to[i], 0));
        }

        foreach (string c in CodePoints.Each(Arguments.Text(args[2]) ?? ""))
        {
            table.Set((BigInteger)CodePoints.ValueAt(c, 0), null);
        }

        return table;
    }

    private static string Translate(string s, object? table)
    {
        StringBuilder result = new();
        foreach (string c in CodePoints.Each(s))
        {
            object? now = Operators.TrySubscript(table, (BigInteger)CodePoints.ValueAt(c, 0), out object? found) ? found : c;
            result.Append(now is BigInteger point ? CodePoints.FromValue((int)point) : now is null ? "" : Repr.Str(now));
            Budget.Text(result.Length > Budget.MaxChars ? result.Length : 1);
        }

        return result.ToString();
    }

    /// <summary>Text without comments and tags, its runs of white space as one blank.</summary>
    public static string StripTags(string s)
    {
        foreach ((string open, string close) in new[] { ("<!--", "-->"), ("<", ">") })
        {
            for (int at = s.IndexOf(open, StringComparison.Ordinal); at >= 0; at = s.IndexOf(open, at, StringComparison.Ordinal))
            {
                int end = s.IndexOf(close, at, StringComparison.Ordinal);
                if (end < 0)
                {
                    break;
                }

                Budget.Step(s.Length >> 6);
                s = s.Remove(at, end + close.Length - at);
            }
        }

        return System.Net.WebUtility.HtmlDecode(string.Join(' ', OnBlanks(s, -1, false)));
    }
}
