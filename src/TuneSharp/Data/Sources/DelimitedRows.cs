using System.Text;

namespace TuneSharp.Data;

/// <summary>Rows of a CSV or TSV file (RFC 4180): the first record names the columns, every value is text.</summary>
/// <remarks>
/// A field in quotes may hold the delimiter, line breaks and doubled quotes. Records are found once; the fields of a row are
/// decoded when it is asked for.
/// </remarks>
internal sealed class DelimitedRows : IRowSource
{
    private readonly string _path;
    private readonly byte[] _text;
    private readonly byte _delimiter;
    private readonly string[] _columns = [];
    private readonly List<(int Offset, int Length, int Line)> _records = [];

    public DelimitedRows(string path, string? delimiter)
    {
        _path = path;
        _delimiter = Delimiter(path, delimiter);
        _text = DataFile.ReadAll(path);
        int at = _text.AsSpan().StartsWith(ByteLines.Bom) ? ByteLines.Bom.Length : 0;
        int line = 1;
        while (at < _text.Length)
        {
            int start = at;
            int startLine = line;
            int fields = SkipRecord(ref at, ref line);
            int length = TrimBreak(start, at);
            if (length == 0)
            {
                continue;
            }

            if (_columns.Length == 0)
            {
                _columns = Fields(start, length, fields);
                RequireDistinctColumns();
                continue;
            }

            if (fields != _columns.Length)
            {
                throw new DatasetException(
                    $"{_path}, line {startLine}: {fields} fields, but the first line names {_columns.Length} columns " +
                    $"({string.Join(", ", _columns)}). Put a field that holds the delimiter or a quote between double quotes, " +
                    "or set delimiter to the character that the file uses.");
            }

            _records.Add((start, length, startLine));
        }
    }

    public int Count => _records.Count;

    public Row this[int index]
    {
        get
        {
            (int offset, int length, int line) = _records[index];
            return new Row(_columns, Fields(offset, length, _columns.Length), $"{Path.GetFileName(_path)}, line {line}");
        }
    }

    private static byte Delimiter(string path, string? delimiter)
    {
        if (delimiter is null)
        {
            return (byte)(DataFile.Extension(path) == ".tsv" ? '\t' : ',');
        }

        string text = delimiter == "\\t" ? "\t" : delimiter;
        return text.Length == 1 && text[0] < 128 && text[0] is not ('"' or '\r' or '\n')
            ? (byte)text[0]
            : throw new DatasetException($"delimiter '{delimiter}' must be one ASCII character, such as ',', ';' or '\\t'.");
    }

    private void RequireDistinctColumns()
    {
        if (_columns.GroupBy(c => c, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new DatasetException($"{_path}: the first line names the column '{twice.Key}' twice. Rename one of them.");
        }
    }

    /// <summary>Moves past a record and its line break.</summary>
    /// <returns>How many fields it has.</returns>
    private int SkipRecord(ref int at, ref int line)
    {
        int fields = 1;
        bool fieldStart = true;
        while (at < _text.Length)
        {
            byte b = _text[at];
            if (b == (byte)'"' && fieldStart)
            {
                SkipQuoted(ref at, ref line);
                fieldStart = false;
                continue;
            }

            at++;
            if (b == (byte)'\n' || (b == (byte)'\r' && (at >= _text.Length || _text[at] != (byte)'\n')))
            {
                line++;
                break;
            }

            fieldStart = b == _delimiter;
            fields += fieldStart ? 1 : 0;
        }

        return fields;
    }

    private void SkipQuoted(ref int at, ref int line)
    {
        int openLine = line;
        at++;
        while (at < _text.Length)
        {
            byte b = _text[at++];
            if (b == (byte)'\n')
            {
                line++;
            }
            else if (b == (byte)'"')
            {
                if (at < _text.Length && _text[at] == (byte)'"')
                {
                    at++;
                    continue;
                }

                return;
            }
        }

        throw new DatasetException(
            $"{_path}, line {openLine}: a quoted field is never closed. Write a quote inside a quoted field twice (\"\").");
    }

    private int TrimBreak(int start, int end)
    {
        if (end > start && _text[end - 1] == (byte)'\n')
        {
            end--;
        }

        if (end > start && _text[end - 1] == (byte)'\r')
        {
            end--;
        }

        return end - start;
    }

    private string[] Fields(int offset, int length, int count)
    {
        string[] fields = new string[count];
        ReadOnlySpan<byte> record = _text.AsSpan(offset, length);
        int at = 0;
        for (int i = 0; i < count; i++)
        {
            int start = at;
            if (at < record.Length && record[at] == (byte)'"')
            {
                int close = at + 1;
                while (record[close] != (byte)'"' || (close + 1 < record.Length && record[close + 1] == (byte)'"'))
                {
                    close += record[close] == (byte)'"' ? 2 : 1;
                }

                string inside = Encoding.UTF8.GetString(record[(at + 1)..close]).Replace("\"\"", "\"", StringComparison.Ordinal);
                int rest = record[(close + 1)..].IndexOf(_delimiter);
                at = rest < 0 ? record.Length : close + 1 + rest;
                fields[i] = inside + Encoding.UTF8.GetString(record[(close + 1)..at]);
            }
            else
            {
                int rest = record[at..].IndexOf(_delimiter);
                at = rest < 0 ? record.Length : at + rest;
                fields[i] = Encoding.UTF8.GetString(record[start..at]);
            }

            at++;
        }

        return fields;
    }
}
