namespace TuneSharp.Templates;

/// <content>Filters that work on sequences and dicts.</content>
internal static partial class Filters
{
    private static void AddSequences(Dictionary<string, Filter> all)
    {
        all["batch"] = (_, v, a) => Batch(v, Bound(a, "batch", ("linecount", Required), ("fill_with", null)));
        all["dictsort"] = (_, v, a) => DictSort(v, Bound(a, "dictsort", ("case_sensitive", false), ("by", "key"), ("reverse", false)));
        all["first"] = (_, v, a) => Bound(a, "first") is [] ? FirstOf(PyOps.Iterate(v), "No first item, sequence was empty.") : null;
        all["groupby"] = (_, v, a) => GroupBy(v, Bound(a, "groupby", ("attribute", Required), ("default", null), ("case_sensitive", false)));
        all["items"] = (_, v, a) => Bound(a, "items") is [] && v is PyDict dict ? new PyIterator(new PyView("items", dict).Items)
            : v is PyUndefined ? new PyIterator([]) : throw TemplateException.Type("Can only get item pairs from a mapping.");
        all["join"] = (_, v, a) => Join(v, Bound(a, "join", ("d", ""), ("attribute", null)));
        all["last"] = (_, v, a) => Bound(a, "last") is [] ? Last(v) : null;
        all["list"] = (_, v, a) => Bound(a, "list") is [] ? new PyList(PyOps.Sized([.. PyOps.Iterate(v)])) : null;
        all["map"] = Map;
        all["max"] = (_, v, a) => Extreme(v, Bound(a, "max", ("case_sensitive", false), ("attribute", null)), sign: 1);
        all["min"] = (_, v, a) => Extreme(v, Bound(a, "min", ("case_sensitive", false), ("attribute", null)), sign: -1);
        all["random"] = (_, _, _) =>
            throw new TemplateException("TemplateRuntimeError", "random: a chat template must write the same text each time.");
        all["reject"] = (r, v, a) => Select(r, v, a, byAttribute: false, wanted: false);
        all["rejectattr"] = (r, v, a) => Select(r, v, a, byAttribute: true, wanted: false);
        all["reverse"] = (_, v, a) => Bound(a, "reverse") is [] ? Reverse(v) : null;
        all["select"] = (r, v, a) => Select(r, v, a, byAttribute: false, wanted: true);
        all["selectattr"] = (r, v, a) => Select(r, v, a, byAttribute: true, wanted: true);
        all["slice"] = (_, v, a) => Slices(v, Bound(a, "slice", ("slices", Required), ("fill_with", null)));
        all["sort"] = (_, v, a) => Sort(v, Bound(a, "sort", ("reverse", false), ("case_sensitive", false), ("attribute", null)));
        all["sum"] = (_, v, a) => Sum(v, Bound(a, "sum", ("attribute", null), ("start", 0L)));
        all["unique"] = (_, v, a) => new PyIterator(Unique(v, Bound(a, "unique", ("case_sensitive", false), ("attribute", null))));
    }

    private static object? FirstOf(IEnumerable<object?> items, string none)
    {
        foreach (object? item in items)
        {
            return item;
        }

        return new PyUndefined(none);
    }

    private static object? Last(object? value)
    {
        object?[] items = value is PyIterator ? throw TemplateException.Type($"'{PyType.Name(value)}' object is not reversible") : [.. PyOps.Iterate(value)];
        return items.Length > 0 ? items[^1] : new PyUndefined("No last item, sequence was empty.");
    }

    private static object Reverse(object? value) => PyOps.Text(value) is { } text
        ? PyOps.Slice(text, null, null, -1L)!
        : PyOps.IsIterable(value) ? new PyIterator([.. PyOps.Iterate(value).Reverse()], "list_reverseiterator")
        : throw new TemplateException("FilterArgumentError", "argument must be iterable");

    private static string Join(object? value, object?[] bound)
    {
        IEnumerable<object?> items = PyOps.Iterate(value);
        items = bound[1] is null ? items : items.Select(i => PyAttributes.Path(i, bound[1]));
        return PyOps.Sized(string.Join(PyText.Str(bound[0]), items.Select(PyText.Str)));
    }

    private static object? Folded(object? value, bool caseSensitive) => !caseSensitive && PyOps.Text(value) is { } text ? text.ToLowerInvariant() : value;

    private static Func<object?, object?> Key(object? attribute, bool caseSensitive, object? fallback = null) => item =>
        Folded(attribute is null ? item : PyAttributes.Path(item, attribute, fallback), caseSensitive);

    /// <summary>A stable sort that asks as Python does, whether a later item is less than an earlier one: its error names them in that order.</summary>
    private static IEnumerable<object?> Ordered(IEnumerable<object?> items, Func<object?, object?> key, bool reverse)
    {
        List<(object? Key, object? Item)> sorted = [];
        foreach (object? item in reverse ? items.Reverse() : items)
        {
            object? its = key(item);
            (int low, int high) = (0, sorted.Count);
            while (low < high)
            {
                int middle = (low + high) / 2;
                (low, high) = PyOps.Compare(its, sorted[middle].Key, "<") < 0 ? (low, middle) : (middle + 1, high);
            }

            sorted.Insert(low, (its, item));
        }

        IEnumerable<object?> result = sorted.Select(p => p.Item);
        return reverse ? result.Reverse() : result; // equal ones keep their order in both directions
    }

    private static PyList Sort(object? value, object?[] bound)
    {
        bool caseSensitive = PyOps.Truth(bound[1]);
        if (bound[2] is not null && PyOps.Text(bound[2]) is { } several && several.Contains(',', StringComparison.Ordinal))
        {
            string[] parts = several.Split(',');
            return new([.. Ordered(PyOps.Iterate(value), item => new PyList([.. parts.Select(p => Folded(PyAttributes.Path(item, p), caseSensitive))]), PyOps.Truth(bound[0]))]);
        }

        return new([.. Ordered(PyOps.Iterate(value), Key(bound[2], caseSensitive), PyOps.Truth(bound[0]))]);
    }

    private static PyList DictSort(object? value, object?[] bound)
    {
        int at = PyText.Str(bound[1]) switch
        {
            "key" => 0,
            "value" => 1,
            _ => throw new TemplateException("FilterArgumentError", "You can only sort by either \"key\" or \"value\""),
        };
        PyDict dict = value as PyDict ?? throw (value is PyUndefined undefined ? undefined.Error : TemplateException.Type($"'{PyType.Name(value)}' object has no attribute 'items'"));
        return new([.. Ordered(new PyView("items", dict).Items, item => Folded(((PyTuple)item!).Items[at], PyOps.Truth(bound[0])), PyOps.Truth(bound[2]))]);
    }

    private static PyList GroupBy(object? value, object?[] bound)
    {
        Func<object?, object?> key = Key(bound[0], PyOps.Truth(bound[2]), bound[1]);
        List<object?> groups = [];
        List<object?> current = [];
        object? currentKey = null;
        void Close()
        {
            if (current.Count > 0)
            {
                // Of keys that differ only in case, the group has its first item's own.
                groups.Add(new PyGroup(PyAttributes.Path(current[0], bound[0], bound[1]), new PyList(current)));
            }
        }

        foreach (object? item in Ordered(PyOps.Iterate(value), key, reverse: false))
        {
            object? its = key(item);
            if (current.Count > 0 && !PyOps.Equal(its, currentKey))
            {
                Close();
                current = [];
            }

            (currentKey, current) = (its, [.. current, item]);
        }

        Close();
        return new PyList(groups);
    }

    private static object? Extreme(object? value, object?[] bound, int sign)
    {
        Func<object?, object?> key = Key(bound[1], PyOps.Truth(bound[0]));
        (object? best, object? bestKey, bool any) = (null, null, false);
        foreach (object? item in PyOps.Iterate(value))
        {
            object? its = key(item);
            if (!any || Math.Sign(PyOps.Compare(its, bestKey, sign > 0 ? ">" : "<")) == sign)
            {
                (best, bestKey, any) = (item, its, true);
            }
        }

        return any ? best : new PyUndefined("No aggregated item, sequence was empty.");
    }

    private static IEnumerable<object?> Unique(object? value, object?[] bound)
    {
        Func<object?, object?> key = Key(bound[1], PyOps.Truth(bound[0]));
        PyDict seen = new();
        foreach (object? item in PyOps.Iterate(value))
        {
            object? its = key(item);
            if (!seen.TryGet(its, out _))
            {
                seen.Set(its, true);
                yield return item;
            }
        }
    }

    private static object? Sum(object? value, object?[] bound)
    {
        IEnumerable<object?> items = PyOps.Iterate(value);
        items = bound[0] is null ? items : items.Select(i => PyAttributes.Path(i, bound[0]));
        return PyOps.Text(bound[1]) is not null
            ? throw TemplateException.Type("sum() can't sum strings [use ''.join(seq) instead]")
            : items.Aggregate(bound[1], (sum, item) => PyOps.Binary("+", sum, item));
    }

    private static PyIterator Batch(object? value, object?[] bound)
    {
        long size = PyNumber.Long(bound[0]);
        return new PyIterator(Pieces());

        IEnumerable<object?> Pieces()
        {
            List<object?> piece = [];
            foreach (object? item in PyOps.Iterate(value))
            {
                if (piece.Count == size)
                {
                    yield return new PyList(piece);
                    piece = [];
                }

                piece.Add(item);
            }

            if (piece.Count > 0)
            {
                while (bound[1] is not null && piece.Count < size)
                {
                    piece.Add(bound[1]);
                }

                yield return new PyList(piece);
            }
        }
    }

    private static PyIterator Slices(object? value, object?[] bound)
    {
        object?[] items = [.. PyOps.Iterate(value)];
        long slices = PyNumber.Long(bound[0]);
        if (slices == 0)
        {
            throw new TemplateException("ZeroDivisionError", "integer division or modulo by zero");
        }

        (long each, long longer) = (items.Length / slices, items.Length % slices);
        return new PyIterator(Enumerable.Range(0, (int)Math.Max(0, slices)).Select(i =>
        {
            long start = (i * each) + Math.Min(i, longer);
            long end = ((i + 1) * each) + Math.Min(i + 1, longer);
            List<object?> slice = [.. items[(int)start..(int)end]];
            if (bound[1] is not null && i >= longer)
            {
                slice.Add(bound[1]);
            }

            return (object?)new PyList(slice);
        }));
    }

    private static PyIterator Map(Interpreter run, object? value, CallArguments arguments)
    {
        if (arguments.Positional.Count == 0 && arguments.Named.Any(n => n.Key == "attribute"))
        {
            object? path = arguments.NamedOr("attribute", null);
            object? fallback = arguments.NamedOr("default", null);
            string? unknown = arguments.Named.Select(n => n.Key).FirstOrDefault(k => k is not ("attribute" or "default"));
            return unknown is null
                ? new PyIterator(PyOps.Iterate(value).Select(i => PyAttributes.Path(i, path, fallback)))
                : throw new TemplateException("FilterArgumentError", $"Unexpected keyword argument {PyText.Repr(unknown)}");
        }

        if (arguments.Positional.Count == 0)
        {
            throw new TemplateException("FilterArgumentError", "map requires a filter argument");
        }

        Filter filter = Get(PyText.Str(arguments.Positional[0]));
        CallArguments rest = arguments with { Positional = [.. arguments.Positional.Skip(1)] };
        return new PyIterator(PyOps.Iterate(value).Select(i => filter(run, i, rest)));
    }

    private static PyIterator Select(Interpreter run, object? value, CallArguments arguments, bool byAttribute, bool wanted)
    {
        object? path = null;
        if (byAttribute)
        {
            path = arguments.Positional.Count > 0 ? arguments.Positional[0] : throw new TemplateException("FilterArgumentError", "Missing parameter for attribute name");
            arguments = arguments with { Positional = [.. arguments.Positional.Skip(1)] };
        }

        Func<object?, bool> test = PyOps.Truth;
        if (arguments.Positional.Count > 0)
        {
            Test named = Tests.Get(PyText.Str(arguments.Positional[0]));
            CallArguments rest = arguments with { Positional = [.. arguments.Positional.Skip(1)] };
            test = item => named(run, item, rest);
        }

        return new PyIterator(PyOps.Iterate(value).Where(i => test(byAttribute ? PyAttributes.Path(i, path) : i) == wanted));
    }
}
