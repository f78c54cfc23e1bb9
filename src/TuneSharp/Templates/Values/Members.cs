using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>Attributes and items as a sandboxed template may see them: nothing that changes a value, nothing private.</summary>
internal static class Members
{
    private static readonly string[] ListChanges = ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];
    private static readonly string[] DictChanges = ["clear", "pop", "popitem", "setdefault", "update"];

    private static readonly HashSet<string> Private = new(StringComparer.Ordinal)
    {
        "__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__", "__getattribute__", "__getstate__", "__gt__",
        "__hash__", "__init__", "__init_subclass__", "__le__", "__lt__", "__ne__", "__new__", "__reduce__", "__reduce_ex__", "__repr__",
        "__setattr__", "__sizeof__", "__str__", "__subclasshook__",
    };

    private static readonly HashSet<string> PrivateOfContainers = new(StringComparer.Ordinal)
    {
        "__len__", "__iter__", "__contains__", "__getitem__", "__add__", "__mul__", "__rmul__", "__setitem__", "__delitem__", "__reversed__", "__mod__",
    };

    private static readonly HashSet<string> PrivateOfFunctions = new(StringComparer.Ordinal)
    {
        "__call__", "__self__", "__name__", "__qualname__", "__module__", "__globals__", "__code__", "__func__", "__defaults__", "__closure__",
        "__dict__", "__kwdefaults__", "__annotations__", "__builtins__", "__wrapped__", "__text_signature__",
    };

    /// <summary><c>value.name</c>: the attribute before the item.</summary>
    public static object? Attribute(object? value, string name)
    {
        if (value is Undefined u)
        {
            return Private.Contains(name) ? Unsafe(value, name) : throw u.Failure();
        }

        return TryAttribute(value, name, out object? member) || Operators.TrySubscript(value, name, out member)
            ? member
            : Undefined.Member(value, name);
    }

    /// <summary><c>value[key]</c>: the item before the attribute.</summary>
    public static object? Item(object? value, object? key) =>
        Operators.TrySubscript(value, key, out object? item) || (Operators.AsText(key) is { } name && TryAttribute(value, name, out item))
            ? item
            : Undefined.Member(value, key);

    /// <summary>The attribute alone, without falling back to the item.</summary>
    public static bool TryAttribute(object? value, string name, out object? member)
    {
        member = null;
        if (name.StartsWith('_') && !(value is PyNamespace))
        {
            bool there = Private.Contains(name)
                || (PrivateOfContainers.Contains(name) && value is string or Markup or PyList or PyDict or PyTuple or PyRange or DictView)
                || (PrivateOfFunctions.Contains(name) && value is Callable);
            member = there ? Unsafe(value, name) : null;
            return there;
        }

        switch (value)
        {
            case string or Markup:
                return StringMethods.TryGet(value, name, out member);
            case PyDict d:
                member = Array.IndexOf(DictChanges, name) >= 0 ? Unsafe(value, name) : OfDict(d, name);
                return member is not null;
            case PyList l:
                member = Array.IndexOf(ListChanges, name) >= 0 ? Unsafe(value, name)
                    : name == "copy" ? Method(name, a => new PyList([.. l.Items]))
                    : OfSequence(l.Items, name, "list");
                return member is not null;
            case PyTuple t:
                if (t.Names is not null && Array.IndexOf(t.Names, name) is >= 0 and int at)
                {
                    member = t.Items[at];
                    return true;
                }

                member = OfSequence(t.Items, name, "tuple");
                return member is not null;
            case PyNamespace n:
                return n.Values.TryGet(name, out member);
            case LoopContext loop:
                return loop.TryMember(name, out member);
            case PyRange r:
                member = name switch { "start" => r.Start, "stop" => r.Stop, "step" => r.Step, _ => OfSequence([.. r.Items()], name, "range") };
                return member is not null;
            case Macro m:
                member = m.Member(name);
                return member is not null;
            case Cycler c:
                member = name switch
                {
                    "next" => Method(name, a => c.Next()),
                    "reset" => Method(name, a =>
                    {
                        c.Reset();
                        return null;
                    }),
                    _ => null,
                };
                if (name == "current")
                {
                    member = c.Current;
                    return true;
                }

                return member is not null;
            case PyBytes b:
                member = name switch
                {
                    "decode" => Method(name, a => Encoding.UTF8.GetString(b.Bytes)),
                    "hex" => Method(name, a => Convert.ToHexStringLower(b.Bytes)),
                    _ => null,
                };
                return member is not null;
            default:
                member = Operators.AsNumber(value) is { } number ? OfNumber(number, name) : null;
                return member is not null;
        }
    }

    private static Undefined Unsafe(object? value, string name) =>
        Undefined.Hint($"access to attribute {Repr.Of(name)} of {Repr.Of(PyType.Name(value))} object is unsafe.", "SecurityError");

    internal static Function Method(string name, Func<Arguments, object?> body) => new(name, body);

    private static Function? OfDict(PyDict dict, string name) => name switch
    {
        "get" => Method(name, a =>
        {
            if (a.Positional.Count == 0 || a.HasNamed)
            {
                throw TemplateException.Type(a.HasNamed ? "dict.get() takes no keyword arguments" : "get expected at least 1 argument, got 0");
            }

            object?[] args = a.Bind("get", "key", "default?");
            return dict.TryGet(args[0], out object? value) ? value : Arguments.Given(args[1]) ? args[1] : null;
        }),
        "items" => View(name, "dict_items", dict),
        "keys" => View(name, "dict_keys", dict),
        "values" => View(name, "dict_values", dict),
        "copy" => Method(name, a =>
        {
            a.Bind("dict.copy");
            PyDict copy = new();
            foreach ((object? key, object? value) in dict.Pairs())
            {
                copy.Set(key, value);
            }

            return copy;
        }),
        "fromkeys" => Method(name, a =>
        {
            object?[] args = a.Bind("fromkeys", "iterable", "value?");
            PyDict made = new();
            foreach (object? key in Operators.ToList(args[0]))
            {
                made.Set(key, Arguments.Given(args[1]) ? args[1] : null);
            }

            return made;
        }),
        _ => null,
    };

    private static Function View(string name, string kind, PyDict dict) => Method(name, a =>
        a.Positional.Count == 0 && !a.HasNamed ? new DictView(dict, kind)
            : throw TemplateException.Type($"dict.{name}() takes no {(a.HasNamed ? "keyword arguments" : $"arguments ({a.Positional.Count} given)")}"));

    private static Function? OfSequence(IReadOnlyList<object?> items, string name, string type) => name switch
    {
        "count" => Method(name, a =>
        {
            object? wanted = a.Bind(type + ".count", "value")[0];
            Budget.Step(items.Count);
            return (BigInteger)items.Count(i => Operators.Equal(i, wanted));
        }),
        "index" => Method(name, a =>
        {
            object?[] args = a.Bind(type + ".index", "value", "start?", "stop?");
            int from = Clamp(Arguments.Int(args[1], 0), items.Count);
            int to = Clamp(Arguments.Int(args[2], items.Count), items.Count);
            for (int i = from; i < to; i++)
            {
                Budget.Step();
                if (Operators.Equal(items[i], args[0]))
                {
                    return (BigInteger)i;
                }
            }

            throw TemplateException.Value(type == "tuple" ? "tuple.index(x): x not in tuple" : type == "range" ? $"{Repr.Of(args[0])} is not in range" : $"list.index(x): x not in list");
        }),
        _ => null,
    };

    private static int Clamp(int index, int length) => Math.Clamp(index < 0 ? index + length : index, 0, length);

    private static object? OfNumber(object number, string name) => (number, name) switch
    {
        (BigInteger i, "real" or "numerator") => i,
        (BigInteger, "imag") => BigInteger.Zero,
        (BigInteger, "denominator") => BigInteger.One,
        (BigInteger i, "bit_length") => Method(name, a => (BigInteger)(i.IsZero ? 0 : BigInteger.Abs(i).GetBitLength())),
        (BigInteger i, "bit_count") => Method(name, a => (BigInteger)FormatSpec.InBase(BigInteger.Abs(i), 'b').Count(c => c == '1')),
        (BigInteger i, "conjugate") => Method(name, a => i),
        (BigInteger, "is_integer") => Method(name, a => true),
        (BigInteger i, "as_integer_ratio") => Method(name, a => new PyTuple([i, BigInteger.One])),
        (double d, "real") => d,
        (double, "imag") => 0.0,
        (double d, "conjugate") => Method(name, a => d),
        (double d, "is_integer") => Method(name, a => double.IsInteger(d)),
        _ => null,
    };
}
