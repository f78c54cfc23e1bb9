using System.Globalization;
using System.Numerics;

namespace TuneSharp.Templates;

/// <summary>What a filter does with its value.</summary>
internal delegate object? Filter(Interpreter run, object? value, CallArguments arguments);

/// <summary>Jinja2's filters, and transformers' <c>tojson</c>. Reference: jinja2/filters.py.</summary>
internal static partial class Filters
{
    private static readonly object Required = CallArguments.Required;
    private static readonly Dictionary<string, Filter> All = Build();

    public static bool Contains(string name) => All.ContainsKey(name);

    public static Filter Get(string name) => All.TryGetValue(name, out Filter? filter)
        ? filter
        : throw new TemplateException("TemplateRuntimeError", $"No filter named {PyText.Repr(name)} found.");

    /// <summary>Escapes for HTML.</summary>
    public static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace("'", "&#39;", StringComparison.Ordinal).Replace("\"", "&#34;", StringComparison.Ordinal);

    private static Dictionary<string, Filter> Build()
    {
        Dictionary<string, Filter> all = new(StringComparer.Ordinal)
        {
            ["abs"] = (_, v, a) => Bound(a, "abs") is [] && v is double d ? Math.Abs(d) : PyNumber.IsInt(v) ? PyNumber.Normal(BigInteger.Abs(PyNumber.Big(v)))
                : throw (v is PyUndefined u ? u.Error : TemplateException.Type($"bad operand type for abs(): '{PyType.Name(v)}'")),
            ["attr"] = (_, v, a) => Attr(v, PyText.Str(Bound(a, "attr", ("name", Required))[0])),
            ["capitalize"] = (_, v, a) => Bound(a, "capitalize") is [] ? StrMethods.Capitalize(PyText.Str(v)) : null,
            ["center"] = (_, v, a) => CallStr(PyText.Str(v), "center", Bound(a, "center", ("width", 80L))[0]),
            ["default"] = (_, v, a) => Bound(a, "default", ("default_value", ""), ("boolean", false)) is var b && (v is PyUndefined || (PyOps.Truth(b[1]) && !PyOps.Truth(v))) ? b[0] : v,
            ["escape"] = (_, v, a) => Bound(a, "escape") is [] && v is PyMarkup ? v : new PyMarkup(Escape(PyText.Str(v))),
            ["forceescape"] = (_, v, a) => Bound(a, "forceescape") is [] ? new PyMarkup(Escape(PyText.Str(v))) : null,
            ["filesizeformat"] = (_, v, a) => FileSize(v, PyOps.Truth(Bound(a, "filesizeformat", ("binary", false))[0])),
            ["float"] = (_, v, a) => ToFloat(v, Bound(a, "float", ("default", 0.0))[0]),
            ["format"] = (_, v, a) => a.Named.Count == 0
                ? PercentFormat.Apply(PyText.Str(v), new PyTuple(a.Positional))
                : a.Positional.Count == 0 ? PercentFormat.Apply(PyText.Str(v), DictOf(a.Named))
                : throw new TemplateException("FilterArgumentError", "can't handle positional and keyword arguments at the same time"),
            ["indent"] = (_, v, a) => Indent(v, Bound(a, "indent", ("width", 4L), ("first", false), ("blank", false))),
            ["int"] = (_, v, a) => ToInt(v, Bound(a, "int", ("default", 0L), ("base", 10L))),
            ["length"] = (_, v, a) => Bound(a, "length") is [] ? PyOps.Length(v) : null,
            ["lower"] = (_, v, a) => Bound(a, "lower") is [] ? PyText.Str(v).ToLowerInvariant() : null,
            ["pprint"] = (_, v, a) => Bound(a, "pprint") is [] ? PyText.Repr(v) : null,
            ["replace"] = (_, v, a) => Replace(v, Bound(a, "replace", ("old", Required), ("new", Required), ("count", null))),
            ["round"] = (_, v, a) => Round(v, Bound(a, "round", ("precision", 0L), ("method", "common"))),
            ["safe"] = (_, v, a) => Bound(a, "safe") is [] ? new PyMarkup(PyText.Str(v)) : null,
            ["string"] = (_, v, a) => Bound(a, "string") is [] && v is PyMarkup ? v : PyText.Str(v),
            ["striptags"] = (_, v, a) => Bound(a, "striptags") is [] ? StripTags(PyText.Str(v)) : null,
            ["title"] = (_, v, a) => Bound(a, "title") is [] ? TitleWords(PyText.Str(v)) : null,
            ["tojson"] = (_, v, a) => ToJson(v, Bound(a, "tojson", ("ensure_ascii", false), ("indent", null), ("separators", null), ("sort_keys", false))),
            ["trim"] = (_, v, a) => StrMethods.Strip(PyText.Str(v), Bound(a, "trim", ("chars", null))[0], start: true, end: true),
            ["truncate"] = (_, v, a) => Truncate(PyText.Str(v), Bound(a, "truncate", ("length", 255L), ("killwords", false), ("end", "..."), ("leeway", null))),
            ["upper"] = (_, v, a) => Bound(a, "upper") is [] ? StrMethods.Upper(PyText.Str(v)) : null,
            ["urlencode"] = (_, v, a) => Bound(a, "urlencode") is [] ? UrlEncode(v) : null,
            ["wordcount"] = (_, v, a) => Bound(a, "wordcount") is [] ? Words(PyText.Str(v)) : null,
            ["wordwrap"] = (_, v, a) => WordWrap(
                PyText.Str(v), Bound(a, "wordwrap", ("width", 79L), ("break_long_words", true), ("wrapstring", null), ("break_on_hyphens", true))),
            ["xmlattr"] = (_, v, a) => XmlAttributes(v, PyOps.Truth(Bound(a, "xmlattr", ("autospace", true))[0])),
        };
        AddSequences(all);
        (all["d"], all["e"], all["count"]) = (all["default"], all["escape"], all["length"]);
        return all;
    }

    private static object?[] Bound(CallArguments arguments, string filter, params (string Name, object? Default)[] parameters) =>
        arguments.Bind("do_" + filter, parameters);

    private static object? Attr(object? value, string name) => value is not PyUndefined && PyAttributes.TryOwn(value, name, out object? found)
        ? PyAttributes.Attribute(value, name) is var checkedValue ? checkedValue : found
        : PyUndefined.Member(value, name);

    private static PyDict DictOf(IReadOnlyList<KeyValuePair<string, object?>> named)
    {
        PyDict dict = new();
        foreach ((string key, object? value) in named)
        {
            dict.Set(key, value);
        }

        return dict;
    }

    private static object? CallStr(string text, string method, params object?[] arguments) => StrMethods.Find(text, method)!.Call(CallArguments.Of(arguments));

    private static object? ToInt(object? value, object?[] bound)
    {
        switch (value)
        {
            case PyUndefined undefined: throw undefined.Error;
            case double d: return double.IsFinite(d) ? PyNumber.Normal(new BigInteger(Math.Truncate(d))) : bound[0];
            case null: return bound[0];
            default:
                if (PyNumber.IsInt(value))
                {
                    return PyNumber.Normal(PyNumber.Big(value));
                }

                if (PyOps.Text(value) is not { } text)
                {
                    return bound[0];
                }

                return ParseInt(text, (int)PyNumber.Long(bound[1])) is { } n ? PyNumber.Normal(n)
                    : ParseFloat(text) is { } f && double.IsFinite(f) ? PyNumber.Normal(new BigInteger(Math.Truncate(f)))
                    : bound[0];
        }
    }

    private static BigInteger? ParseInt(string text, int radix)
    {
        string digits = PyText.Trim(text).ToLowerInvariant();
        bool negative = digits.StartsWith('-');
        digits = negative || digits.StartsWith('+') ? digits[1..] : digits;
        (string Prefix, int Radix)[] prefixes = [("0x", 16), ("0o", 8), ("0b", 2)];
        foreach ((string prefix, int its) in prefixes)
        {
            if (digits.StartsWith(prefix, StringComparison.Ordinal) && (radix == its || radix == 0))
            {
                (digits, radix) = (digits[2..].TrimStart('_'), its);
                break;
            }
        }

        radix = radix == 0 ? 10 : radix;
        if (digits.Length == 0 || digits.StartsWith('_') || digits.EndsWith('_') || digits.Contains("__", StringComparison.Ordinal))
        {
            return null;
        }

        BigInteger value = 0;
        foreach (char c in digits.Where(c => c != '_'))
        {
            int digit = char.IsDigit(c) ? (int)char.GetNumericValue(c) : PyNumber.Digit(c);
            if (digit >= radix)
            {
                return null;
            }

            value = (value * radix) + digit;
        }

        return negative ? -value : value;
    }

    private static double? ParseFloat(string text)
    {
        string trimmed = PyText.Trim(text);
        string bare = trimmed.TrimStart('+', '-').ToLowerInvariant();
        if (bare is "inf" or "infinity" or "nan")
        {
            return bare == "nan" ? double.NaN : trimmed[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
        }

        return double.TryParse(trimmed.Replace("_", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out double value)
            ? value
            : null;
    }

    private static object? ToFloat(object? value, object? fallback) => value switch
    {
        PyUndefined undefined => throw undefined.Error,
        null => fallback,
        _ when PyNumber.IsNumber(value) => PyNumber.Float(value),
        _ => PyOps.Text(value) is { } text && ParseFloat(text) is { } parsed ? parsed : fallback,
    };

    private static object? Round(object? value, object?[] bound)
    {
        if (value is PyUndefined undefined)
        {
            throw undefined.Error;
        }

        string method = PyText.Str(bound[1]);
        if (method is not ("common" or "ceil" or "floor"))
        {
            throw new TemplateException("FilterArgumentError", "method must be common, ceil or floor");
        }

        if (!PyNumber.IsNumber(value))
        {
            throw TemplateException.Type($"type {PyType.Name(value)} doesn't define __round__ method");
        }

        int digits = (int)PyNumber.Long(bound[0]);
        if (method == "common")
        {
            return value is double d ? PyNumber.Round(d, digits) : RoundInt(PyNumber.Big(value), digits);
        }

        double scale = Math.Pow(10, digits);
        double scaled = PyNumber.Float(value) * scale;
        return (method == "ceil" ? Math.Ceiling(scaled) : Math.Floor(scaled)) / scale;
    }

    private static object RoundInt(BigInteger value, int digits)
    {
        if (digits >= 0)
        {
            return PyNumber.Normal(value);
        }

        BigInteger unit = BigInteger.Pow(10, Math.Min(-digits, 10_000));
        BigInteger quotient = BigInteger.DivRem(BigInteger.Abs(value), unit, out BigInteger rest);
        int half = (rest * 2).CompareTo(unit);
        quotient += half > 0 || (half == 0 && !quotient.IsEven) ? 1 : 0;
        return PyNumber.Normal(value.Sign * quotient * unit);
    }

    private static string FileSize(object? value, bool binary)
    {
        double bytes = PyOps.Text(value) is { } text ? ParseFloat(text) ?? throw TemplateException.Value($"could not convert string to float: {PyText.Repr(text)}") : PyNumber.Float(value);
        double unit = binary ? 1024 : 1000;
        string[] prefixes = binary ? ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"] : ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
        if (bytes == 1)
        {
            return "1 Byte";
        }

        if (bytes < unit)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{new BigInteger(bytes)} Bytes");
        }

        double size = unit;
        for (int i = 0; ; i++)
        {
            size *= unit;
            if (bytes < size || i == prefixes.Length - 1)
            {
                return $"{PyNumber.Exact(unit * bytes / size, 1)} {prefixes[i]}";
            }
        }
    }

    private static string ToJson(object? value, object?[] bound)
    {
        (string item, string key) = (bound[1] is null ? ", " : ",", ": ");
        if (bound[2] is not null)
        {
            object?[] pair = [.. PyOps.Iterate(bound[2])];
            (item, key) = pair.Length == 2 ? (PyText.Str(pair[0]), PyText.Str(pair[1])) : throw TemplateException.Value("separators must be a pair");
        }

        string? indent = bound[1] switch
        {
            null => null,
            _ when PyOps.Text(bound[1]) is { } text => text,
            _ => new string(' ', (int)Math.Clamp(PyNumber.Long(bound[1]), 0, 1000)),
        };
        return value is PyUndefined ? throw TemplateException.Type("Object of type Undefined is not JSON serializable")
            : PyJson.Dumps(value, indent, item, key, PyOps.Truth(bound[3]), PyOps.Truth(bound[0]));
    }
}
