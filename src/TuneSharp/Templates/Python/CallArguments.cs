using System.Globalization;

namespace TuneSharp.Templates;

/// <summary>The values of a call.</summary>
internal sealed record CallArguments(IReadOnlyList<object?> Positional, IReadOnlyList<KeyValuePair<string, object?>> Named)
{
    /// <summary>Marks a parameter that must be given.</summary>
    public static object Required { get; } = new();

    public static CallArguments Of(params object?[] positional) => new(positional, []);

    public object? NamedOr(string name, object? fallback)
    {
        foreach ((string key, object? value) in Named)
        {
            if (key == name)
            {
                return value;
            }
        }

        return fallback;
    }

    /// <summary>Values by parameter, in order, with Python's messages where they do not fit.</summary>
    public object?[] Bind(string function, params (string Name, object? Default)[] parameters)
    {
        if (Positional.Count > parameters.Length)
        {
            int required = parameters.Count(p => ReferenceEquals(p.Default, Required));
            string takes = required == parameters.Length
                ? string.Create(CultureInfo.InvariantCulture, $"{required} positional argument{(required == 1 ? "" : "s")}")
                : string.Create(CultureInfo.InvariantCulture, $"from {required} to {parameters.Length} positional arguments");
            throw TemplateException.Type(string.Create(
                CultureInfo.InvariantCulture, $"{function}() takes {takes} but {Positional.Count} {(Positional.Count == 1 ? "was" : "were")} given"));
        }

        object?[] values = [.. parameters.Select((p, i) => i < Positional.Count ? Positional[i] : p.Default)];
        foreach ((string name, object? value) in Named)
        {
            int at = Array.FindIndex(parameters, p => p.Name == name);
            if (at < 0)
            {
                throw TemplateException.Type($"{function}() got an unexpected keyword argument '{name}'");
            }

            if (at < Positional.Count)
            {
                throw TemplateException.Type($"{function}() got multiple values for argument '{name}'");
            }

            values[at] = value;
        }

        string[] missing = [.. parameters.Where((_, i) => ReferenceEquals(values[i], Required)).Select(p => $"'{p.Name}'")];
        return missing.Length == 0 ? values : throw TemplateException.Type(string.Create(
            CultureInfo.InvariantCulture,
            $"{function}() missing {missing.Length} required positional argument{(missing.Length == 1 ? "" : "s")}: {Series(missing)}"));
    }

    private static string Series(string[] names) => names.Length < 3
        ? string.Join(" and ", names)
        : $"{string.Join(", ", names[..^1])}, and {names[^1]}";
}
