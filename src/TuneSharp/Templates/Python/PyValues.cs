using System.Collections;
using System.Numerics;

namespace TuneSharp.Templates;

// Python's values: None is null, True and False are bool, ints are long or BigInteger, floats are double, text is string.

/// <summary>A list. Templates cannot change one.</summary>
internal sealed class PyList(IReadOnlyList<object?> items)
{
    public IReadOnlyList<object?> Items { get; } = items;
}

/// <summary>A tuple.</summary>
internal class PyTuple(IReadOnlyList<object?> items)
{
    public IReadOnlyList<object?> Items { get; } = items;
}

/// <summary>What groupby gives: a tuple whose parts have names.</summary>
internal sealed class PyGroup(object? grouper, PyList list) : PyTuple([grouper, list])
{
    public object? Grouper => Items[0];

    public object? List => Items[1];
}

/// <summary>A dict: keys in the order they came, compared as Python does (1, 1.0 and True are one key).</summary>
internal sealed class PyDict
{
    private readonly Dictionary<object, int> _index = new(KeyComparer.Instance);
    private readonly List<KeyValuePair<object?, object?>> _items = [];

    public IReadOnlyList<KeyValuePair<object?, object?>> Items => _items;

    public void Set(object? key, object? value)
    {
        CheckKey(key);
        object known = key ?? DBNull.Value;
        if (_index.TryGetValue(known, out int at))
        {
            _items[at] = new(_items[at].Key, value);
        }
        else
        {
            _index[known] = _items.Count;
            _items.Add(new(key, value));
        }
    }

    public bool TryGet(object? key, out object? value)
    {
        CheckKey(key);
        bool found = _index.TryGetValue(key ?? DBNull.Value, out int at);
        value = found ? _items[at].Value : null;
        return found;
    }

    private static void CheckKey(object? key)
    {
        if (key is PyList or PyDict)
        {
            string type = PyType.Name(key);
            throw TemplateException.Type($"cannot use '{type}' as a dict key (unhashable type: '{type}')");
        }
    }

    private sealed class KeyComparer : IEqualityComparer<object>
    {
        public static KeyComparer Instance { get; } = new();

        public new bool Equals(object? x, object? y) => ReferenceEquals(x, y) || (x is not DBNull && y is not DBNull && PyOps.Equal(x, y));

        public int GetHashCode(object obj) => obj switch
        {
            string s => string.GetHashCode(s, StringComparison.Ordinal),
            PyMarkup m => string.GetHashCode(m.Text, StringComparison.Ordinal),
            bool b => (b ? 1d : 0d).GetHashCode(),
            long n => ((double)n).GetHashCode(),
            BigInteger n => ((double)n).GetHashCode(),
            double d => d.GetHashCode(),
            PyTuple t => t.Items.Aggregate(17, (hash, item) => (hash * 31) + (item is null ? 0 : GetHashCode(item))),
            _ => obj.GetHashCode(),
        };
    }
}

/// <summary>keys(), values() or items() of a dict.</summary>
internal sealed class PyView(string kind, PyDict dict)
{
    public string Kind => kind;

    public PyDict Dict => dict;

    public IReadOnlyList<object?> Items { get; } = [.. dict.Items.Select(i =>
        kind == "keys" ? i.Key : kind == "values" ? i.Value : new PyTuple([i.Key, i.Value]))];
}

/// <summary>range(start, stop, step).</summary>
internal sealed class PyRange(long start, long stop, long step)
{
    public long Start => start;

    public long Stop => stop;

    public long Step => step;

    public long Count { get; } = step > 0 ? Math.Max(0, (stop - start + step - 1) / step) : Math.Max(0, (start - stop - step - 1) / -step);

    public IEnumerable<object?> Items => Enumerable.Range(0, (int)Count).Select(i => (object?)(start + (i * step)));
}

/// <summary>An iterator: what it gave is gone.</summary>
internal sealed class PyIterator(IEnumerable<object?> source, string type = "generator") : IEnumerable<object?>
{
    private readonly IEnumerator<object?> _source = source.GetEnumerator();

    public string Type => type;

    public IEnumerator<object?> GetEnumerator()
    {
        while (_source.MoveNext())
        {
            yield return _source.Current;
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>Text that is known to be escaped.</summary>
internal sealed record PyMarkup(string Text);

/// <summary>A value that is not there. It prints as nothing, and whoever computes with it gets the error that it holds.</summary>
internal sealed class PyUndefined(string message, string kind = "UndefinedError")
{
    public static PyUndefined Name(string name) => new($"{PyText.Repr(name)} is undefined");

    /// <summary>Nothing under a name or index of a value.</summary>
    public static PyUndefined Member(object? owner, object? name) => name is string text
        ? new($"{PyText.Repr(PyType.ObjectName(owner))} has no attribute {PyText.Repr(text)}")
        : new($"{PyType.ObjectName(owner)} has no element {PyText.Repr(name)}");

    public static PyUndefined Unsafe(object? owner, string name) =>
        new($"access to attribute {PyText.Repr(name)} of {PyText.Repr(PyType.Name(owner))} object is unsafe.", "SecurityError");

    public TemplateException Error => new(kind, message);
}

/// <summary>What <c>namespace()</c> gives: the one thing that a template can change.</summary>
internal sealed class PyNamespace
{
    public Dictionary<string, object?> Values { get; } = new(StringComparer.Ordinal);
}

/// <summary>Something that can be called.</summary>
/// <param name="name">Its name.</param>
/// <param name="call">What it does.</param>
/// <param name="type">Python's type of it.</param>
internal class PyFunction(string name, Func<CallArguments, object?> call, string type = "builtin_function_or_method")
{
    public string Name => name;

    public string Type => type;

    public virtual object? Call(CallArguments arguments) => call(arguments);
}

/// <summary>Values with attributes that are neither Python's nor ours to list here.</summary>
internal interface IPyObject
{
    string TypeName { get; }

    /// <summary>What <see cref="PyUndefined"/> calls it.</summary>
    string ObjectName { get; }

    bool TryGetAttribute(string name, out object? value);
}

/// <summary>Names of Python's types.</summary>
internal static class PyType
{
    public static string Name(object? value) => value switch
    {
        null => "NoneType",
        bool => "bool",
        long or BigInteger => "int",
        double => "float",
        string => "str",
        PyMarkup => "Markup",
        PyList => "list",
        PyTuple => "tuple",
        PyDict => "dict",
        PyRange => "range",
        PyView view => "dict_" + view.Kind,
        PyIterator iterator => iterator.Type,
        PyUndefined => "Undefined",
        PyNamespace => "Namespace",
        PyFunction function => function.Type,
        IPyObject other => other.TypeName,
        _ => value.GetType().Name,
    };

    /// <summary>As in "'dict object' has no attribute".</summary>
    public static string ObjectName(object? value) => value switch
    {
        null => "None",
        PyNamespace => "jinja2.utils.Namespace object",
        PyUndefined => "jinja2.runtime.Undefined object",
        PyMarkup => "markupsafe.Markup object",
        PyGroup => "jinja2.filters._GroupTuple object",
        IPyObject other => other.ObjectName,
        _ => Name(value) + " object",
    };
}
