using System.Globalization;

namespace TuneSharp.Templates;

/// <summary>value.name and value[key] as Jinja2's immutable sandbox allows them.</summary>
/// <remarks>Names with a leading underline, and methods that change a list or dict, give an undefined that raises a SecurityError when used.</remarks>
internal static class PyAttributes
{
    private static readonly HashSet<string> ListChanges = ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];
    private static readonly HashSet<string> DictChanges = ["clear", "pop", "popitem", "setdefault", "update"];

    /// <summary>value.name: the attribute, else the item of that name, else undefined.</summary>
    public static object? Attribute(object? value, string name)
    {
        if (value is PyUndefined undefined && !name.StartsWith("__", StringComparison.Ordinal))
        {
            throw undefined.Error;
        }

        if (IsUnsafe(value, name))
        {
            return HasHidden(value, name) ? PyUndefined.Unsafe(value, name) : ItemOrUndefined(value, name);
        }

        return TryOwn(value, name, out object? found) ? found : ItemOrUndefined(value, name);
    }

    /// <summary>value[key]: the item, else the attribute of that name, else undefined.</summary>
    public static object? Item(object? value, object? key)
    {
        if (PyOps.TryItem(value, key, out object? item))
        {
            return item;
        }

        if (PyOps.Text(key) is not { } name)
        {
            return PyUndefined.Member(value, key);
        }

        if (IsUnsafe(value, name))
        {
            return HasHidden(value, name) ? PyUndefined.Unsafe(value, name) : PyUndefined.Member(value, name);
        }

        return TryOwn(value, name, out object? found) ? found : PyUndefined.Member(value, name);
    }

    /// <summary>A path such as <c>function.name</c> or <c>tags.0</c>, as the argument <c>attribute</c> of filters has it.</summary>
    public static object? Path(object? value, object? path, object? fallback = null)
    {
        if (PyOps.Text(path) is not { } text)
        {
            return Replaced(Item(value, path), fallback);
        }

        foreach (string part in text.Split('.'))
        {
            object key = long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long index) ? index : part;
            value = Replaced(Item(value, key), fallback);
        }

        return value;
    }

    /// <summary>The callable that Python would find, or null.</summary>
    public static bool TryOwn(object? value, string name, out object? found)
    {
        found = value switch
        {
            string or PyMarkup => StrMethods.Find(PyOps.Text(value)!, name),
            PyDict dict => DictMethod(dict, name),
            PyGroup group when name is "grouper" or "list" => name == "list" ? group.List : group.Grouper,
            PyList list => SequenceMethod("list", list.Items, name),
            PyTuple tuple => SequenceMethod("tuple", tuple.Items, name),
            PyRange range when name is "start" or "stop" or "step" => name == "start" ? range.Start : name == "stop" ? range.Stop : range.Step,
            PyRange range => SequenceMethod("range", [.. range.Items], name),
            double d when name == "is_integer" => new PyFunction(name, a => { a.Bind("is_integer"); return d == Math.Floor(d); }),
            _ when PyNumber.IsInt(value) && name == "bit_length" => new PyFunction(name, a => { a.Bind("bit_length"); return PyNumber.Big(value).GetBitLength(); }),
            _ when PyNumber.IsNumber(value) && name is "real" or "numerator" => value,
            _ when PyNumber.IsInt(value) && name is "imag" => 0L,
            _ when PyNumber.IsInt(value) && name is "denominator" => 1L,
            PyFunction function when name == "name" && function is not Macro => null,
            _ => null,
        };
        if (found is not null)
        {
            return true;
        }

        return value switch
        {
            PyNamespace space => space.Values.TryGetValue(name, out found),
            IPyObject other => other.TryGetAttribute(name, out found),
            _ => false,
        };
    }

    private static object? Replaced(object? value, object? fallback) => value is PyUndefined && fallback is not null ? fallback : value;

    private static object? ItemOrUndefined(object? value, string name) =>
        PyOps.TryItem(value, name, out object? item) ? item : PyUndefined.Member(value, name);

    private static bool IsUnsafe(object? value, string name) =>
        name.StartsWith('_') || (value is PyList && ListChanges.Contains(name)) || (value is PyDict && DictChanges.Contains(name));

    /// <summary>Whether Python has such an attribute at all: names of two underlines are on every value.</summary>
    private static bool HasHidden(object? value, string name) =>
        !name.StartsWith('_')
        || (name.Length > 4 && name.StartsWith("__", StringComparison.Ordinal) && name.EndsWith("__", StringComparison.Ordinal)
            && (Everywhere.Contains(name) || (value is string or PyMarkup or PyList or PyTuple or PyDict && OnContainers.Contains(name))
            || (value is PyFunction && OnFunctions.Contains(name))));

    private static readonly HashSet<string> Everywhere =
    [
        "__class__", "__doc__", "__init__", "__new__", "__repr__", "__str__", "__hash__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__",
        "__getattribute__", "__setattr__", "__delattr__", "__dir__", "__format__", "__reduce__", "__reduce_ex__", "__sizeof__", "__subclasshook__",
        "__init_subclass__", "__getstate__",
    ];

    private static readonly HashSet<string> OnContainers = ["__len__", "__iter__", "__contains__", "__getitem__"];

    private static readonly HashSet<string> OnFunctions = ["__self__", "__name__", "__qualname__", "__call__", "__module__", "__text_signature__"];

    private static PyFunction? DictMethod(PyDict dict, string name) => name switch
    {
        "keys" or "values" or "items" => new PyFunction(name, a =>
        {
            a.Bind(name);
            return new PyView(name, dict);
        }),
        "get" => new PyFunction(name, a =>
        {
            object?[] bound = a.Bind("get", ("key", CallArguments.Required), ("default", null));
            return dict.TryGet(bound[0], out object? value) ? value : bound[1];
        }),
        "copy" => new PyFunction(name, a =>
        {
            a.Bind(name);
            return dict;
        }),
        _ => null,
    };

    private static PyFunction? SequenceMethod(string type, IReadOnlyList<object?> items, string name) => name switch
    {
        "count" => new PyFunction(name, a =>
        {
            object? wanted = a.Bind("count", ("value", CallArguments.Required))[0];
            return (long)items.Count(i => PyOps.Equal(i, wanted));
        }),
        "index" => new PyFunction(name, a =>
        {
            object?[] bound = a.Bind("index", ("value", CallArguments.Required), ("start", 0L), ("stop", (long)items.Count));
            (long from, long to) = (Place(bound[1], items.Count), Place(bound[2], items.Count));
            for (long i = from; i < Math.Min(to, items.Count); i++)
            {
                if (PyOps.Equal(items[(int)i], bound[0]))
                {
                    return i;
                }
            }

            throw TemplateException.Value(type == "list" ? $"{PyText.Repr(bound[0])} is not in list" : $"{type}.index(x): x not in {type}");
        }),
        "copy" when type == "list" => new PyFunction(name, a =>
        {
            a.Bind(name);
            return new PyList(items);
        }),
        _ => null,
    };

    private static long Place(object? value, long count) => PyNumber.Long(value) is var at && at < 0 ? Math.Max(0, at + count) : at;
}
