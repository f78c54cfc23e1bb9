namespace TuneSharp.Templates;

/// <summary>The filter <c>pprint</c>: Python's <c>pprint</c>, with keys sorted and 80 columns.</summary>
internal static class PrettyPrint
{
    private const int Columns = 80;

    public static string Of(object? value) => Format(value, 0, 0);

    private static string Format(object? value, int indent, int allowance)
    {
        Budget.CheckStack();
        Budget.Step();
        string flat = Repr.Of(Sorted(value));
        if (CodePoints.Count(flat) <= Columns - indent - allowance)
        {
            return flat;
        }

        string between = ",\n" + new string(' ', indent + 1);
        switch (value)
        {
            case PyDict d:
                List<object?> pairs = Pairs(d);
                return "{" + string.Join(between, pairs.Select((p, i) =>
                {
                    object?[] pair = ((PyTuple)p!).Items;
                    string key = Repr.Of(pair[0]);
                    int last = i == pairs.Count - 1 ? allowance + 1 : 1;
                    return key + ": " + Format(pair[1], indent + CodePoints.Count(key) + 3, last);
                })) + "}";
            case PyList l:
                return "[" + Items(l.Items, between, indent, allowance) + "]";
            case PyTuple t:
                return "(" + Items(t.Items, between, indent, allowance) + (t.Items.Length == 1 ? ",)" : ")");
            default:
                return flat;
        }
    }

    private static string Items(IReadOnlyList<object?> items, string between, int indent, int allowance) =>
        string.Join(between, items.Select((x, i) => Format(x, indent + 1, i == items.Count - 1 ? allowance + 1 : 1)));

    private static List<object?> Pairs(PyDict d)
    {
        List<object?> pairs = [.. new DictView(d, "dict_items").Items()];
        try
        {
            return Sorting.Sort(pairs, p => ((PyTuple)p!).Items[0], false);
        }
        catch (TemplateException)
        {
            return Sorting.Sort(pairs, p => PyType.Name(((PyTuple)p!).Items[0]), false); // keys of several types
        }
    }

    private static object? Sorted(object? value)
    {
        Budget.CheckStack();
        Budget.Step();
        switch (value)
        {
            case PyDict d:
                PyDict sorted = new();
                foreach (object? pair in Pairs(d))
                {
                    sorted.Set(((PyTuple)pair!).Items[0], Sorted(((PyTuple)pair).Items[1]));
                }

                return sorted;
            case PyList l:
                return new PyList([.. l.Items.Select(Sorted)]);
            case PyTuple t:
                return new PyTuple([.. t.Items.Select(Sorted)]);
            default:
                return value;
        }
    }
}
