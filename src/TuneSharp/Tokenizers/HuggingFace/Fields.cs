using System.Text;
using System.Text.Json;

namespace TuneSharp.Tokenizers;

/// <summary>
/// Reads the fields of one JSON object and remembers which were asked for: one that nobody asked for is an error, so that
/// nothing in a file is ignored.
/// </summary>
internal sealed class Fields
{
    private readonly JsonElement _object;
    private readonly string _where;
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    internal Fields(JsonElement element, string where)
    {
        _where = where;
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw new FormatException($"{where} should be an object; it is {Show(element)}.");
        }

        _object = element;
    }

    internal string Where => _where;

    internal JsonElement? Optional(string name)
    {
        _asked.Add(name);
        return _object.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    internal JsonElement Required(string name) =>
        Optional(name) ?? throw new FormatException($"{_where} has no {name}.");

    internal string Text(string name) => AsText(Required(name), name);

    internal string? OptionalText(string name) => Optional(name) is JsonElement value ? AsText(value, name) : null;

    internal bool Flag(string name, bool missing) => Optional(name) is not JsonElement value ? missing : value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong(name, value, "true or false"),
    };

    internal bool Flag(string name) => Flag(name, Required(name).ValueKind == JsonValueKind.True);

    internal int Integer(string name) => Required(name) is JsonElement value && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
        ? number
        : throw Wrong(name, Required(name), "a whole number");

    internal IEnumerable<JsonElement> List(string name) => Required(name) is JsonElement value && value.ValueKind == JsonValueKind.Array
        ? value.EnumerateArray()
        : throw Wrong(name, Required(name), "a list");

    internal byte[] Base64(string name)
    {
        try
        {
            return Convert.FromBase64String(Text(name));
        }
        catch (FormatException)
        {
            throw Wrong(name, Required(name), "base64");
        }
    }

    /// <summary>A one-character string.</summary>
    internal Rune Character(string name)
    {
        string text = Text(name);
        return Rune.TryGetRuneAt(text, 0, out Rune rune) && rune.Utf16SequenceLength == text.Length
            ? rune
            : throw Wrong(name, Required(name), "one character");
    }

    /// <summary>Fails if the object has a field that was never asked for.</summary>
    internal void Done()
    {
        string[] extra = [.. _object.EnumerateObject().Select(p => p.Name).Where(n => !_asked.Contains(n))];
        if (extra.Length > 0)
        {
            throw new FormatException($"{_where} has {string.Join(", ", extra)}, which this program does not understand.");
        }
    }

    internal FormatException Wrong(string name, JsonElement value, string wanted) =>
        new($"{_where}.{name} should be {wanted}; it is {Show(value)}.");

    private string AsText(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(name, value, "a string");

    private static string Show(JsonElement value)
    {
        string text = value.GetRawText();
        return text.Length <= 60 ? text : text[..60] + "…";
    }
}
