namespace TuneSharp.Templates;

/// <summary>What a test says of its value.</summary>
internal delegate bool Test(Interpreter run, object? value, CallArguments arguments);

/// <summary>Jinja2's tests. Reference: jinja2/tests.py.</summary>
internal static class Tests
{
    private static readonly object Required = CallArguments.Required;
    private static readonly Dictionary<string, Test> All = Build();

    public static bool Contains(string name) => All.ContainsKey(name);

    public static Test Get(string name) => All.TryGetValue(name, out Test? test)
        ? test
        : throw new TemplateException("TemplateRuntimeError", $"No test named {PyText.Repr(name)} found.");

    private static Dictionary<string, Test> Build()
    {
        Dictionary<string, Test> all = new(StringComparer.Ordinal);
        void Of(string name, Func<object?, bool> test) => all[name] = (_, v, a) =>
        {
            a.Bind("test_" + name);
            return test(v);
        };
        void With(string name, string parameter, Func<object?, object?, bool> test) => all[name] = (_, v, a) =>
            test(v, a.Bind("test_" + name, (parameter, Required))[0]);
        void Compare(string op, params string[] names)
        {
            foreach (string name in names)
            {
                With(name, "b", (a, b) => PyOps.Holds(op, a, b));
            }
        }

        Of("boolean", v => v is bool);
        Of("callable", v => v is PyFunction or IPyObject { TypeName: "LoopContext" });
        Of("defined", v => v is not PyUndefined);
        Of("escaped", v => v is PyMarkup);
        Of("even", v => PyOps.Equal(PyOps.Binary("%", v, 2L), 0L));
        Of("odd", v => PyOps.Equal(PyOps.Binary("%", v, 2L), 1L));
        Of("false", v => v is false);
        Of("true", v => v is true);
        Of("filter", v => v is not PyUndefined && Filters.Contains(PyText.Str(v)));
        Of("test", v => v is not PyUndefined && All.ContainsKey(PyText.Str(v)));
        Of("float", v => v is double);
        Of("integer", v => PyNumber.IsInt(v) && v is not bool);
        Of("iterable", PyOps.IsIterable);
        Of("lower", v => StrMethods.IsLower(PyText.Str(v)));
        Of("upper", v => StrMethods.IsUpper(PyText.Str(v)));
        Of("mapping", v => v is PyDict);
        Of("none", v => v is null);
        Of("number", PyNumber.IsNumber);
        Of("sequence", v => v is string or PyMarkup or PyList or PyTuple or PyDict or PyRange or PyUndefined);
        Of("string", v => PyOps.Text(v) is not null);
        Of("undefined", v => v is PyUndefined);
        With("divisibleby", "num", (v, n) => PyOps.Equal(PyOps.Binary("%", v, n), 0L));
        With("in", "seq", (v, s) => PyOps.Contains(s, v));
        With("sameas", "other", Same);
        Compare("==", "eq", "equalto", "==");
        Compare("!=", "ne", "!=");
        Compare("<", "lt", "lessthan", "<");
        Compare("<=", "le", "<=");
        Compare(">", "gt", "greaterthan", ">");
        Compare(">=", "ge", ">=");
        return all;
    }

    /// <summary>Python's <c>is</c>. Small values of one type are one object there.</summary>
    private static bool Same(object? a, object? b) =>
        ReferenceEquals(a, b) || (a is not null && b is not null && a.GetType() == b.GetType() && a is bool or long or string && a.Equals(b));
}
