using System.Numerics;

namespace TuneSharp.Templates;

/// <summary>Jinja2's tests.</summary>
internal static class Tests
{
    private static readonly Dictionary<string, Func<Arguments, object?>> All = new(StringComparer.Ordinal);

    static Tests()
    {
        One("odd", "test_odd", v => Operators.Equal(Operators.Binary("%", v, (BigInteger)2), BigInteger.One));
        One("even", "test_even", v => Operators.Equal(Operators.Binary("%", v, (BigInteger)2), BigInteger.Zero));
        Two("divisibleby", "test_divisibleby", "num", (v, n) => Operators.Equal(Operators.Binary("%", v, n), BigInteger.Zero));
        One("defined", "test_defined", v => v is not Undefined);
        One("undefined", "test_undefined", v => v is Undefined);
        One("filter", "test_filter", v => PyDict.IsHashable(v) && Operators.AsText(v) is { } s && Filters.Has(s));
        One("test", "test_test", v => PyDict.IsHashable(v) && Operators.AsText(v) is { } s && All.ContainsKey(s));
        One("none", "test_none", v => v is null);
        One("boolean", "test_boolean", v => v is bool);
        One("false", "test_false", v => v is false);
        One("true", "test_true", v => v is true);
        One("integer", "test_integer", v => v is BigInteger);
        One("float", "test_float", v => v is double);
        One("lower", "test_lower", v => (bool)StringMethods.Call(Repr.Str(v), "islower")!);
        One("upper", "test_upper", v => (bool)StringMethods.Call(Repr.Str(v), "isupper")!);
        One("string", "test_string", Operators.IsText);
        One("mapping", "test_mapping", v => v is PyDict);
        One("number", "test_number", v => Operators.AsNumber(v) is not null);
        One("sequence", "test_sequence", v => v is string or Markup or PyList or PyTuple or PyDict or PyRange or PyBytes);
        One("iterable", "test_iterable", v => Operators.TryIterate(v) is not null);
        One("callable", "callable", v => v is Callable and not Cycler or Undefined || (v is LoopContext));
        Two("sameas", "test_sameas", "other", Same);
        One("escaped", "test_escaped", v => v is Markup);
        Two("in", "test_in", "seq", (v, s) => Operators.Contains(s, v));
        foreach (string name in new[] { "==", "eq", "equalto" })
        {
            Two(name, "eq", "b", Operators.Equal);
        }

        foreach (string name in new[] { "!=", "ne" })
        {
            Two(name, "ne", "b", (a, b) => !Operators.Equal(a, b));
        }

        foreach ((string symbol, string[] names) in new[]
        {
            (">", new[] { ">", "gt", "greaterthan" }), (">=", [">=", "ge"]), ("<", ["<", "lt", "lessthan"]), ("<=", ["<=", "le"]),
        })
        {
            foreach (string name in names)
            {
                Two(name, names[1], "b", (a, b) => Operators.Ordered(a, b, symbol));
            }
        }
    }

    /// <summary>Finds a test; its first argument is what is tested.</summary>
    public static Func<Arguments, object?>? Find(string name) => All.GetValueOrDefault(name);

    private static void One(string name, string function, Func<object?, bool> holds) =>
        All[name] = a => holds(a.Bind(function, "value")[0]);

    private static void Two(string name, string function, string parameter, Func<object?, object?, bool> holds) =>
        All[name] = a => a.Bind(function, "value", parameter) is var args && holds(args[0], args[1]);

    /// <summary>Small integers, texts and empty tuples are one object each in Python.</summary>
    private static bool Same(object? a, object? b) => ReferenceEquals(a, b) || (a, b) switch
    {
        (bool x, bool y) => x == y,
        (BigInteger x, BigInteger y) => x == y && x >= -5 && x <= 256,
        (string x, string y) => x == y,
        _ => false,
    };
}
