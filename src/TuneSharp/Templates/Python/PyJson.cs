using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;

namespace TuneSharp.Templates;

/// <summary>Python's <c>json.dumps</c>, and template values from JSON.</summary>
internal static class PyJson
{
    /// <summary>JSON as Python would read it.</summary>
    public static object? FromJson(JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.Null or JsonValueKind.Undefined: return null;
            case JsonValueKind.True or JsonValueKind.False: return json.GetBoolean();
            case JsonValueKind.String: return json.GetString();
            case JsonValueKind.Number:
                string text = json.GetRawText();
                return text.AsSpan().IndexOfAny(".eE") < 0
                    ? PyNumber.Normal(BigInteger.Parse(text, CultureInfo.InvariantCulture))
                    : double.Parse(text, CultureInfo.InvariantCulture);
            case JsonValueKind.Array: return new PyList([.. json.EnumerateArray().Select(FromJson)]);
            default:
                PyDict dict = new();
                foreach (JsonProperty property in json.EnumerateObject())
                {
                    dict.Set(property.Name, FromJson(property.Value));
                }

                return dict;
        }
    }

    /// <summary>.NET's values as Python's.</summary>
    /// <exception cref="ArgumentException">A value of a type that has no counterpart.</exception>
    public static object? FromObject(object? value)
    {
        switch (value)
        {
            case null or bool or long or double or string or PyList or PyDict: return value;
            case JsonElement json: return FromJson(json);
            case sbyte or byte or short or ushort or int or uint: return Convert.ToInt64(value, CultureInfo.InvariantCulture);
            case ulong n: return PyNumber.Normal(n);
            case BigInteger n: return PyNumber.Normal(n);
            case float or decimal: return Convert.ToDouble(value, CultureInfo.InvariantCulture);
            case IEnumerable<KeyValuePair<string, object?>> pairs:
                PyDict dict = new();
                foreach ((string key, object? item) in pairs)
                {
                    dict.Set(key, FromObject(item));
                }

                return dict;
            case System.Collections.IEnumerable items: return new PyList([.. items.Cast<object?>().Select(FromObject)]);
            default: throw new ArgumentException($"A template cannot read a {value.GetType().Name}. Give it text, numbers, booleans, lists, dictionaries or JSON.");
        }
    }

    public static string Dumps(object? value, string? indent, string itemSeparator, string keySeparator, bool sortKeys, bool ascii)
    {
        StringBuilder text = new();
        Write(value, text, new Options(indent, itemSeparator, keySeparator, sortKeys, ascii), 0);
        return PyOps.Sized(text.ToString());
    }

    private static void Write(object? value, StringBuilder to, Options options, int depth)
    {
        if (depth > 200)
        {
            throw new TemplateException("RecursionError", "maximum recursion depth exceeded while encoding a JSON object");
        }

        switch (value)
        {
            case null: to.Append("null"); break;
            case bool b: to.Append(b ? "true" : "false"); break;
            case long or BigInteger: to.Append(PyText.Str(value)); break;
            case double d: to.Append(Float(d)); break;
            case string or PyMarkup: Quote(PyOps.Text(value)!, to, options.Ascii); break;
            case PyList list: Items(list.Items, to, options, depth); break;
            case PyTuple tuple: Items(tuple.Items, to, options, depth); break;
            case PyDict dict: Dict(dict, to, options, depth); break;
            default: throw TemplateException.Type($"Object of type {PyType.Name(value)} is not JSON serializable");
        }
    }

    private static string Float(double d) => double.IsNaN(d) ? "NaN" : double.IsPositiveInfinity(d) ? "Infinity" : double.IsNegativeInfinity(d) ? "-Infinity" : PyText.Float(d);

    private static void Items(IReadOnlyList<object?> items, StringBuilder to, Options options, int depth)
    {
        if (items.Count == 0)
        {
            to.Append("[]");
            return;
        }

        to.Append('[');
        for (int i = 0; i < items.Count; i++)
        {
            Break(to, options, depth + 1, i > 0);
            Write(items[i], to, options, depth + 1);
        }

        Break(to, options, depth, false);
        to.Append(']');
    }

    private static void Dict(PyDict dict, StringBuilder to, Options options, int depth)
    {
        if (dict.Items.Count == 0)
        {
            to.Append("{}");
            return;
        }

        IReadOnlyList<KeyValuePair<object?, object?>> items = dict.Items;
        if (options.SortKeys)
        {
            List<KeyValuePair<object?, object?>> sorted = [.. items];
            items = [.. sorted.Order(Comparer<KeyValuePair<object?, object?>>.Create((a, b) => PyOps.Compare(a.Key, b.Key, "<")))];
        }

        to.Append('{');
        for (int i = 0; i < items.Count; i++)
        {
            Break(to, options, depth + 1, i > 0);
            Quote(Key(items[i].Key), to, options.Ascii);
            to.Append(options.KeySeparator);
            Write(items[i].Value, to, options, depth + 1);
        }

        Break(to, options, depth, false);
        to.Append('}');
    }

    private static string Key(object? key) => key switch
    {
        null => "null",
        bool b => b ? "true" : "false",
        double d => Float(d),
        long or BigInteger => PyText.Str(key),
        string or PyMarkup => PyOps.Text(key)!,
        _ => throw TemplateException.Type($"keys must be str, int, float, bool or None, not {PyType.Name(key)}"),
    };

    private static void Break(StringBuilder to, Options options, int depth, bool comma)
    {
        if (comma)
        {
            to.Append(options.ItemSeparator);
        }

        if (options.Indent is { } indent)
        {
            to.Append('\n');
            for (int i = 0; i < depth; i++)
            {
                to.Append(indent);
            }
        }
    }

    private static void Quote(string text, StringBuilder to, bool ascii)
    {
        to.Append('"');
        foreach (char c in text)
        {
            switch (c)
            {
                case '"': to.Append("\\\""); break;
                case '\\': to.Append("\\\\"); break;
                case '\n': to.Append("\\n"); break;
                case '\r': to.Append("\\r"); break;
                case '\t': to.Append("\\t"); break;
                case '\f': to.Append("\\f"); break;
                case '\b': to.Append("\\b"); break;
                default:
                    if (c < 0x20 || (ascii && c > 0x7E))
                    {
                        to.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    }
                    else
                    {
                        to.Append(c);
                    }

                    break;
            }
        }

        to.Append('"');
    }

    private sealed record Options(string? Indent, string ItemSeparator, string KeySeparator, bool SortKeys, bool Ascii);
}
