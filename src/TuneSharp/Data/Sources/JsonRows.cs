using System.Text.Json;
using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>Rows of a JSON or JSONL file: their places are kept, the text is parsed when a row is asked for.</summary>
/// <remarks>
/// A file whose first line is a whole JSON object holds one row per line and is never read whole, so it may be larger than
/// memory. Anything else is one JSON value: a list of objects, or one object with the list under <c>field</c>.
/// </remarks>
internal sealed class JsonRows : IRowSource
{
    private readonly string _path;
    private readonly byte[]? _text;
    private readonly List<(long Offset, int Length, int Line)> _rows = [];
    private readonly string[]? _columns;

    public JsonRows(string path, string? field)
    {
        _path = path;
        bool lines = DataFile.Extension(path) is ".jsonl" or ".ndjson" or ".jsonlines";
        _text = DataFile.IsCompressed(path) ? DataFile.ReadAll(path) : null;
        if (lines || (field is null && FirstLineIsARow()))
        {
            using Stream stream = _text is null ? File.OpenRead(path) : new MemoryStream(_text, writable: false);
            ScanLines(stream);
        }
        else
        {
            _text ??= DataFile.ReadAll(path);
            ScanWhole(_text, field);
        }

        _columns = _rows.Count == 0 ? null : JsonRowParser.Keys(Bytes(0));
    }

    public int Count => _rows.Count;

    public Row this[int index] =>
        JsonRowParser.Parse(Bytes(index), _columns, $"{Path.GetFileName(_path)}, line {_rows[index].Line}");

    private ReadOnlySpan<byte> Bytes(int index)
    {
        (long offset, int length, _) = _rows[index];
        return _text is null ? DataFile.ReadAt(_path, offset, length) : _text.AsSpan((int)offset, length);
    }

    private bool FirstLineIsARow()
    {
        using Stream stream = _text is null ? File.OpenRead(_path) : new MemoryStream(_text, writable: false);
        foreach ((ReadOnlyMemory<byte> line, _, _) in ByteLines.Of(stream))
        {
            ReadOnlySpan<byte> text = line.Span.Trim(" \t\r"u8);
            if (text.Length > 0)
            {
                return text[0] == (byte)'{' && JsonRowParser.Check(text) is null;
            }
        }

        return false;
    }

    private void ScanLines(Stream stream)
    {
        foreach ((ReadOnlyMemory<byte> line, long offset, int number) in ByteLines.Of(stream))
        {
            ReadOnlySpan<byte> text = line.Span.TrimEnd(" \t\r"u8);
            int blank = text.Length - text.TrimStart(" \t\r"u8).Length;
            text = text[blank..];
            if (text.Length == 0)
            {
                continue;
            }

            if (JsonRowParser.Check(text) is var (problem, at))
            {
                throw new DatasetException(
                    $"{_path}, line {number}, byte {blank + at + 1}: {problem}. Every line of a JSONL file is one JSON object.");
            }

            _rows.Add((offset + blank, text.Length, number));
        }
    }

    private void ScanWhole(byte[] text, string? field)
    {
        LineCounter lines = new(text);
        int start = text.AsSpan().StartsWith(ByteLines.Bom) ? ByteLines.Bom.Length : 0;
        Utf8JsonReader reader = new(text.AsSpan(start), new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip });
        try
        {
            if (!text.AsSpan(start).ContainsAnyExcept(" \t\r\n"u8))
            {
                return;
            }

            reader.Read();
            if (field is not null)
            {
                FindField(ref reader, field);
            }

            if (reader.TokenType != JsonTokenType.StartArray)
            {
                AddOne(ref reader, start, lines);
                return;
            }

            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                AddOne(ref reader, start, lines);
            }

            while (reader.Read())
            {
            }
        }
        catch (JsonException e)
        {
            throw new DatasetException(
                $"{_path}, line {(e.LineNumber ?? 0) + 1}, byte {(e.BytePositionInLine ?? 0) + 1}: {JsonRowParser.Reason(e)}. " +
                "A JSON data file holds a list of objects, or one object with the list under a key that `field` names.",
                e);
        }
    }

    private void AddOne(ref Utf8JsonReader reader, int start, LineCounter lines)
    {
        long from = start + reader.TokenStartIndex;
        int line = lines.At(from);
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new DatasetException(
                $"{_path}, line {line}: a row must be an object, {{\"column\": value}}. " +
                "A JSON data file holds a list of objects, or one object with the list under a key that `field` names.");
        }

        reader.Skip();
        _rows.Add((from, checked((int)(start + reader.BytesConsumed - from)), line));
    }

    private void FindField(ref Utf8JsonReader reader, string field)
    {
        List<string> keys = [];
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals(field))
                {
                    reader.Read();
                    return;
                }

                keys.Add(reader.GetString()!);
                reader.Skip();
            }
        }

        string what = keys.Count == 0 ? "The file holds a list: leave field out." : $"Its keys: {string.Join(", ", keys)}.";
        throw new DatasetException($"{_path}: there is no field '{field}'. {what}{NearestName.Hint(field, keys)}");
    }

    /// <summary>Line numbers of growing offsets.</summary>
    private sealed class LineCounter(byte[] text)
    {
        private long _at;
        private int _line = 1;

        public int At(long offset)
        {
            _line += text.AsSpan((int)_at, (int)(offset - _at)).Count((byte)'\n');
            _at = offset;
            return _line;
        }
    }
}
