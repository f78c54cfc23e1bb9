using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace TuneSharp.Data;

/// <summary>Values of rows as JSON again: tool calls and tools are handed to chat templates as they stood in the file.</summary>
internal static class RowJson
{
    private static readonly JsonWriterOptions AsWritten = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A value.</summary>
    public static JsonElement ToElement(object? value)
    {
        using MemoryStream bytes = new();
        using (Utf8JsonWriter writer = new(bytes, AsWritten))
        {
            Write(writer, value);
        }

        using JsonDocument document = JsonDocument.Parse(bytes.ToArray());
        return document.RootElement.Clone();
    }

    /// <summary>A value, or the JSON that a text holds: files without nested columns write lists so.</summary>
    /// <exception cref="DatasetException">The text is not JSON.</exception>
    public static JsonElement Read(object value, string place, string column)
    {
        if (value is not string text)
        {
            return ToElement(value);
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new DatasetException($"{place}: column '{column}' is a text that is not JSON ({JsonRowParser.Reason(e)}). Write a list of tools.", e);
        }
    }

    /// <summary>What is said in a turn, and its calls, each as <c>{"name": …, "parameters": …}</c>: how a model without a chat template of its own writes them.</summary>
    /// <remarks>The form is that of Llama 3.1, https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1.</remarks>
    public static string ContentAndCalls(this Message message)
    {
        if (message.ToolCalls is not { Count: > 0 } calls)
        {
            return message.Content;
        }

        StringBuilder text = new(message.Content);
        foreach (JsonElement call in calls)
        {
            JsonElement function = call.TryGetProperty("function", out JsonElement inner) ? inner : call;
            JsonElement arguments = function.TryGetProperty("arguments", out JsonElement given) ? given
                : function.TryGetProperty("parameters", out given) ? given : default;
            string parameters = arguments.ValueKind switch
            {
                JsonValueKind.Undefined or JsonValueKind.Null => "{}",
                JsonValueKind.String => arguments.GetString()!, // OpenAI writes the arguments as a text of JSON
                _ => arguments.GetRawText(),
            };
            string name = function.TryGetProperty("name", out JsonElement named) ? named.GetRawText() : "null";
            text.Append(text.Length > 0 ? "\n" : "").Append("{\"name\": ").Append(name).Append(", \"parameters\": ").Append(parameters).Append('}');
        }

        return text.ToString();
    }

    private static void Write(Utf8JsonWriter writer, object? value)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case bool truth:
                writer.WriteBooleanValue(truth);
                break;
            case long number:
                writer.WriteNumberValue(number);
                break;
            case double number:
                writer.WriteNumberValue(number);
                break;
            case Row row:
                writer.WriteStartObject();
                foreach (string column in row.Columns)
                {
                    writer.WritePropertyName(column);
                    Write(writer, row[column]);
                }

                writer.WriteEndObject();
                break;
            default:
                writer.WriteStartArray();
                foreach (object? item in (IReadOnlyList<object?>)value)
                {
                    Write(writer, item);
                }

                writer.WriteEndArray();
                break;
        }
    }
}
