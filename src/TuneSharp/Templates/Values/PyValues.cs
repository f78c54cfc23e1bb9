using System.Collections;
using System.Numerics;

namespace TuneSharp.Templates;

// A template's values are Python's: null is None; bool, BigInteger, double and string stand for themselves; the rest is here.

/// <summary>A list. Templates cannot change one; filters make new ones.</summary>
internal sealed class PyList(List<object?> items)
{
    public List<object?> Items { get; } = items;
}

/// <summary>A tuple; with names, the pair that <c>groupby</c> gives.</summary>
internal sealed class PyTuple(object?[] items, string[]? names = null)
{
    public object?[] Items { get; } = items;

    public string[]? Names { get; } = names;
}

/// <summary>What <c>range()</c> gives.</summary>
internal sealed class PyRange(BigInteger start, BigInteger stop, BigInteger step)
{
    public BigInteger Start { get; } = start;

    public BigInteger Stop { get; } = stop;

    public BigInteger Step { get; } = step;

    public int Length { get; } = (int)BigInteger.Min(
        int.MaxValue,
        step.Sign > 0 ? (stop > start ? ((stop - start - 1) / step) + 1 : 0) : (start > stop ? ((start - stop - 1) / -step) + 1 : 0));

    public object At(int index) => Start + (Step * index);

    public IEnumerable<object?> Items()
    {
        for (int i = 0; i < Length; i++)
        {
            yield return At(i);
        }
    }

    public override string ToString() => Step.IsOne ? $"range({Start}, {Stop})" : $"range({Start}, {Stop}, {Step})";
}

/// <summary>A generator or another iterator: it can be gone through once.</summary>
internal sealed class PyIterator(string typeName, IEnumerable<object?> items) : IEnumerable<object?>
{
    private readonly IEnumerator<object?> _items = items.GetEnumerator();

    public string TypeName { get; } = typeName;

    public bool Next(out object? item)
    {
        bool more = _items.MoveNext();
        item = more ? _items.Current : null;
        return more;
    }

    public IEnumerator<object?> GetEnumerator()
    {
        while (Next(out object? item))
        {
            yield return item;
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>Text that escaping leaves alone, and that escapes what is added to it.</summary>
internal sealed record Markup(string Text)
{
    public static Markup Escape(string text) => new(text
        .Replace("&", "&amp;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal).Replace("'", "&#39;", StringComparison.Ordinal)
        .Replace("\"", "&#34;", StringComparison.Ordinal));

    public static Markup Escape(object? value) => value as Markup ?? Escape(Repr.Str(value));

    public override string ToString() => Text;
}

/// <summary>Bytes, as <c>str.encode</c> gives them.</summary>
internal sealed record PyBytes(byte[] Bytes);

/// <summary>Keys, values or pairs of a dictionary.</summary>
internal sealed class DictView(PyDict dict, string kind)
{
    public PyDict Dict { get; } = dict;

    /// <summary><c>dict_keys</c>, <c>dict_values</c> or <c>dict_items</c>.</summary>
    public string Kind { get; } = kind;

    public IEnumerable<object?> Items() => Kind switch
    {
        "dict_keys" => Dict.Keys,
        "dict_values" => Dict.Pairs().Select(p => p.Value),
        _ => Dict.Pairs().Select(p => (object?)new PyTuple([p.Key, p.Value])),
    };
}

/// <summary>Variables that a template may assign from anywhere.</summary>
internal sealed class PyNamespace
{
    public PyDict Values { get; } = new();
}

/// <summary>A name without a value: prints as nothing, and fails as soon as more is asked of it.</summary>
internal sealed class Undefined
{
    private readonly string? _hint;
    private readonly object? _of;
    private readonly object? _name;
    private readonly bool _isName;
    private readonly string _kind;

    private Undefined(string? hint, bool isName, object? of, object? name, string kind)
    {
        _hint = hint;
        _isName = isName;
        _of = of;
        _name = name;
        _kind = kind;
    }

    public static Undefined Name(string name) => new(null, isName: true, null, name, "UndefinedError");

    public static Undefined Member(object? of, object? name) => new(null, isName: false, of, name, "UndefinedError");

    public static Undefined Hint(string hint, string kind = "UndefinedError") => new(hint, isName: true, null, null, kind);

    public TemplateException Failure() => new(_kind, _hint ?? (
        _isName ? $"{Repr.Of(_name)} is undefined"
        : _name is string ? $"{Repr.Of(PyType.Described(_of))} has no attribute {Repr.Of(_name)}"
        : $"{PyType.Described(_of)} has no element {Repr.Of(_name)}"));
}

/// <summary>Python's names for types.</summary>
internal static class PyType
{
    public static string Name(object? value) => value switch
    {
        null => "NoneType",
        bool => "bool",
        BigInteger => "int",
        double => "float",
        string => "str",
        Markup => "Markup",
        PyBytes => "bytes",
        PyList => "list",
        PyTuple t => t.Names is null ? "tuple" : "_GroupTuple",
        PyDict => "dict",
        PyRange => "range",
        PyIterator i => i.TypeName,
        DictView v => v.Kind,
        PyNamespace => "Namespace",
        Undefined => "Undefined",
        LoopContext => "LoopContext",
        Callable c => c.TypeName,
        _ => value.GetType().Name,
    };

    /// <summary>As Jinja2's messages name the owner of a missing member.</summary>
    public static string Described(object? value) => value switch
    {
        null => "None",
        Markup => "markupsafe.Markup object",
        LoopContext => "jinja2.runtime.LoopContext object",
        PyNamespace => "jinja2.utils.Namespace object",
        PyTuple { Names: not null } => "jinja2.filters._GroupTuple object",
        Macro => "jinja2.runtime.Macro object",
        Cycler => "jinja2.utils.Cycler object",
        Joiner => "jinja2.utils.Joiner object",
        _ => Name(value) + " object",
    };
}
