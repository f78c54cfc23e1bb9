using System.Globalization;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>The methods of Python's <c>str</c>. Positions count code points.</summary>
internal static class StrMethods
{
    private static readonly object Required = CallArguments.Required;
    private static readonly System.Buffers.SearchValues<char> LineEnds = System.Buffers.SearchValues.Create("\n\r\v\f\u001c\u001d\u001e\u0085\u2028\u2029");

    /// <summary>A method bound to a text, or null.</summary>
    public static PyFunction? Find(string text, string name)
    {
        Func<CallArguments, object?>? method = name switch
        {
            "strip" => a => Strip(text, a.Bind(name, ("chars", null))[0], start: true, end: true),
            "lstrip" => a => Strip(text, a.Bind(name, ("chars", null))[0], start: true, end: false),
            "rstrip" => a => Strip(text, a.Bind(name, ("chars", null))[0], start: false, end: true),
            "upper" => a => Plain(a, name, Upper(text)),
            "lower" => a => Plain(a, name, text.ToLowerInvariant()),
            "casefold" => a => Plain(a, name, text.ToLowerInvariant().Replace("ß", "ss", StringComparison.Ordinal)),
            "title" => a => Plain(a, name, Title(text)),
            "capitalize" => a => Plain(a, name, Capitalize(text)),
            "swapcase" => a => Plain(a, name, string.Concat(text.EnumerateRunes().Select(r =>
                Rune.IsUpper(r) ? Rune.ToLowerInvariant(r).ToString() : Upper(r.ToString())))),
            "split" => a => Split(text, a, name, fromEnd: false),
            "rsplit" => a => Split(text, a, name, fromEnd: true),
            "splitlines" => a => new PyList([.. Lines(text, PyOps.Truth(a.Bind(name, ("keepends", false))[0]))]),
            "partition" => a => Partition(text, Str(a.Bind(name, ("sep", Required))[0], name), fromEnd: false),
            "rpartition" => a => Partition(text, Str(a.Bind(name, ("sep", Required))[0], name), fromEnd: true),
            "startswith" => a => Affix(text, a, name, atStart: true),
            "endswith" => a => Affix(text, a, name, atStart: false),
            "replace" => a => Replace(text, a),
            "join" => a => Join(text, a.Bind(name, ("iterable", Required))[0]),
            "find" or "rfind" or "index" or "rindex" or "count" => a => Search(text, a, name),
            "removeprefix" => a => Str(a.Bind(name, ("prefix", Required))[0], name) is var p && text.StartsWith(p, StringComparison.Ordinal) ? text[p.Length..] : text,
            "removesuffix" => a => Str(a.Bind(name, ("suffix", Required))[0], name) is { Length: > 0 } p && text.EndsWith(p, StringComparison.Ordinal) ? text[..^p.Length] : text,
            "ljust" or "rjust" or "center" => a => Justify(text, a, name),
            "zfill" => a => ZeroFill(text, PyNumber.Long(a.Bind(name, ("width", Required))[0])),
            "expandtabs" => a => ExpandTabs(text, PyNumber.Long(a.Bind(name, ("tabsize", 8L))[0])),
            "format" => a => StringFormat.Apply(text, a),
            "format_map" => a => StringFormat.Apply(text, new([], [.. (a.Bind(name, ("mapping", Required))[0] as PyDict ?? new PyDict()).Items
                .Where(i => i.Key is string).Select(i => KeyValuePair.Create((string)i.Key!, i.Value))])),
            "isdigit" => a => Plain(a, name, All(text, r => Rune.IsDigit(r) || IsOtherDigit(r))),
            "isdecimal" => a => Plain(a, name, All(text, Rune.IsDigit)),
            "isnumeric" => a => Plain(a, name, All(text, Rune.IsNumber)),
            "isalpha" => a => Plain(a, name, All(text, Rune.IsLetter)),
            "isalnum" => a => Plain(a, name, All(text, r => Rune.IsLetter(r) || Rune.IsNumber(r))),
            "isspace" => a => Plain(a, name, text.Length > 0 && text.AsSpan().IndexOfAnyExcept(PyText.WhiteSpace) < 0),
            "isascii" => a => Plain(a, name, Ascii.IsValid(text)),
            "isprintable" => a => Plain(a, name, text.EnumerateRunes().All(PyText.IsPrintable)),
            "islower" => a => Plain(a, name, IsLower(text)),
            "isupper" => a => Plain(a, name, IsUpper(text)),
            "istitle" => a => Plain(a, name, text.EnumerateRunes().Any(Rune.IsLetter) && Title(text) == text),
            "isidentifier" => a => Plain(a, name, text.Length > 0 && (text[0] == '_' || char.IsLetter(text[0])) && text.All(c => c == '_' || char.IsLetterOrDigit(c))),
            "encode" => a => new PyFunction("bytes", _ => null), // a value without a use in a template
            _ => null,
        };
        return method is null ? null : new PyFunction(name, method);
    }

    /// <summary>str.title: every run of letters begins with a capital.</summary>
    public static string Title(string text)
    {
        StringBuilder result = new();
        bool inside = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool cased = Rune.IsUpper(rune) || Rune.IsLower(rune) || Rune.GetUnicodeCategory(rune) == UnicodeCategory.TitlecaseLetter;
            result.Append(!cased ? rune.ToString() : inside ? Rune.ToLowerInvariant(rune).ToString() : TitleOf(rune));
            inside = cased;
        }

        return result.ToString();
    }

    public static string Capitalize(string text)
    {
        if (text.Length == 0)
        {
            return text;
        }

        Rune first = Rune.GetRuneAt(text, 0);
        return TitleOf(first) + text[first.Utf16SequenceLength..].ToLowerInvariant();
    }

    public static string Upper(string text) => text.ToUpperInvariant().Replace("ß", "SS", StringComparison.Ordinal);

    public static bool IsLower(string text) => text.EnumerateRunes().Any(Rune.IsLower) && !text.EnumerateRunes().Any(Rune.IsUpper);

    public static bool IsUpper(string text) => text.EnumerateRunes().Any(Rune.IsUpper) && !text.EnumerateRunes().Any(Rune.IsLower);

    /// <summary>Lines, without their ends unless these are kept.</summary>
    public static IEnumerable<object?> Lines(string text, bool keepEnds = false)
    {
        for (int start = 0; start < text.Length;)
        {
            int end = text.AsSpan(start).IndexOfAny(LineEnds);
            end = end < 0 ? text.Length : start + end;
            int next = end == text.Length ? end : text[end] == '\r' && end + 1 < text.Length && text[end + 1] == '\n' ? end + 2 : end + 1;
            yield return text[start..(keepEnds ? next : end)];
            start = next;
        }
    }

    public static string Strip(string text, object? characters, bool start, bool end)
    {
        if (characters is null)
        {
            return start && end ? PyText.Trim(text) : start ? PyText.TrimStart(text) : PyText.TrimEnd(text);
        }

        HashSet<Rune> set = [.. Str(characters, "strip").EnumerateRunes()];
        int from = 0, to = text.Length;
        while (start && from < to && Rune.GetRuneAt(text, from) is var first && set.Contains(first))
        {
            from += first.Utf16SequenceLength;
        }

        while (end && to > from && Rune.DecodeLastFromUtf16(text.AsSpan(from, to - from), out Rune last, out int length) == System.Buffers.OperationStatus.Done && set.Contains(last))
        {
            to -= length;
        }

        return text[from..to];
    }

    private static string TitleOf(Rune rune) => rune.Value == 'ß' ? "Ss" : Rune.ToUpperInvariant(rune).ToString();

    private static bool IsOtherDigit(Rune r) => Rune.GetUnicodeCategory(r) == UnicodeCategory.OtherNumber && CharUnicodeInfo.GetDigitValue(r.ToString(), 0) >= 0;

    private static bool All(string text, Func<Rune, bool> test) => text.Length > 0 && text.EnumerateRunes().All(test);

    private static object Plain(CallArguments arguments, string name, object result)
    {
        arguments.Bind(name);
        return result;
    }

    private static string Str(object? value, string method) => PyOps.Text(value) ?? throw (value is PyUndefined undefined
        ? undefined.Error
        : TemplateException.Type($"{method} arg must be str, not {PyType.Name(value)}"));

    private static PyList Split(string text, CallArguments arguments, string name, bool fromEnd)
    {
        object?[] bound = arguments.Bind(name, ("sep", null), ("maxsplit", -1L));
        long most = PyNumber.Long(bound[1]);
        most = most < 0 ? long.MaxValue : most;
        if (bound[0] is null)
        {
            return new PyList(fromEnd ? WordsFromEnd(text, most) : Words(text, most));
        }

        string separator = PyOps.Text(bound[0]) ?? throw (bound[0] is PyUndefined undefined
            ? undefined.Error
            : TemplateException.Type($"must be str or None, not {PyType.Name(bound[0])}"));
        if (separator.Length == 0)
        {
            throw TemplateException.Value("empty separator");
        }

        List<object?> parts = [];
        if (fromEnd)
        {
            int end = text.Length;
            for (int at; most > 0 && (at = end >= separator.Length ? text.LastIndexOf(separator, end - 1, end, StringComparison.Ordinal) : -1) >= 0; most--)
            {
                parts.Insert(0, text[(at + separator.Length)..end]);
                end = at;
            }

            parts.Insert(0, text[..end]);
            return new PyList(parts);
        }

        int start = 0;
        for (int at; most > 0 && (at = text.IndexOf(separator, start, StringComparison.Ordinal)) >= 0; most--)
        {
            parts.Add(text[start..at]);
            start = at + separator.Length;
        }

        parts.Add(text[start..]);
        return new PyList(parts);
    }

    private static List<object?> Words(string text, long most)
    {
        List<object?> words = [];
        string rest = PyText.TrimStart(text);
        while (rest.Length > 0)
        {
            int end = rest.AsSpan().IndexOfAny(PyText.WhiteSpace);
            if (most-- <= 0 || end < 0)
            {
                words.Add(rest); // white space at its end stays
                break;
            }

            words.Add(rest[..end]);
            rest = PyText.TrimStart(rest[end..]);
        }

        return words;
    }

    private static List<object?> WordsFromEnd(string text, long most)
    {
        List<object?> words = [];
        string rest = PyText.TrimEnd(text);
        while (rest.Length > 0)
        {
            int start = rest.AsSpan().LastIndexOfAny(PyText.WhiteSpace);
            if (most-- <= 0 || start < 0)
            {
                words.Insert(0, rest);
                break;
            }

            words.Insert(0, rest[(start + 1)..]);
            rest = PyText.TrimEnd(rest[..start]);
        }

        return words;
    }

    private static PyTuple Partition(string text, string separator, bool fromEnd)
    {
        if (separator.Length == 0)
        {
            throw TemplateException.Value("empty separator");
        }

        int at = fromEnd ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        return at >= 0 ? new([text[..at], separator, text[(at + separator.Length)..]]) : fromEnd ? new(["", "", text]) : new([text, "", ""]);
    }

    private static bool Affix(string text, CallArguments arguments, string name, bool atStart)
    {
        object?[] bound = arguments.Bind(name, ("affix", Required), ("start", null), ("end", null));
        string part = bound[1] is null && bound[2] is null ? text : (string)PyOps.Slice(text, bound[1], bound[2], null)!;
        bool Has(object? affix) => PyOps.Text(affix) is { } a
            ? (atStart ? part.StartsWith(a, StringComparison.Ordinal) : part.EndsWith(a, StringComparison.Ordinal))
            : throw (affix is PyUndefined undefined ? undefined.Error
                : TemplateException.Type($"{name} first arg must be str or a tuple of str, not {PyType.Name(affix)}"));
        return bound[0] is PyTuple tuple ? tuple.Items.Any(Has) : Has(bound[0]);
    }

    private static string Replace(string text, CallArguments arguments)
    {
        object?[] bound = arguments.Bind("replace", ("old", Required), ("new", Required), ("count", -1L));
        return ReplaceFirst(text, Arg(bound[0], 1), Arg(bound[1], 2), PyNumber.Long(bound[2]));

        static string Arg(object? value, int number) => PyOps.Text(value) ?? throw (value is PyUndefined undefined
            ? undefined.Error
            : TemplateException.Type(string.Create(CultureInfo.InvariantCulture, $"replace() argument {number} must be str, not {PyType.Name(value)}")));
    }

    public static string ReplaceFirst(string text, string old, string by, long count)
    {
        if (count < 0 && old.Length > 0)
        {
            return PyOps.Sized(text.Replace(old, by, StringComparison.Ordinal));
        }

        long most = count < 0 ? long.MaxValue : count;
        StringBuilder result = new();
        int start = 0;
        while (most-- > 0)
        {
            int at = old.Length == 0 ? start : text.IndexOf(old, start, StringComparison.Ordinal);
            if (at < 0)
            {
                break;
            }

            result.Append(text, start, at - start).Append(by);
            start = at + old.Length;
            if (old.Length == 0)
            {
                if (start >= text.Length)
                {
                    break;
                }

                int length = Rune.GetRuneAt(text, start).Utf16SequenceLength;
                result.Append(text, start, length);
                start += length;
            }
        }

        return PyOps.Sized(result.Append(text, start, text.Length - start).ToString());
    }

    private static string Join(string separator, object? items)
    {
        List<string> texts = [];
        foreach (object? item in PyOps.Iterate(items))
        {
            texts.Add(PyOps.Text(item) ?? throw TemplateException.Type(string.Create(
                CultureInfo.InvariantCulture, $"sequence item {texts.Count}: expected str instance, {PyType.Name(item)} found")));
        }

        return PyOps.Sized(string.Join(separator, texts));
    }

    private static long Search(string text, CallArguments arguments, string name)
    {
        object?[] bound = arguments.Bind(name, ("sub", Required), ("start", null), ("end", null));
        string part = Str(bound[0], name);
        long count = PyOps.CodePoints(text);
        long from = Clamp(bound[1], 0, count), to = Clamp(bound[2], count, count);
        if (from > to)
        {
            return name == "count" ? 0L : name is "find" or "rfind" ? -1L : throw TemplateException.Value("substring not found");
        }

        string window = (string)PyOps.Slice(text, from, to, null)!;
        if (name == "count")
        {
            long found = 0;
            for (int at = 0; part.Length > 0 && (at = window.IndexOf(part, at, StringComparison.Ordinal)) >= 0; at += part.Length)
            {
                found++;
            }

            return part.Length == 0 ? PyOps.CodePoints(window) + 1 : found;
        }

        int place = name[0] == 'r' ? window.LastIndexOf(part, StringComparison.Ordinal) : window.IndexOf(part, StringComparison.Ordinal);
        return place >= 0 ? from + PyOps.CodePoints(window[..place]) : name is "find" or "rfind" ? -1L : throw TemplateException.Value("substring not found");
    }

    private static long Clamp(object? value, long fallback, long count) =>
        value is null ? fallback : PyNumber.Long(value) is var at && at < 0 ? Math.Max(0, at + count) : Math.Min(at, count);

    private static string Justify(string text, CallArguments arguments, string name)
    {
        object?[] bound = arguments.Bind(name, ("width", Required), ("fillchar", " "));
        string fill = Str(bound[1], name);
        if (PyOps.CodePoints(fill) != 1)
        {
            throw TemplateException.Type("The fill character must be exactly one character long");
        }

        long missing = PyNumber.Long(bound[0]) - PyOps.CodePoints(text);
        if (missing <= 0)
        {
            return text;
        }

        string Fill(long n) => (string)PyOps.Binary("*", fill, n)!;

        // CPython puts the odd one to the left only when both the gap and the width are odd.
        long left = (missing / 2) + (missing & PyNumber.Long(bound[0]) & 1);
        return name == "ljust" ? text + Fill(missing) : name == "rjust" ? Fill(missing) + text : Fill(left) + text + Fill(missing - left);
    }

    private static string ZeroFill(string text, long width)
    {
        long missing = width - PyOps.CodePoints(text);
        if (missing <= 0)
        {
            return text;
        }

        string zeros = (string)PyOps.Binary("*", "0", missing)!;
        return text.StartsWith('+') || text.StartsWith('-') ? text[0] + zeros + text[1..] : zeros + text;
    }

    private static string ExpandTabs(string text, long size)
    {
        StringBuilder result = new();
        long column = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (rune.Value == '\t')
            {
                long blanks = size > 0 ? size - (column % size) : 0;
                result.Append(' ', (int)Math.Min(blanks, 1 << 20));
                column += blanks;
                continue;
            }

            column = rune.Value is '\n' or '\r' ? 0 : column + 1;
            result.Append(rune.ToString());
        }

        return PyOps.Sized(result.ToString());
    }
}
