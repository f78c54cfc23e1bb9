using System.Globalization;
using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>Python's operators on template values, with Python's error messages.</summary>
internal static class PyOps
{
    /// <summary>Most characters or items of one value: a template may not fill the memory.</summary>
    private const long Largest = 1L << 26;

    public static bool Truth(object? value) => value switch
    {
        null or PyUndefined => false,
        bool b => b,
        long n => n != 0,
        BigInteger n => !n.IsZero,
        double d => d != 0,
        string s => s.Length > 0,
        PyMarkup m => m.Text.Length > 0,
        PyList list => list.Items.Count > 0,
        PyTuple tuple => tuple.Items.Count > 0,
        PyDict dict => dict.Items.Count > 0,
        PyView view => view.Items.Count > 0,
        PyRange range => range.Count > 0,
        _ => true,
    };

    public static bool Equal(object? a, object? b)
    {
        if (Text(a) is { } s)
        {
            return Text(b) is { } t && s == t;
        }

        if (PyNumber.IsNumber(a) && PyNumber.IsNumber(b))
        {
            return a is double || b is double ? EqualFloats(a, b) : PyNumber.Big(a) == PyNumber.Big(b);
        }

        return (a, b) switch
        {
            (null, null) => true,
            (PyUndefined, PyUndefined) => true,
            (PyList x, PyList y) => EqualItems(x.Items, y.Items),
            (PyTuple x, PyTuple y) => EqualItems(x.Items, y.Items),
            (PyView x, PyView y) => x.Kind == y.Kind && x.Items.Count == y.Items.Count && x.Items.All(i => y.Items.Any(j => Equal(i, j))),
            (PyRange x, PyRange y) => x.Items.SequenceEqual(y.Items),
            (PyDict x, PyDict y) => x.Items.Count == y.Items.Count && x.Items.All(i => y.TryGet(i.Key, out object? other) && Equal(i.Value, other)),
            _ => ReferenceEquals(a, b),
        };
    }

    /// <summary>Order of two values; <paramref name="op"/> is for the message.</summary>
    public static int Compare(object? a, object? b, string op)
    {
        if (a is PyUndefined undefined || (undefined = (b as PyUndefined)!) is not null)
        {
            throw undefined.Error;
        }

        if (Text(a) is { } s && Text(b) is { } t)
        {
            return CompareText(s, t);
        }

        if (PyNumber.IsNumber(a) && PyNumber.IsNumber(b))
        {
            return a is double || b is double ? PyNumber.Float(a).CompareTo(PyNumber.Float(b)) : PyNumber.Big(a).CompareTo(PyNumber.Big(b));
        }

        IReadOnlyList<object?>? left = (a as PyList)?.Items ?? (a as PyTuple)?.Items;
        IReadOnlyList<object?>? right = (b as PyList)?.Items ?? (b as PyTuple)?.Items;
        if (left is null || right is null || a is PyList != b is PyList)
        {
            throw TemplateException.Type($"'{op}' not supported between instances of '{PyType.Name(a)}' and '{PyType.Name(b)}'");
        }

        for (int i = 0; i < Math.Min(left.Count, right.Count); i++)
        {
            if (!Equal(left[i], right[i]))
            {
                return Compare(left[i], right[i], op);
            }
        }

        return left.Count.CompareTo(right.Count);
    }

    public static bool Holds(string op, object? a, object? b) => op switch
    {
        "==" => Equal(a, b),
        "!=" => !Equal(a, b),
        "in" => Contains(b, a),
        "not in" => !Contains(b, a),
        _ when IsNaN(a) || IsNaN(b) => false,
        "<" => Compare(a, b, op) < 0,
        "<=" => Compare(a, b, op) <= 0,
        ">" => Compare(a, b, op) > 0,
        _ => Compare(a, b, op) >= 0,
    };

    public static bool Contains(object? container, object? item)
    {
        switch (container)
        {
            case string or PyMarkup:
                return Text(item) is { } part
                    ? Text(container)!.Contains(part, StringComparison.Ordinal)
                    : throw (item is PyUndefined u ? u.Error : TemplateException.Type($"'in <string>' requires string as left operand, not {PyType.Name(item)}"));
            case PyDict dict: return dict.TryGet(item, out _);
            case PyUndefined: return false;
            case PyList or PyTuple or PyView or PyRange or PyIterator: return Iterate(container).Any(i => Equal(i, item));
            default: throw TemplateException.Type($"argument of type '{PyType.Name(container)}' is not a container or iterable");
        }
    }

    public static object? Binary(string op, object? a, object? b)
    {
        if (op == "%" && Text(a) is { } format)
        {
            return PercentFormat.Apply(format, b);
        }

        if (a is PyUndefined undefined || (undefined = (b as PyUndefined)!) is not null)
        {
            throw undefined.Error;
        }

        if (PyNumber.IsNumber(a) && PyNumber.IsNumber(b))
        {
            return PyNumber.Arithmetic(op, a, b);
        }

        return op switch
        {
            "+" when Text(a) is { } s => Text(b) is { } t
                ? Joined(a, s, b, t)
                : throw TemplateException.Type($"can only concatenate str (not \"{PyType.Name(b)}\") to str"),
            "+" when a is PyList x => b is PyList y ? new PyList(Sized([.. x.Items, .. y.Items]))
                : throw TemplateException.Type($"can only concatenate list (not \"{PyType.Name(b)}\") to list"),
            "+" when a is PyTuple x => b is PyTuple y ? new PyTuple(Sized([.. x.Items, .. y.Items]))
                : throw TemplateException.Type($"can only concatenate tuple (not \"{PyType.Name(b)}\") to tuple"),
            "*" when PyNumber.IsInt(b) && IsSequence(a) => Repeat(a, PyNumber.Long(b)),
            "*" when PyNumber.IsInt(a) && IsSequence(b) => Repeat(b, PyNumber.Long(a)),
            "*" when IsSequence(a) || IsSequence(b) =>
                throw TemplateException.Type($"can't multiply sequence by non-int of type '{PyType.Name(IsSequence(a) ? b : a)}'"),
            _ => throw TemplateException.Type(
                $"unsupported operand type(s) for {(op == "**" ? "** or pow()" : op)}: '{PyType.Name(a)}' and '{PyType.Name(b)}'"),
        };
    }

    public static object Negate(object? value, char sign) => value switch
    {
        PyUndefined undefined => throw undefined.Error,
        double d => sign == '-' ? -d : d,
        _ when PyNumber.IsInt(value) => PyNumber.Normal(sign == '-' ? -PyNumber.Big(value) : PyNumber.Big(value)),
        _ => throw TemplateException.Type($"bad operand type for unary {sign}: '{PyType.Name(value)}'"),
    };

    /// <summary>The items of a value.</summary>
    public static IEnumerable<object?> Iterate(object? value) => value switch
    {
        string s => s.EnumerateRunes().Select(r => (object?)r.ToString()),
        PyMarkup m => Iterate(m.Text),
        PyList list => list.Items,
        PyTuple tuple => tuple.Items,
        PyDict dict => dict.Items.Select(i => i.Key),
        PyView view => view.Items,
        PyRange range => range.Items,
        PyIterator iterator => iterator,
        PyUndefined => [],
        _ => throw TemplateException.Type($"'{PyType.Name(value)}' object is not iterable"),
    };

    public static bool IsIterable(object? value) =>
        value is string or PyMarkup or PyList or PyTuple or PyDict or PyView or PyRange or PyIterator or PyUndefined;

    public static long Length(object? value) => value switch
    {
        string s => CodePoints(s),
        PyMarkup m => CodePoints(m.Text),
        PyList list => list.Items.Count,
        PyTuple tuple => tuple.Items.Count,
        PyDict dict => dict.Items.Count,
        PyView view => view.Items.Count,
        PyRange range => range.Count,
        PyUndefined => 0,
        IPyObject other when other.TryGetAttribute("length", out object? length) => PyNumber.Long(length),
        _ => throw TemplateException.Type($"object of type '{PyType.Name(value)}' has no len()"),
    };

    public static long CodePoints(string text) => text.Length - text.AsSpan().CountLowSurrogates();

    /// <summary>The text of a str, or null.</summary>
    public static string? Text(object? value) => value as string ?? (value as PyMarkup)?.Text;

    /// <summary>value[index]; false where Python would raise a TypeError or LookupError.</summary>
    public static bool TryItem(object? value, object? index, out object? item)
    {
        item = null;
        if (value is PyUndefined undefined)
        {
            throw undefined.Error;
        }

        if (value is PyDict dict)
        {
            return index is not (PyList or PyDict) && dict.TryGet(index, out item);
        }

        if (!PyNumber.IsInt(index) || !(value is string or PyMarkup or PyList or PyTuple or PyRange))
        {
            return false;
        }

        BigInteger at = PyNumber.Big(index);
        long count = Length(value);
        at += at.Sign < 0 ? count : 0;
        if (at.Sign < 0 || at >= count)
        {
            return false;
        }

        item = value switch
        {
            PyList list => list.Items[(int)at],
            PyTuple tuple => tuple.Items[(int)at],
            PyRange range => range.Start + ((long)at * range.Step),
            _ => Iterate(value).ElementAt((int)at),
        };
        return true;
    }

    /// <summary>value[start:stop:step].</summary>
    public static object? Slice(object? value, object? start, object? stop, object? step)
    {
        if (value is PyUndefined undefined)
        {
            throw undefined.Error;
        }

        if (!(value is string or PyMarkup or PyList or PyTuple or PyRange))
        {
            return PyUndefined.Member(value, "slice");
        }

        object?[] items = [.. Iterate(value)];
        object?[] cut = [.. Indices(items.Length, Bound(start), Bound(stop), Bound(step) ?? 1).Select(i => items[i])];
        return value switch
        {
            string or PyMarkup => string.Concat(cut),
            PyTuple => new PyTuple(cut),
            PyRange => new PyRange(cut.Length == 0 ? 0 : (long)cut[0]!, cut.Length == 0 ? 0 : (long)cut[^1]! + Math.Sign(RangeStep(value, step)), RangeStep(value, step)),
            _ => new PyList(cut),
        };
    }

    public static IReadOnlyList<object?> Sized(IReadOnlyList<object?> items) => items.Count <= Largest ? items : throw TooLarge();

    public static string Sized(string text) => text.Length <= Largest ? text : throw TooLarge();

    private static long RangeStep(object? range, object? step) => ((PyRange)range!).Step * (long)(Bound(step) ?? 1);

    private static IEnumerable<int> Indices(int count, BigInteger? start, BigInteger? stop, BigInteger step)
    {
        if (step.IsZero)
        {
            throw TemplateException.Value("slice step cannot be zero");
        }

        (int low, int high) = step.Sign > 0 ? (0, count) : (-1, count - 1);
        int Clamp(BigInteger? at, int fallback) => at is not { } i ? fallback : (int)BigInteger.Max(low, BigInteger.Min(high, i.Sign < 0 ? i + count : i));
        int from = Clamp(start, step.Sign > 0 ? 0 : count - 1);
        int to = Clamp(stop, step.Sign > 0 ? count : -1);
        for (BigInteger i = from; step.Sign > 0 ? i < to : i > to; i += step)
        {
            yield return (int)i;
        }
    }

    private static BigInteger? Bound(object? value) => value switch
    {
        null => null,
        PyUndefined undefined => throw undefined.Error,
        _ when PyNumber.IsInt(value) => PyNumber.Big(value),
        _ => throw TemplateException.Type("slice indices must be integers or None or have an __index__ method"),
    };

    private static bool IsSequence(object? value) => value is string or PyMarkup or PyList or PyTuple;

    private static object Joined(object? a, string s, object? b, string t) =>
        a is PyMarkup || b is PyMarkup
            ? new PyMarkup(Sized((a is PyMarkup ? s : Filters.Escape(s)) + (b is PyMarkup ? t : Filters.Escape(t))))
            : Sized(s + t);

    private static object Repeat(object? value, long times)
    {
        times = Math.Max(0, times);
        if (Length(value) is > 0 and var length && times > Largest / length)
        {
            throw TooLarge();
        }

        if (Text(value) is { } text)
        {
            return new StringBuilder(text.Length * (int)times).Insert(0, text, (int)times).ToString();
        }

        object?[] items = [.. Enumerable.Repeat(Iterate(value), (int)times).SelectMany(i => i)];
        return value is PyList ? new PyList(items) : new PyTuple(items);
    }

    private static int CompareText(string a, string b)
    {
        // Code points, not UTF-16 units: a surrogate sorts behind all of the basic plane.
        for (int i = 0; i < Math.Min(a.Length, b.Length); i++)
        {
            if (a[i] != b[i])
            {
                bool x = char.IsSurrogate(a[i]), y = char.IsSurrogate(b[i]);
                return x != y ? (x ? 1 : -1) : a[i].CompareTo(b[i]);
            }
        }

        return a.Length.CompareTo(b.Length);
    }

    private static bool EqualFloats(object? a, object? b)
    {
        if (a is double x && b is double y)
        {
            return x == y;
        }

        double d = a is double left ? left : (double)b!;
        BigInteger n = PyNumber.Big(a is double ? b : a);
        return double.IsFinite(d) && d == Math.Floor(d) && new BigInteger(d) == n;
    }

    private static bool EqualItems(IReadOnlyList<object?> a, IReadOnlyList<object?> b) => a.Count == b.Count && a.Zip(b).All(p => Equal(p.First, p.Second));

    private static bool IsNaN(object? value) => value is double.NaN;

    private static int CountLowSurrogates(this ReadOnlySpan<char> text)
    {
        int count = 0;
        foreach (char c in text)
        {
            count += char.IsLowSurrogate(c) ? 1 : 0;
        }

        return count;
    }

    private static TemplateException TooLarge() =>
        TemplateException.Overflow(string.Create(CultureInfo.InvariantCulture, $"a value of this template is larger than {Largest} characters or items"));
}
