using System.Numerics;

namespace TuneSharp.Templates;

/// <summary>Jinja2's filters, and transformers' <c>tojson</c>. The names in errors are those of the Python functions.</summary>
internal static partial class Filters
{
    private delegate object? Body(object?[] args);

    private static readonly Dictionary<string, Func<Arguments, object?>> All = new(StringComparer.Ordinal);

    static Filters()
    {
        Add("abs", "abs", ["x"], a => Abs(a[0]));
        Add("attr", "do_attr", ["obj", "name"], a => Attr(a[0], Repr.Str(a[1])));
        Add("batch", "do_batch", ["value", "linecount", "fill_with?"], a => Generator(Batch(a[0], Arguments.Int(a[1]), Or(a[2], null))));
        Add("capitalize", "do_capitalize", ["s"], a => Keep(a[0], StringMethods.Capitalize));
        Add("center", "do_center", ["value", "width?"], a => Method(a[0], "center", Or(a[1], (BigInteger)80)));
        Add("default", "do_default", ["value", "default_value?", "boolean?"], a =>
            a[0] is Undefined || (Arguments.Flag(a[2]) && !Operators.Truth(a[0])) ? Or(a[1], "") : a[0]);
        Alias("d", "default");
        Add("dictsort", "do_dictsort", ["value", "case_sensitive?", "by?", "reverse?"], DictSort);
        Add("escape", "escape", ["s"], a => Markup.Escape(a[0]));
        Alias("e", "escape");
        Add("filesizeformat", "do_filesizeformat", ["value", "binary?"], a => FileSize(a[0], Arguments.Flag(a[1])));
        Add("first", "sync_do_first", ["seq"], a => First(Operators.Iterate(a[0]), "No first item, sequence was empty."));
        Add("float", "do_float", ["value", "default?"], a => Float(a[0]) is { } number ? number : Or(a[1], 0.0));
        Add("forceescape", "do_forceescape", ["value"], a => Markup.Escape(Repr.Str(a[0])));
        All["format"] = Format;
        Add("groupby", "sync_do_groupby", ["value", "attribute", "default?", "case_sensitive?"], GroupBy);
        Add("indent", "do_indent", ["s", "width?", "first?", "blank?"], Indent);
        Add("int", "do_int", ["value", "default?", "base?"], a => Int(a[0], Arguments.Int(a[2], 10)) is { } whole ? whole : Or(a[1], BigInteger.Zero));
        Add("items", "do_items", ["value"], a => Generator(Items(a[0])));
        Add("join", "sync_do_join", ["value", "d?", "attribute?"], a => StringMethods.Join(
            Repr.Str(Or(a[1], "")),
            new PyIterator("map", Operators.Iterate(a[0]).Select(AttributeGetter(Or(a[2], null), null, false)).Select(x => (object)Repr.Str(x)))));
        Add("last", "do_last", ["seq"], a => First(Reversed(a[0]), "No last item, sequence was empty."));
        Add("length", "len", ["obj"], a => (BigInteger)Operators.Length(a[0]));
        Alias("count", "length");
        Add("list", "sync_do_list", ["value"], a => new PyList(Operators.ToList(a[0])));
        Add("lower", "do_lower", ["s"], a => Keep(a[0], CodePoints.Lower));
        All["map"] = Map;
        Add("max", "do_max", ["value", "case_sensitive?", "attribute?"], a => Extreme(a, ">"));
        Add("min", "do_min", ["value", "case_sensitive?", "attribute?"], a => Extreme(a, "<"));
        Add("pprint", "do_pprint", ["value"], a => PrettyPrint.Of(a[0]));
        Add("random", "do_random", ["seq"], a => Random(a[0]));
        All["reject"] = a => Select(a, "reject", keep: false, byAttribute: false);
        All["rejectattr"] = a => Select(a, "rejectattr", keep: false, byAttribute: true);
        Add("replace", "do_replace", ["s", "old", "new", "count?"], a => StringMethods.Replace(
            Repr.Str(a[0]), Repr.Str(a[1]), Repr.Str(a[2]), Or(a[3], null) is null ? -1 : Arguments.Int(a[3])));
        Add("reverse", "do_reverse", ["value"], Reverse);
        Add("round", "do_round", ["value", "precision?", "method?"], Round);
        Add("safe", "do_mark_safe", ["value"], a => new Markup(Repr.Str(a[0])));
        All["select"] = a => Select(a, "select", keep: true, byAttribute: false);
        All["selectattr"] = a => Select(a, "selectattr", keep: true, byAttribute: true);
        Add("slice", "sync_do_slice", ["value", "slices", "fill_with?"], a => Generator(Slice(a[0], Arguments.Int(a[1]), Or(a[2], null))));
        Add("sort", "do_sort", ["value", "reverse?", "case_sensitive?", "attribute?"], a => new PyList(Sorting.Sort(
            Operators.ToList(a[0]), MultiGetter(Or(a[3], null), !Arguments.Flag(a[2])), Arguments.Flag(a[1]))));
        Add("string", "soft_str", ["s"], a => a[0] is Markup ? a[0] : Repr.Str(a[0]));
        Add("striptags", "do_striptags", ["value"], a => StringMethods.StripTags(Repr.Str(a[0])));
        Add("sum", "sync_do_sum", ["iterable", "attribute?", "start?"], Sum);
        Add("title", "do_title", ["s"], a => Keep(a[0], Title, join: true));
        Add("tojson", "tojson", ["x", "ensure_ascii?", "indent?", "separators?", "sort_keys?"], a => JsonText.Of(
            a[0], Arguments.Flag(a[1]), Or(a[2], null), Or(a[3], null), Arguments.Flag(a[4])));
        Add("trim", "do_trim", ["value", "chars?"], a => Method(a[0], "strip", Or(a[1], null)));
        Add("truncate", "do_truncate", ["s", "length?", "killwords?", "end?", "leeway?"], Truncate);
        Add("unique", "sync_do_unique", ["value", "case_sensitive?", "attribute?"], a => Generator(Unique(
            a[0], AttributeGetter(Or(a[2], null), null, !Arguments.Flag(a[1])))));
        Add("upper", "do_upper", ["s"], a => Keep(a[0], CodePoints.Upper));
        Add("urlencode", "do_urlencode", ["value"], a => UrlEncode(a[0]));
        Add("urlize", "do_urlize", ["value", "trim_url_limit?", "nofollow?", "target?", "rel?", "extra_schemes?"], Urls.Urlize);
        Add("wordcount", "do_wordcount", ["s"], a => (BigInteger)Words(Soft(a[0])));
        Add("wordwrap", "do_wordwrap", ["s", "width?", "break_long_words?", "wrapstring?", "break_on_hyphens?"], a => WordWrap.Wrap(
            Text(a[0], "splitlines"), Arguments.Int(a[1], 79), Arguments.Flag(a[2], true), Or(a[3], null) is { } w ? Repr.Str(w) : "\n", Arguments.Flag(a[4], true)));
        Add("xmlattr", "do_xmlattr", ["d", "autospace?"], a => XmlAttributes(a[0], Arguments.Flag(a[1], true)));
    }

    public static bool Has(string name) => All.ContainsKey(name);

    /// <summary>Finds a filter; its first argument is what it is applied to.</summary>
    public static Func<Arguments, object?>? Find(string name) => All.GetValueOrDefault(name);

    /// <summary>Filters whose Python functions get the environment too, which their errors count.</summary>
    private static readonly HashSet<string> WithEnvironment = new(StringComparer.Ordinal)
    {
        "attr", "first", "groupby", "join", "last", "max", "min", "random", "replace", "sort", "sum", "truncate", "unique", "urlize", "wordwrap", "xmlattr",
    };

    private static void Add(string name, string function, string[] parameters, Body body)
    {
        int hidden = WithEnvironment.Contains(name) ? 1 : 0;
        All[name] = a => body(a.Bind(function, parameters, hidden));
    }

    private static void Alias(string name, string other) => All[name] = All[other];

    private static object? Or(object? argument, object? otherwise) => Arguments.Given(argument) ? argument : otherwise;

    private static PyIterator Generator(IEnumerable<object?> items) => new("generator", items);

    /// <summary>A value as text, and what was marked safe stays so.</summary>
    private static string Soft(object? value) => Repr.Str(value);

    private static object Keep(object? value, Func<string, string> change, bool join = false) =>
        value is Markup m && !join ? new Markup(change(m.Text)) : change(Soft(value));

    private static object? Method(object? value, string name, params object?[] args) =>
        StringMethods.TryGet(value is Markup ? value : Soft(value), name, out object? method)
            ? ((Callable)method!).Call(new Arguments([.. args], null))
            : null;

    private static string Text(object? value, string attribute) => value is Undefined u ? throw u.Failure()
        : Operators.AsText(value) ?? throw new TemplateException("AttributeError", $"'{PyType.Name(value)}' object has no attribute '{attribute}'");

    private static object? First(IEnumerable<object?> items, string none)
    {
        foreach (object? item in items)
        {
            return item;
        }

        return Undefined.Hint(none);
    }

    private static IEnumerable<object?> Reversed(object? value) => value switch
    {
        PyList or PyTuple or PyRange or PyDict or DictView or string or Markup or PyBytes => Enumerable.Reverse(Operators.ToList(value)),
        Undefined => [],
        _ => throw TemplateException.Type($"'{PyType.Name(value)}' object is not reversible"),
    };

    private static object Reverse(object?[] a) => a[0] switch
    {
        string or Markup => ReverseText(a[0]!),
        PyList or PyTuple or PyRange or PyDict or DictView or Undefined => new PyIterator(
            a[0] switch { PyList => "list_reverseiterator", PyRange => "range_iterator", PyTuple or Undefined => "reversed", PyDict => "dict_reversekeyiterator", _ => "dict_reverseitemiterator" },
            Reversed(a[0])),
        _ => Operators.TryIterate(a[0]) is null
            ? throw TemplateException.Argument("argument must be iterable")
            : new PyList([.. Enumerable.Reverse(Operators.ToList(a[0]))]),
    };

    private static object ReverseText(object text)
    {
        string s = Operators.AsText(text)!;
        int count = CodePoints.Count(s);
        string reversed = CodePoints.Slice(s, Math.Max(0, count - 1), -1, count);
        return text is Markup ? new Markup(reversed) : reversed;
    }

    private static object Abs(object? value) => Operators.AsNumber(value) switch
    {
        BigInteger i => BigInteger.Abs(i),
        double d => Math.Abs(d),
        _ => throw TemplateException.Type($"bad operand type for abs(): '{PyType.Name(value)}'"),
    };

    private static object? Attr(object? value, string name) =>
        value is not Undefined && Members.TryAttribute(value, name, out object? member) ? member
            : value is Undefined u && !name.StartsWith("__", StringComparison.Ordinal) ? throw u.Failure()
            : Undefined.Member(value, name);

    private static IEnumerable<object?> Batch(object? value, int size, object? fill)
    {
        List<object?> line = [];
        foreach (object? item in Operators.Iterate(value))
        {
            Budget.Step();
            if (line.Count == size)
            {
                yield return new PyList(line);
                line = [];
            }

            line.Add(item);
        }

        if (line.Count > 0)
        {
            if (fill is not null)
            {
                Budget.Items(size);
                while (line.Count < size)
                {
                    line.Add(fill);
                }
            }

            yield return new PyList(line);
        }
    }

    private static IEnumerable<object?> Slice(object? value, int slices, object? fill)
    {
        List<object?> items = Operators.ToList(value);
        if (slices == 0)
        {
            throw new TemplateException("ZeroDivisionError", "division by zero");
        }

        int each = items.Count / slices;
        int longer = items.Count % slices;
        int at = 0;
        for (int i = 0; i < slices; i++)
        {
            Budget.Step();
            int size = each + (i < longer ? 1 : 0);
            List<object?> part = items.GetRange(at, size);
            at += size;
            if (fill is not null && i >= longer)
            {
                part.Add(fill);
            }

            yield return new PyList(part);
        }
    }

    private static IEnumerable<object?> Items(object? value)
    {
        if (value is Undefined)
        {
            yield break;
        }

        foreach ((object? key, object? item) in (value as PyDict ?? throw TemplateException.Type("Can only get item pairs from a mapping.")).Pairs())
        {
            yield return new PyTuple([key, item]);
        }
    }

    private static object Random(object? value)
    {
        List<object?> items = Operators.ToList(value);

        // A template must render the same text every time it is asked.
        return items.Count == 0 ? Undefined.Hint("No random item, sequence was empty.") : items[new Random(items.Count).Next(items.Count)]!;
    }
}
