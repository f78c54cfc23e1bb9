using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace TuneSharp.Tokenizers;

/// <summary>
/// Answers JSON lines with JSON lines, for <c>tune tokenize</c>: {"text": …} or {"ids": […]} gives {"ids", "tokens",
/// "decoded"}, {"messages": …} gives {"rendered"}, and whatever goes wrong gives {"error"}.
/// </summary>
public sealed class TokenizeSession
{
    private static readonly JsonWriterOptions Output = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly ITokenizer _tokenizer;
    private readonly bool _special;
    private readonly Func<JsonElement, string>? _render;

    /// <summary>Makes a session.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="special">Add special tokens when encoding, and keep them when decoding; otherwise neither.</param>
    /// <param name="render">Renders a chat template with a line's variables; null if there is no template.</param>
    public TokenizeSession(ITokenizer tokenizer, bool special, Func<JsonElement, string>? render = null)
    {
        _tokenizer = tokenizer;
        _special = special;
        _render = render;
    }

    /// <summary>Answers one line.</summary>
    /// <param name="line">A JSON object.</param>
    /// <returns>A JSON object on one line, without its line end.</returns>
    public string Answer(string line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return Answer(document.RootElement);
        }
        catch (JsonException e)
        {
            return Error($"The line is not JSON: {e.Message}");
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidOperationException)
        {
            return Error(e.Message);
        }
    }

    /// <summary>The answer to a line that cannot be served.</summary>
    /// <param name="message">What went wrong.</param>
    public static string Failed(string message) => Error(message);

    private string Answer(JsonElement request)
    {
        if (request.ValueKind != JsonValueKind.Object)
        {
            return Error($"A line is an object with text, ids or messages; this is {request.GetRawText()}.");
        }

        bool hasMessages = request.TryGetProperty("messages", out _);
        if (hasMessages || (_render is not null && !request.TryGetProperty("text", out _) && !request.TryGetProperty("ids", out _)))
        {
            return _render is null
                ? Error("This line has messages, and there is no chat template to write them with. Name one with --chat-template, or the folder of a model that has one.")
                : Write(json => json.WriteString("rendered", _render(request)));
        }

        if (request.TryGetProperty("text", out JsonElement text))
        {
            return text.ValueKind == JsonValueKind.String ? Encoded(text.GetString()!) : Error($"text should be a string; it is {text.GetRawText()}.");
        }

        return request.TryGetProperty("ids", out JsonElement ids)
            ? Decoded(ids)
            : Error("A line needs text, ids or messages.");
    }

    private string Encoded(string text)
    {
        if (_tokenizer is not IOffsetTokenizer tokenizer)
        {
            return Described(_tokenizer.Encode(text, _special));
        }

        TokenEncoding encoding = tokenizer.EncodeFull(text, _special);
        return Described(encoding.Ids, encoding.Tokens);
    }

    private string Decoded(JsonElement ids)
    {
        if (ids.ValueKind != JsonValueKind.Array)
        {
            return Error($"ids should be a list of numbers; it is {ids.GetRawText()}.");
        }

        List<int> numbers = [];
        foreach (JsonElement id in ids.EnumerateArray())
        {
            if (id.ValueKind != JsonValueKind.Number || !id.TryGetInt32(out int number))
            {
                return Error($"ids should be a list of numbers; {id.GetRawText()} is in it.");
            }

            numbers.Add(number);
        }

        return Described([.. numbers]);
    }

    private string Described(int[] ids, string[]? tokens = null)
    {
        string decoded = _tokenizer.Decode(ids, skipSpecialTokens: !_special);
        return Write(json =>
        {
            json.WriteStartArray("ids");
            foreach (int id in ids)
            {
                json.WriteNumberValue(id);
            }

            json.WriteEndArray();
            json.WriteStartArray("tokens");
            for (int i = 0; i < ids.Length; i++)
            {
                json.WriteStringValue(tokens is null
                    ? _tokenizer.IdToToken(ids[i]) ?? ids[i].ToString(CultureInfo.InvariantCulture)
                    : tokens[i]);
            }

            json.WriteEndArray();
            json.WriteString("decoded", decoded);
        });
    }

    private static string Error(string message) => Write(json => json.WriteString("error", message));

    private static string Write(Action<Utf8JsonWriter> fields)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream, Output))
        {
            json.WriteStartObject();
            fields(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }
}
