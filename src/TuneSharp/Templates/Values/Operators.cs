using System.Numerics;

namespace TuneSharp.Templates;

/// <summary>Python's operators over the values of templates.</summary>
internal static partial class Operators
{
    public static bool Truth(object? value) => value switch
    {
        null => false,
        bool b => b,
        string s => s.Length > 0,
        BigInteger i => !i.IsZero,
        double d => d != 0,
        PyList l => l.Items.Count > 0,
        PyDict d => d.Count > 0,
        PyTuple t => t.Items.Length > 0,
        Markup m => m.Text.Length > 0,
        PyRange r => r.Length > 0,
        DictView v => v.Dict.Count > 0,
        PyBytes b => b.Bytes.Length > 0,
        LoopContext loop => loop.Length > 0,
        Undefined => false,
        _ => true,
    };

    public static int Length(object? value) => value switch
    {
        string s => CodePoints.Count(s),
        Markup m => CodePoints.Count(m.Text),
        PyList l => l.Items.Count,
        PyTuple t => t.Items.Length,
        PyDict d => d.Count,
        PyRange r => r.Length,
        DictView v => v.Dict.Count,
        PyBytes b => b.Bytes.Length,
        LoopContext loop => loop.Length,
        Undefined => 0,
        _ => throw TemplateException.Type($"object of type '{PyType.Name(value)}' has no len()"),
    };

    /// <summary>Goes through a value, or null when it cannot be gone through.</summary>
    public static IEnumerable<object?>? TryIterate(object? value) => value switch
    {
        PyList l => l.Items,
        PyTuple t => t.Items,
        string s => CodePoints.Each(s),
        Markup m => CodePoints.Each(m.Text).Select(c => (object)new Markup(c)),
        PyDict d => d.Keys,
        PyRange r => r.Items(),
        DictView v => v.Items(),
        PyIterator i => i,
        PyBytes b => b.Bytes.Select(x => (object)(BigInteger)x),
        LoopContext loop => loop.Rest(),
        Undefined => [],
        _ => null,
    };

    public static IEnumerable<object?> Iterate(object? value) =>
        TryIterate(value) ?? throw TemplateException.Type($"'{PyType.Name(value)}' object is not iterable");

    public static List<object?> ToList(object? value)
    {
        List<object?> list = [];
        foreach (object? item in Iterate(value))
        {
            Budget.Step();
            list.Add(item);
        }

        Budget.Items(list.Count);
        return list;
    }

    public static bool Equal(object? a, object? b)
    {
        if (AsText(a) is { } s)
        {
            return AsText(b) is { } t && s == t;
        }

        if (AsNumber(a) is { } x)
        {
            return AsNumber(b) is { } y && NumbersEqual(x, y);
        }

        Budget.CheckStack();
        return (a, b) switch
        {
            (null, null) => true,
            (PyList l, PyList m) => SequencesEqual(l.Items, m.Items),
            (PyTuple l, PyTuple m) => SequencesEqual(l.Items, m.Items),
            (PyDict l, PyDict m) => l.Count == m.Count && l.Pairs().All(p => m.TryGet(p.Key, out object? other) && Same(p.Value, other)),
            (PyRange l, PyRange m) => l.Length == m.Length
                && (l.Length == 0 || (l.Start == m.Start && (l.Length == 1 || l.Step == m.Step))),
            (DictView l, DictView m) => l.Kind == m.Kind && l.Kind != "dict_values" && l.Dict.Count == m.Dict.Count
                && l.Items().All(i => Contains(m, i)),
            (PyBytes l, PyBytes m) => l.Bytes.AsSpan().SequenceEqual(m.Bytes),
            (Undefined, Undefined) => true,
            (PyNamespace l, PyNamespace m) => ReferenceEquals(l, m),
            _ => ReferenceEquals(a, b),
        };
    }

    private static bool Same(object? a, object? b) => (a is not null && ReferenceEquals(a, b)) || Equal(a, b);

    private static bool SequencesEqual(IReadOnlyList<object?> a, IReadOnlyList<object?> b)
    {
        if (a.Count != b.Count)
        {
            return false;
        }

        Budget.Step(a.Count);
        for (int i = 0; i < a.Count; i++)
        {
            if (!Same(a[i], b[i]))
            {
                return false;
            }
        }

        return true;
    }

    public static bool IsText(object? value) => value is string or Markup;

    public static string? AsText(object? value) => value as string ?? (value as Markup)?.Text;

    /// <summary>A BigInteger or a double (booleans are the integers 0 and 1), or null.</summary>
    public static object? AsNumber(object? value) => value switch
    {
        bool b => b ? BigInteger.One : BigInteger.Zero,
        BigInteger or double => value,
        _ => null,
    };

    private static bool NumbersEqual(object x, object y) => (x, y) switch
    {
        (BigInteger i, BigInteger j) => i == j,
        (double i, double j) => i == j,
        (BigInteger i, double j) => double.IsInteger(j) && new BigInteger(j) == i,
        (double i, BigInteger j) => double.IsInteger(i) && new BigInteger(i) == j,
        _ => false,
    };

    /// <summary>Python's order between two values; <paramref name="symbol"/> is the operator that was written.</summary>
    public static bool Ordered(object? a, object? b, string symbol)
    {
        if (a is Undefined u)
        {
            throw u.Failure();
        }

        if (b is Undefined v)
        {
            throw v.Failure();
        }

        if (AsText(a) is { } s && AsText(b) is { } t)
        {
            return Holds(ComparePoints(s, t), symbol);
        }

        if (AsNumber(a) is { } x && AsNumber(b) is { } y)
        {
            return (x is double d && double.IsNaN(d)) || (y is double e && double.IsNaN(e)) ? false : Holds(CompareNumbers(x, y), symbol);
        }

        IReadOnlyList<object?>? left = a is PyList l ? l.Items : (a as PyTuple)?.Items;
        IReadOnlyList<object?>? right = b is PyList m ? m.Items : (b as PyTuple)?.Items;
        if (left is null || right is null || a is PyList != b is PyList)
        {
            throw TemplateException.Type($"'{symbol}' not supported between instances of '{PyType.Name(a)}' and '{PyType.Name(b)}'");
        }

        Budget.CheckStack();
        for (int i = 0; i < Math.Min(left.Count, right.Count); i++)
        {
            Budget.Step();
            if (!Same(left[i], right[i]))
            {
                return Ordered(left[i], right[i], symbol);
            }
        }

        return Holds(left.Count.CompareTo(right.Count), symbol);
    }

    private static bool Holds(int order, string symbol) => symbol switch
    {
        "<" => order < 0,
        "<=" => order <= 0,
        ">" => order > 0,
        _ => order >= 0,
    };

    private static int CompareNumbers(object x, object y)
    {
        if (x is BigInteger i && y is BigInteger j)
        {
            return i.CompareTo(j);
        }

        if (x is double d && y is double e)
        {
            return d.CompareTo(e);
        }

        if (x is double f)
        {
            return -CompareNumbers(y, f);
        }

        double other = (double)y;
        if (double.IsInfinity(other))
        {
            return other > 0 ? -1 : 1;
        }

        int order = ((BigInteger)x).CompareTo(new BigInteger(Math.Floor(other)));
        return order != 0 ? order : double.IsInteger(other) ? 0 : -1;
    }

    /// <summary>By code points: surrogates stand for characters above all others.</summary>
    private static int ComparePoints(string a, string b)
    {
        int same = a.AsSpan().CommonPrefixLength(b);
        if (same == a.Length || same == b.Length)
        {
            return a.Length.CompareTo(b.Length);
        }

        char x = a[same];
        char y = b[same];
        return char.IsSurrogate(x) != char.IsSurrogate(y) && (x > 0xD7FF && y > 0xD7FF)
            ? (char.IsSurrogate(x) ? 1 : -1)
            : x.CompareTo(y);
    }

    /// <summary>Python's <c>in</c>.</summary>
    public static bool Contains(object? container, object? item)
    {
        switch (container)
        {
            case string or Markup:
                string text = AsText(container)!;
                if (item is Undefined u)
                {
                    throw TemplateException.Type($"'in <string>' requires string as left operand, not {PyType.Name(u)}");
                }

                Budget.Step(text.Length >> 6);
                return AsText(item) is { } part
                    ? text.Contains(part, StringComparison.Ordinal)
                    : throw TemplateException.Type($"'in <string>' requires string as left operand, not {PyType.Name(item)}");
            case PyDict d:
                return d.Contains(item);
            case DictView { Kind: "dict_keys" } v:
                return v.Dict.Contains(item);
            case PyRange r:
                return AsNumber(item) is { } n && r.Items().Any(i => NumbersEqual(i!, n));
            default:
                IEnumerable<object?> items = TryIterate(container)
                    ?? throw TemplateException.Type($"argument of type '{PyType.Name(container)}' is not a container or iterable");
                foreach (object? other in items)
                {
                    Budget.Step();
                    if (Same(other, item))
                    {
                        return true;
                    }
                }

                return false;
        }
    }
}
