using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace TuneSharp.Data;

/// <summary>JSON text to a <see cref="Row"/>.</summary>
internal static class JsonRowParser
{
    private static readonly JsonReaderOptions Options = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = false };

    /// <summary>Checks that a text is one JSON object, all of whose texts are right.</summary>
    /// <returns>What is wrong, and the line and the byte where, from 0; null when nothing is.</returns>
    public static (string Problem, long Line, long Byte)? Check(ReadOnlySpan<byte> json)
    {
        string column = "";
        try
        {
            Utf8JsonReader reader = new(json, Options);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                return ($"a row must be an object, {{\"column\": value}}, not {Name(reader.TokenType)}", 0, 0);
            }

            bool isUtf8 = Utf8.IsValid(json);
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1)
                {
                    column = KeyOf(ref reader);
                }

                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && TextProblem(ref reader, isUtf8) is { } problem)
                {
                    string where = reader.TokenType == JsonTokenType.PropertyName ? "the name of a column" : $"column '{column}'";
                    return (column.Length == 0 ? problem : $"{where} holds {problem}", 0, reader.TokenStartIndex);
                }
            }

            return null;
        }
        catch (JsonException e)
        {
            return (Reason(e), e.LineNumber ?? 0, e.BytePositionInLine ?? 0);
        }
    }

    private static string? TextProblem(ref Utf8JsonReader reader, bool isUtf8)
    {
        if (!isUtf8 && !Utf8.IsValid(reader.ValueSpan))
        {
            return "invalid UTF-8";
        }

        if (!reader.ValueIsEscaped || (reader.ValueSpan.IndexOf("\\ud"u8) < 0 && reader.ValueSpan.IndexOf("\\uD"u8) < 0))
        {
            return null;
        }

        try
        {
            reader.GetString();
            return null;
        }
        catch (InvalidOperationException)
        {
            return "half a character (a lone surrogate such as \\ud83d)";
        }
    }

    private static string KeyOf(ref Utf8JsonReader reader) => Encoding.UTF8.GetString(reader.ValueSpan);

    /// <summary>Reads one object.</summary>
    /// <param name="json">The object's text, checked before.</param>
    /// <param name="columns">Column names of another row of the file: shared when they are the same.</param>
    /// <param name="place">For messages.</param>
    public static Row Parse(ReadOnlySpan<byte> json, IReadOnlyList<string>? columns, string place)
    {
        Utf8JsonReader reader = new(json, Options);
        reader.Read();
        return ReadRow(ref reader, columns, place);
    }

    /// <summary>Reads the names of an object's keys.</summary>
    public static string[] Keys(ReadOnlySpan<byte> json) => [.. Parse(json, null, "").Columns];

    /// <summary>The library's words without the coordinates that it appends: we give our own.</summary>
    public static string Reason(JsonException e)
    {
        int cut = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return (cut < 0 ? e.Message : e.Message[..cut]).TrimEnd('.');
    }

    private static string Name(JsonTokenType type) => type switch
    {
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => "text",
        JsonTokenType.Number => "a number",
        JsonTokenType.Null => "null",
        _ => "a truth value",
    };

    private static Row ReadRow(ref Utf8JsonReader reader, IReadOnlyList<string>? shared, string place)
    {
        List<object?> values = new(shared?.Count ?? 4);
        List<string>? own = shared is null ? [] : null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            int i = values.Count;
            if (own is null && (i >= shared!.Count || !reader.ValueTextEquals(shared[i])))
            {
                own = [.. shared.Take(i)];
            }

            try
            {
                own?.Add(reader.GetString()!);
                reader.Read();
                values.Add(ReadValue(ref reader, place));
            }
            catch (InvalidOperationException e)
            {
                string column = own is null ? shared![i] : own.Count > i ? own[i] : "?";
                throw new DatasetException($"{place}: column '{column}' is not UTF-8. Write the file anew in UTF-8, or remove the row.", e);
            }
        }

        own = own ?? (values.Count == shared!.Count ? null : [.. shared.Take(values.Count)]);
        return new Row(own ?? shared!, values, place);
    }

    private static object? ReadValue(ref Utf8JsonReader reader, string place)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                return reader.GetString();
            case JsonTokenType.Number:
                return reader.TryGetInt64(out long whole) ? (object)whole : reader.GetDouble();
            case JsonTokenType.True:
                return true;
            case JsonTokenType.False:
                return false;
            case JsonTokenType.StartObject:
                return ReadRow(ref reader, null, place);
            case JsonTokenType.StartArray:
                List<object?> items = [];
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    items.Add(ReadValue(ref reader, place));
                }

                return items;
            default:
                return null;
        }
    }
}
