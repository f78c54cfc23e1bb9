namespace TuneSharp.Templates;

/// <summary>The names that every template sees: Jinja2's, and those that transformers adds.</summary>
internal static class Globals
{
    /// <summary>The sandbox's bound on ranges.</summary>
    private const long MaxRange = 100_000;

    private static readonly object Required = CallArguments.Required;

    public static void Add(Interpreter.Scope scope, Interpreter run)
    {
        void Of(string name, string type, Func<CallArguments, object?> call) => scope.Set(name, new PyFunction(name, call, type));
        Of("range", "type", Range);
        Of("dict", "type", Dict);
        Of("namespace", "type", Namespace);
        Of("cycler", "type", a => a.Positional.Count > 0 ? new Cycler(a.Positional) : throw new TemplateException("RuntimeError", "at least one item has to be provided"));
        Of("joiner", "type", Joiner);
        Of("lipsum", "function", _ => throw new TemplateException("TemplateRuntimeError", "lipsum() makes up text, which a chat template must not."));
        Of("raise_exception", "function", a =>
            throw new TemplateException(TemplateException.Raised, PyText.Str(a.Bind("raise_exception", ("message", Required))[0])));
        Of("strftime_now", "function", a => Strftime.Format(PyText.Str(a.Bind("strftime_now", ("format", Required))[0]), run.Now));
    }

    private static PyRange Range(CallArguments arguments)
    {
        if (arguments.Named.Count > 0)
        {
            throw TemplateException.Type("range() takes no keyword arguments");
        }

        object?[] bound = arguments.Bind("range", ("start", Required), ("stop", null), ("step", 1L));
        if (bound[1] is null)
        {
            (bound[0], bound[1]) = (0L, bound[0]);
        }

        long[] parts = [.. bound.Select(b => b is PyUndefined undefined ? throw undefined.Error : PyNumber.Long(b))];
        if (parts[2] == 0)
        {
            throw TemplateException.Value("range() arg 3 must not be zero");
        }

        PyRange range = new(parts[0], parts[1], parts[2]);
        return range.Count <= MaxRange ? range : throw TemplateException.Overflow("Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
    }

    private static PyDict Dict(CallArguments arguments)
    {
        PyDict dict = new();
        if (arguments.Positional.Count > 0)
        {
            IEnumerable<object?> pairs = arguments.Positional[0] is PyDict from ? new PyView("items", from).Items : PyOps.Iterate(arguments.Positional[0]);
            foreach (object? pair in pairs)
            {
                object?[] parts = [.. PyOps.Iterate(pair)];
                if (parts.Length != 2)
                {
                    throw TemplateException.Value(FormattableString.Invariant(
                        $"dictionary update sequence element #{dict.Items.Count} has length {parts.Length}; 2 is required"));
                }

                dict.Set(parts[0], parts[1]);
            }
        }

        foreach ((string name, object? value) in arguments.Named)
        {
            dict.Set(name, value);
        }

        return dict;
    }

    private static PyNamespace Namespace(CallArguments arguments)
    {
        PyNamespace space = new();
        foreach ((object? key, object? value) in Dict(arguments).Items)
        {
            space.Values[PyText.Str(key)] = value;
        }

        return space;
    }

    private static PyFunction Joiner(CallArguments arguments)
    {
        object? separator = arguments.Bind("joiner", ("sep", ", "))[0];
        bool used = false;
        return new PyFunction("joiner", a =>
        {
            a.Bind("joiner");
            (bool first, used) = (!used, true);
            return first ? "" : separator;
        }, "Joiner");
    }
}

/// <summary>cycler(…): one item after the other.</summary>
internal sealed class Cycler(IReadOnlyList<object?> items) : IPyObject
{
    private int _at;

    public string TypeName => "Cycler";

    public string ObjectName => "jinja2.utils.Cycler object";

    public bool TryGetAttribute(string name, out object? value)
    {
        value = name switch
        {
            "current" => items[_at],
            "items" => new PyTuple(items),
            "pos" => (long)_at,
            "next" => new PyFunction(name, a =>
            {
                a.Bind("next");
                object? item = items[_at];
                _at = (_at + 1) % items.Count;
                return item;
            }),
            "reset" => new PyFunction(name, a =>
            {
                a.Bind("reset");
                _at = 0;
                return null;
            }),
            _ => null,
        };
        return name is "current" or "items" or "pos" or "next" or "reset";
    }
}

/// <summary>The <c>loop</c> of a for statement.</summary>
internal sealed class LoopContext(IReadOnlyList<object?> items, int depth, Func<object?, int, string>? nested) : IPyObject
{
    private IReadOnlyList<object?>? _last;

    public int Index { get; set; }

    public string TypeName => "LoopContext";

    public string ObjectName => "jinja2.runtime.LoopContext object";

    /// <summary>loop(items) of a recursive loop.</summary>
    public string Nested(object? inner) => nested?.Invoke(inner, depth + 1)
        ?? throw TemplateException.Type("The loop must have the 'recursive' marker to be called recursively.");

    public bool TryGetAttribute(string name, out object? value)
    {
        bool known = true;
        value = null;
        switch (name)
        {
            case "index": value = Index + 1L; break;
            case "index0": value = (long)Index; break;
            case "revindex": value = (long)(items.Count - Index); break;
            case "revindex0": value = items.Count - Index - 1L; break;
            case "first": value = Index == 0; break;
            case "last": value = Index == items.Count - 1; break;
            case "length": value = (long)items.Count; break;
            case "depth": value = depth + 1L; break;
            case "depth0": value = (long)depth; break;
            case "previtem": value = Index > 0 ? items[Index - 1] : new PyUndefined("there is no previous item"); break;
            case "nextitem": value = Index + 1 < items.Count ? items[Index + 1] : new PyUndefined("there is no next item"); break;
            case "cycle":
                value = new PyFunction(name, a => a.Positional.Count > 0
                    ? a.Positional[Index % a.Positional.Count]
                    : throw TemplateException.Type("no items for cycling given"));
                break;
            case "changed":
                value = new PyFunction(name, a =>
                {
                    bool changed = _last is null || _last.Count != a.Positional.Count || !_last.Zip(a.Positional).All(p => PyOps.Equal(p.First, p.Second));
                    _last = a.Positional;
                    return changed;
                });
                break;
            default: known = false; break;
        }

        return known;
    }
}

/// <summary>A macro, or the body of a call block, with the variables around it.</summary>
internal sealed class Macro(MacroShape shape, Interpreter.Scope outer, Interpreter run) : PyFunction(shape.Name ?? "caller", _ => null, "Macro"), IPyObject
{
    private readonly string[] _arguments = [.. shape.Parameters.Select(p => p.Name)];

    public string TypeName => "Macro";

    public string ObjectName => "jinja2.runtime.Macro object";

    public bool TryGetAttribute(string name, out object? value)
    {
        value = name switch
        {
            "name" => shape.Name,
            "arguments" => new PyTuple([.. _arguments]),
            "catch_kwargs" => shape.UsesKwargs,
            "catch_varargs" => shape.UsesVarargs,
            "caller" => shape.UsesCaller,
            _ => null,
        };
        return name is "name" or "arguments" or "catch_kwargs" or "catch_varargs" or "caller";
    }

    public override object? Call(CallArguments arguments)
    {
        Interpreter.Scope scope = new(outer);
        List<KeyValuePair<string, object?>> named = [.. arguments.Named];
        bool callerIsParameter = false;
        for (int i = 0; i < _arguments.Length; i++)
        {
            string name = _arguments[i];
            int given = named.FindIndex(n => n.Key == name);
            if (i < arguments.Positional.Count)
            {
                scope.Set(name, arguments.Positional[i]);
            }
            else if (given >= 0)
            {
                scope.Set(name, named[given].Value);
                named.RemoveAt(given);
            }
            else
            {
                scope.Set(name, shape.Parameters[i].Default is { } fallback
                    ? run.Evaluate(fallback, scope)
                    : new PyUndefined($"parameter {PyText.Repr(name)} was not provided"));
            }

            callerIsParameter |= name == "caller";
        }

        if (shape.UsesCaller && !callerIsParameter)
        {
            int given = named.FindIndex(n => n.Key == "caller");
            scope.Set("caller", given >= 0 ? named[given].Value : new PyUndefined("No caller defined"));
            if (given >= 0)
            {
                named.RemoveAt(given);
            }
        }

        TakeRest(arguments, named, scope);
        return run.Capture(shape.Body, scope);
    }

    private void TakeRest(CallArguments arguments, List<KeyValuePair<string, object?>> named, Interpreter.Scope scope)
    {
        if (shape.UsesKwargs)
        {
            PyDict rest = new();
            named.ForEach(n => rest.Set(n.Key, n.Value));
            scope.Set("kwargs", rest);
        }
        else if (named.Count > 0)
        {
            throw TemplateException.Type(named.Exists(n => n.Key == "caller")
                ? $"macro {PyText.Repr(shape.Name)} was invoked with two values for the special caller argument. This is most likely a bug."
                : $"macro {PyText.Repr(shape.Name)} takes no keyword argument {PyText.Repr(named[0].Key)}");
        }

        if (shape.UsesVarargs)
        {
            scope.Set("varargs", new PyTuple([.. arguments.Positional.Skip(_arguments.Length)]));
        }
        else if (arguments.Positional.Count > _arguments.Length)
        {
            throw TemplateException.Type(FormattableString.Invariant(
                $"macro {PyText.Repr(shape.Name)} takes not more than {_arguments.Length} argument(s)"));
        }
    }
}
