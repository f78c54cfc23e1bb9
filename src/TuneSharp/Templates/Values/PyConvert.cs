using System.Collections;
using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace TuneSharp.Templates;

/// <summary>.NET's and JSON's values as a template's.</summary>
internal static class PyConvert
{
    public static object? From(object? value) => value switch
    {
        null or bool or string or BigInteger or double or PyDict or PyList => value,
        JsonElement json => FromJson(json),
        float f => (double)f,
        decimal d => (double)d,
        sbyte or byte or short or ushort or int or uint or long => (BigInteger)Convert.ToInt64(value, CultureInfo.InvariantCulture),
        ulong u => (BigInteger)u,
        IEnumerable<KeyValuePair<string, object?>> map => FromPairs(map),
        IDictionary map => FromPairs(map.Keys.Cast<object>().Select(k => KeyValuePair.Create(k.ToString()!, map[k]))),
        IEnumerable items => new PyList([.. items.Cast<object?>().Select(From)]),
        _ => throw new ArgumentException($"A template cannot use a value of type {value.GetType().Name}.", nameof(value)),
    };

    private static PyDict FromPairs(IEnumerable<KeyValuePair<string, object?>> pairs)
    {
        PyDict dict = new();
        foreach ((string key, object? value) in pairs)
        {
            dict.Set(key, From(value));
        }

        return dict;
    }

    private static object? FromJson(JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.String:
                return json.GetString();
            case JsonValueKind.True or JsonValueKind.False:
                return json.GetBoolean();
            case JsonValueKind.Number:
                string text = json.GetRawText();
                return text.AsSpan().ContainsAny('.', 'e', 'E')
                    ? double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture)
                    : BigInteger.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            case JsonValueKind.Array:
                return new PyList([.. json.EnumerateArray().Select(FromJson)]);
            case JsonValueKind.Object:
                PyDict dict = new();
                foreach (JsonProperty property in json.EnumerateObject())
                {
                    dict.Set(property.Name, FromJson(property.Value));
                }

                return dict;
            default:
                return null;
        }
    }
}
