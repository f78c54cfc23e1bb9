using System.Numerics;

namespace TuneSharp.Templates;

/// <summary>The arguments of a call.</summary>
internal sealed class Arguments(List<object?> positional, PyDict? named)
{
    /// <summary>Stands for an argument that was not given.</summary>
    public static readonly object Absent = new();

    private PyDict? _named = named;

    public List<object?> Positional { get; } = positional;

    public PyDict Named => _named ??= new PyDict();

    public bool HasNamed => _named is { Count: > 0 };

    /// <summary>Puts the arguments in the order of the parameters.</summary>
    /// <param name="function">The function's name, for the error.</param>
    /// <param name="parameters">Names of the parameters; one that ends with <c>?</c> may be absent.</param>
    public object?[] Bind(string function, params ReadOnlySpan<string> parameters) => Bind(function, parameters, 0);

    /// <summary>The same for a function that Python gives some arguments more.</summary>
    public object?[] Bind(string function, ReadOnlySpan<string> parameters, int hidden)
    {
        object?[] bound = new object?[parameters.Length];
        Array.Fill(bound, Absent);
        if (Positional.Count > parameters.Length)
        {
            int needed = 0;
            foreach (string p in parameters)
            {
                needed += p.EndsWith('?') ? 0 : 1;
            }

            int most = parameters.Length + hidden;
            string takes = needed == parameters.Length ? $"{most}" : $"from {needed + hidden} to {most}";
            throw TemplateException.Type(
                $"{function}() takes {takes} positional argument{(most == 1 ? "" : "s")} but {Positional.Count + hidden} " +
                $"{(Positional.Count + hidden == 1 ? "was" : "were")} given");
        }

        for (int i = 0; i < Positional.Count; i++)
        {
            bound[i] = Positional[i];
        }

        if (HasNamed)
        {
            foreach ((object? key, object? value) in Named.Pairs())
            {
                int at = IndexOf(parameters, (string)key!);
                if (at < 0)
                {
                    throw TemplateException.Type($"{function}() got an unexpected keyword argument '{key}'");
                }

                if (!ReferenceEquals(bound[at], Absent))
                {
                    throw TemplateException.Type($"{function}() got multiple values for argument '{key}'");
                }

                bound[at] = value;
            }
        }

        List<string> missing = [];
        for (int i = 0; i < bound.Length; i++)
        {
            if (ReferenceEquals(bound[i], Absent) && !parameters[i].EndsWith('?'))
            {
                missing.Add($"'{parameters[i]}'");
            }
        }

        return missing.Count == 0 ? bound : throw TemplateException.Type(
            $"{function}() missing {missing.Count} required positional argument{(missing.Count == 1 ? "" : "s")}: " + (missing.Count <= 2
                ? string.Join(" and ", missing)
                : string.Join(", ", missing.Take(missing.Count - 1)) + ", and " + missing[^1]));
    }

    private static int IndexOf(ReadOnlySpan<string> parameters, string name)
    {
        for (int i = 0; i < parameters.Length; i++)
        {
            if (parameters[i].AsSpan().TrimEnd('?').SequenceEqual(name))
            {
                return i;
            }
        }

        return -1;
    }

    public static bool Given(object? argument) => !ReferenceEquals(argument, Absent);

    public static bool Flag(object? argument, bool otherwise = false) => Given(argument) ? Operators.Truth(argument) : otherwise;

    public static string? Text(object? argument) => Given(argument) ? Operators.AsText(argument) : null;

    public static int Int(object? argument, int otherwise) => Given(argument) ? Int(argument) : otherwise;

    public static int Int(object? argument) => argument switch
    {
        Undefined u => throw u.Failure(),
        _ => Operators.AsNumber(argument) is BigInteger i
            ? (int)BigInteger.Max(-int.MaxValue, BigInteger.Min(i, int.MaxValue))
            : throw TemplateException.Type($"'{PyType.Name(argument)}' object cannot be interpreted as an integer"),
    };
}

/// <summary>Something that a template can call.</summary>
internal abstract class Callable
{
    public abstract string TypeName { get; }

    public abstract object? Call(Arguments arguments);
}

/// <summary>A function of ours, or a method bound to its value.</summary>
internal sealed class Function(string name, Func<Arguments, object?> body, string typeName = "builtin_function_or_method") : Callable
{
    public string Name { get; } = name;

    public override string TypeName => typeName;

    public override object? Call(Arguments arguments) => body(arguments);

    public override string ToString() => TypeName switch
    {
        "type" => $"<class '{Name}'>",
        "function" => $"<function {Name}>",
        _ => $"<built-in method {Name}>",
    };
}

/// <summary>Gives its values in turn, over and over.</summary>
internal sealed class Cycler(object?[] items) : Callable
{
    private int _at;

    public override string TypeName => "Cycler";

    public object? Current => items[_at];

    public object? Next()
    {
        object? current = Current;
        _at = (_at + 1) % items.Length;
        return current;
    }

    public void Reset() => _at = 0;

    public override object? Call(Arguments arguments) => throw TemplateException.Type("'Cycler' object is not callable");

    public override string ToString() => "<jinja2.utils.Cycler object>";
}

/// <summary>Gives nothing the first time, then its separator.</summary>
internal sealed class Joiner(object? separator) : Callable
{
    private bool _used;

    public override string TypeName => "Joiner";

    public override object? Call(Arguments arguments)
    {
        arguments.Bind("Joiner.__call__");
        bool used = _used;
        _used = true;
        return used ? separator : "";
    }

    public override string ToString() => "<jinja2.utils.Joiner object>";
}
