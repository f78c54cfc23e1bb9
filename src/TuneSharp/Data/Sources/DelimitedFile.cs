using System.Runtime.InteropServices;
using System.Text;

namespace TuneSharp.Data;

/// <summary>How the fields of a delimited file are written.</summary>
/// <param name="Delimiter">Between fields.</param>
/// <param name="Columns">Names, when the file has no line of them.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct DelimitedFormat(byte Delimiter, IReadOnlyList<string>? Columns)
{
    public static DelimitedFormat Of(string path, LoadOptions options)
    {
        string? delimiter = options.Delimiter ?? options.Sep ?? (options.Source == "tsv" ? "\t" : null);
        if (delimiter is null)
        {
            return new((byte)(DataFile.Extension(path) == ".tsv" ? '\t' : ','), options.ColumnNames);
        }

        string text = delimiter == "\\t" ? "\t" : delimiter;
        return text.Length == 1 && text[0] < 128 && text[0] is not ('"' or '\r' or '\n')
            ? new((byte)text[0], options.ColumnNames)
            : throw new DatasetException($"delimiter '{delimiter}' must be one ASCII character, such as ',', ';' or '\\t'.");
    }
}

/// <summary>A CSV or TSV file (RFC 4180): the first record names the columns, every value is text.</summary>
/// <remarks>A field in quotes may hold the delimiter, line breaks and doubled quotes.</remarks>
internal sealed class DelimitedFile : RecordFile
{
    private readonly DelimitedFormat _format;
    private readonly string[] _columns = [];
    private readonly bool _hasHeader;

    public DelimitedFile(string path, DelimitedFormat format)
        : base(path)
    {
        _format = format;
        if (format.Columns is { Count: > 0 } given)
        {
            _columns = [.. given];
        }
        else
        {
            _hasHeader = true;
            using Stream stream = DataFile.Open(path);
            using IEnumerator<FileRecord> records = new DelimitedRecords(path, stream, format.Delimiter, 0, 0).All().GetEnumerator();
            if (records.MoveNext())
            {
                ReadOnlySpan<byte> header = records.Current.Bytes.Span;
                if (records.Current.Problem is { } problem)
                {
                    throw problem;
                }

                _columns = [.. Fields(header, DelimitedRecords.CountFields(header, format.Delimiter), $"{path}, line 1", null)];
            }
        }

        if (_columns.GroupBy(c => c, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new DatasetException($"{path}: the first line names the column '{twice.Key}' twice. Rename one of them.");
        }
    }

    public override IEnumerable<FileRecord> Records(Stream stream, long offset, long line) =>
        new DelimitedRecords(Path, stream, _format.Delimiter, offset, line).All().Skip(offset == 0 && _hasHeader ? 1 : 0);

    public override DatasetException? Problem(ReadOnlySpan<byte> record, long line)
    {
        int fields = DelimitedRecords.CountFields(record, _format.Delimiter);
        if (fields != _columns.Length)
        {
            return new DatasetException(
                $"{Path}, line {line}: {fields} fields, but {(_hasHeader ? "the first line names" : "column_names has")} {_columns.Length} columns " +
                $"({string.Join(", ", _columns)}). Put a field that holds the delimiter or a quote between double quotes, " +
                "or set delimiter to the character that the file uses.");
        }

        if (StrictText.Problem(record) is null)
        {
            return null;
        }

        try
        {
            Fields(record, fields, $"{Path}, line {line}", _columns);
            return new DatasetException($"{Path}, line {line}: {StrictText.Problem(record)}");
        }
        catch (DatasetException e)
        {
            return e; // it names the column
        }
    }

    public override Row ToRow(ReadOnlySpan<byte> record, long line) => new(_columns, Fields(record, _columns.Length, Place(line), _columns), Place(line));

    private string[] Fields(ReadOnlySpan<byte> record, int count, string place, string[]? columns)
    {
        string[] fields = new string[count];
        int at = 0;
        for (int i = 0; i < count; i++)
        {
            string column = columns?[i] ?? "of the first line";
            int start = at;
            if (at < record.Length && record[at] == (byte)'"')
            {
                int close = at + 1;
                while (record[close] != (byte)'"' || (close + 1 < record.Length && record[close + 1] == (byte)'"'))
                {
                    close += record[close] == (byte)'"' ? 2 : 1;
                }

                string inside = StrictText.Decode(record[(at + 1)..close], place, column).Replace("\"\"", "\"", StringComparison.Ordinal);
                int rest = record[(close + 1)..].IndexOf(_format.Delimiter);
                at = rest < 0 ? record.Length : close + 1 + rest;
                fields[i] = inside + Encoding.UTF8.GetString(record[(close + 1)..at]);
            }
            else
            {
                int rest = record[at..].IndexOf(_format.Delimiter);
                at = rest < 0 ? record.Length : at + rest;
                fields[i] = StrictText.Decode(record[start..at], place, column);
            }

            at++;
        }

        return fields;
    }
}
