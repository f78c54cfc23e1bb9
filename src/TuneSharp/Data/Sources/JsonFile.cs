using System.Globalization;

namespace TuneSharp.Data;

/// <summary>A JSON or JSONL file, never read whole.</summary>
/// <remarks>
/// A file whose first line is a whole JSON object, or whose name says so, holds one row per line. Anything else is one JSON value:
/// a list of objects, or one object with the list under <c>field</c>.
/// </remarks>
internal sealed class JsonFile : RecordFile
{
    private const string Forms = "A JSON data file holds a list of objects, or one object with the list under a key that `field` names.";
    private readonly string? _field;
    private readonly bool _isLines;
    private string[]? _columns;

    public JsonFile(string path, string? field)
        : base(path)
    {
        _field = field;
        _isLines = DataFile.Extension(path) is ".jsonl" or ".ndjson" or ".jsonlines" || (field is null && FirstLineIsARow());
    }

    public override IEnumerable<FileRecord> Records(Stream stream, long offset, long line) =>
        _isLines ? Lines(stream, offset, line) : new JsonElements(Path, stream, offset, line).Rows(_field);

    public override DatasetException? Problem(ReadOnlySpan<byte> record, long line)
    {
        if (JsonRowParser.Check(record) is not var (problem, atLine, at))
        {
            return null;
        }

        if (record.TrimStart(" \t\r\n"u8) is [not (byte)'{', ..])
        {
            return _isLines
                ? new DatasetException($"{Path}, line {line}, byte 1: {problem}. Every line of a JSONL file is one JSON object.")
                : new DatasetException($"{Path}, line {line}: {problem}. {Forms}");
        }

        string advice = problem.Contains("column", StringComparison.Ordinal) ? "Save the file as UTF-8, or remove the row."
            : _isLines ? "Every line of a JSONL file is one JSON object." : Forms;
        return new DatasetException(string.Create(
            CultureInfo.InvariantCulture,
            $"{Path}, line {line + atLine}, byte {at + 1}: {problem}. {advice}"));
    }

    public override Row ToRow(ReadOnlySpan<byte> record, long line)
    {
        // Rows share the list of column names while they have the same ones.
        string[] columns = _columns ??= JsonRowParser.Keys(record);
        return JsonRowParser.Parse(record, columns, Place(line));
    }

    private static IEnumerable<FileRecord> Lines(Stream stream, long offset, long line)
    {
        foreach ((ReadOnlyMemory<byte> text, long at, long number, long end) in ByteLines.Of(stream, offset, line))
        {
            ReadOnlyMemory<byte> row = text[..text.Span.TrimEnd(" \t\r"u8).Length];
            int blank = row.Length - row.Span.TrimStart(" \t\r"u8).Length;
            if (row.Length > blank)
            {
                // Blanks before the object stay: bytes in messages count from the beginning of the line.
                yield return new FileRecord(row, at, number, end, number);
            }
        }
    }

    private bool FirstLineIsARow()
    {
        using Stream stream = DataFile.Open(Path);
        foreach ((ReadOnlyMemory<byte> line, _, _, _) in ByteLines.Of(stream))
        {
            ReadOnlySpan<byte> text = line.Span.Trim(" \t\r"u8);
            if (text.Length > 0)
            {
                return text[0] == (byte)'{' && JsonRowParser.Check(text) is null;
            }
        }

        return false;
    }
}
