namespace TuneSharp.Config;

/// <summary>Single values: text, numbers, yes and no, names of enums and dtypes.</summary>
internal static class ScalarBinder
{
    /// <summary>Names of dtypes, and TorchSharp's names for them (matched by name: this floor does not know TorchSharp).</summary>
    private static readonly Dictionary<string, string> DtypeNames = new(StringComparer.OrdinalIgnoreCase)
    {
        ["bf16"] = "BFloat16", ["bfloat16"] = "BFloat16",
        ["fp32"] = "Float32", ["float32"] = "Float32", ["float"] = "Float32",
        ["fp64"] = "Float64", ["float64"] = "Float64", ["double"] = "Float64",
    };

    /// <summary>Converts a node to a scalar type.</summary>
    /// <param name="type">The type, without <c>Nullable</c>.</param>
    /// <param name="node">The node; not null.</param>
    /// <exception cref="FormatException">It does not fit; the message continues a sentence that began with the key.</exception>
    public static object Bind(Type type, ConfigNode node)
    {
        if (type == typeof(string))
        {
            return node.Words is { } words && node is not ConfigScalar ? words
                : node is ConfigScalar s ? s.Text
                : throw new FormatException("must be text; a list or a section stands here.");
        }

        if (node is not ConfigScalar scalar)
        {
            throw new FormatException($"must be {Describe(type)}; a list or a section stands here.");
        }

        object? value = scalar.Value;
        if (type.IsEnum)
        {
            return type.Name == "ScalarType" ? Dtype(type, scalar) : Enumeration(type, scalar);
        }

        return type switch
        {
            _ when type == typeof(bool) => value as bool? ?? (scalar is { Value: string text, IsQuoted: false } ? YesNo(text) : null),
            _ when type == typeof(int) => Whole(value) is { } n && n is >= int.MinValue and <= int.MaxValue ? (int)n : null,
            _ when type == typeof(long) => Whole(value),
            _ when type == typeof(double) => Real(scalar),
            _ when type == typeof(float) => Real(scalar) is { } d ? (float)d : null,
            _ => (object?)null,
        } ?? throw new FormatException($"must be {Describe(type)}; `{scalar.Text}` is {Kind(scalar)}.{Advice(type, scalar)}");
    }

    /// <summary>The short name of a dtype in TorchSharp's spelling.</summary>
    public static string DtypeName(string torchSharpName) =>
        DtypeNames.FirstOrDefault(p => p.Value == torchSharpName).Key ?? torchSharpName;

    private static object Dtype(Type type, ConfigScalar scalar)
    {
        string name = scalar.Text.StartsWith("torch.", StringComparison.Ordinal) ? scalar.Text[6..] : scalar.Text;
        if (DtypeNames.TryGetValue(name, out string? known))
        {
            return Enum.Parse(type, known);
        }

        throw new FormatException(name is "fp16" or "float16" or "half"
            ? "fp16 is not supported for training: its range is too small for gradients without loss scaling. Use bf16 or fp32."
            : $"must be one of bf16, fp32, fp64; `{scalar.Text}` is none of them.");
    }

    private static object Enumeration(Type type, ConfigScalar scalar)
    {
        string wanted = Fold(scalar.Text);
        string[] names = Enum.GetNames(type);
        string? match = Array.Find(names, n => ConfigMember.EnumKey(type, n) == scalar.Text)
            ?? Array.Find(names, n => Fold(n) == wanted || Fold(ConfigMember.EnumKey(type, n)) == wanted);
        if (match is not null)
        {
            return Enum.Parse(type, match);
        }

        string[] keys = [.. names.Select(n => ConfigMember.EnumKey(type, n))];
        throw new FormatException($"must be one of {string.Join(", ", keys)}; `{scalar.Text}` is none of them.{NearestName.Hint(scalar.Text, keys)}");
    }

    private static string Fold(string name) =>
        name.Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal).ToUpperInvariant();

    private static long? Whole(object? value) => value switch
    {
        long n => n,
        double d when Math.Floor(d) == d && Math.Abs(d) < 1L << 53 => (long)d, // 1e6 is how people write a million
        _ => null,
    };

    private static double? Real(ConfigScalar scalar) => scalar.Value switch
    {
        double d => d,
        long n => n,
        "inf" or "Infinity" => double.PositiveInfinity, // torchtune: clip_grad_norm: 'inf' only measures
        "-inf" => double.NegativeInfinity,
        "nan" => double.NaN,
        _ => null,
    };

    private static bool? YesNo(string text) => text switch
    {
        "y" or "Y" => true,
        "n" or "N" => false,
        _ => null,
    };

    private static string Describe(Type type) =>
        type == typeof(bool) ? "True or False"
        : type == typeof(int) || type == typeof(long) ? "a whole number"
        : type.IsEnum ? "one of its names"
        : "a number";

    private static string Kind(ConfigScalar scalar) => scalar.Value switch
    {
        string when scalar.IsQuoted => "quoted text",
        string => "text",
        bool => "a yes or no",
        _ => "a number",
    };

    private static string Advice(Type type, ConfigScalar scalar) =>
        scalar is { IsQuoted: true } && type != typeof(bool) && YamlScalars.Resolve(scalar.Text) is long or double ? " Remove the quotes."
        : type == typeof(int) && Whole(scalar.Value) is not null ? " It is too large."
        : "";
}
