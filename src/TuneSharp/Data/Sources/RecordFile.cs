using System.Runtime.InteropServices;

namespace TuneSharp.Data;

/// <summary>One record's bytes inside a file. They are valid until the next record is asked for.</summary>
/// <param name="Bytes">The record.</param>
/// <param name="Offset">Where it begins in the unpacked file.</param>
/// <param name="Line">The line where it begins, from 1.</param>
/// <param name="EndByte">The byte after it and what separates it from the next.</param>
/// <param name="EndLine">Line breaks before <paramref name="EndByte"/>.</param>
/// <param name="Problem">Why its form is wrong, or null.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FileRecord(
    ReadOnlyMemory<byte> Bytes, long Offset, long Line, long EndByte, long EndLine, DatasetException? Problem = null);

/// <summary>A file of text records: JSON, CSV, lines. It can be streamed, or indexed and read at random.</summary>
internal abstract class RecordFile(string path) : RowFile(path)
{
    public override IEnumerable<FileRow> Read(FileMark from)
    {
        // Without a byte the way is made by passing over records, unparsed.
        long skip = from.Byte == 0 ? from.Row : 0;
        long row = from.Byte == 0 ? 0 : from.Row;
        using Stream stream = DataFile.OpenAt(Path, from.Byte);
        foreach (FileRecord record in Records(stream, from.Byte, from.Line))
        {
            row++;
            if (row <= skip)
            {
                continue;
            }

            (Row? value, DatasetException? problem) = record.Problem is null ? Parse(record.Bytes.Span, record.Line) : (null, record.Problem);
            yield return new FileRow(value, problem, new FileMark(row, record.EndByte, record.EndLine));
        }
    }

    public override long Count()
    {
        using Stream stream = DataFile.Open(Path);
        return Records(stream, 0, 0).LongCount();
    }

    /// <summary>Records of a stream that stands at a byte of the file, from there on.</summary>
    public abstract IEnumerable<FileRecord> Records(Stream stream, long offset, long line);

    /// <summary>What is wrong with a record, without making a row of it.</summary>
    public abstract DatasetException? Problem(ReadOnlySpan<byte> record, long line);

    /// <summary>The row of a record that <see cref="Problem"/> found right.</summary>
    public abstract Row ToRow(ReadOnlySpan<byte> record, long line);

    /// <summary>Where a record stands, for messages.</summary>
    protected string Place(long line) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Name}, line {line}");

    private (Row? Row, DatasetException? Problem) Parse(ReadOnlySpan<byte> record, long line) =>
        Problem(record, line) is { } problem ? (null, problem) : (ToRow(record, line), null);
}

/// <summary>Rows of a <see cref="RecordFile"/> by number: their places are kept, and a row is read when it is asked for.</summary>
internal sealed class IndexedRows : IRowSource
{
    private readonly RecordFile _file;
    private readonly byte[]? _text; // of a compressed file, which cannot be read at a place
    private readonly List<(long Offset, int Length, int Line)> _rows = [];

    public IndexedRows(RecordFile file, Action<DatasetException>? onBadRow)
    {
        _file = file;
        _text = DataFile.IsCompressed(file.Path) ? DataFile.ReadAll(file.Path) : null;
        using Stream stream = _text is null ? DataFile.Open(file.Path) : new MemoryStream(_text, writable: false);
        foreach (FileRecord record in file.Records(stream, 0, 0))
        {
            if ((record.Problem ?? file.Problem(record.Bytes.Span, record.Line)) is not { } problem)
            {
                _rows.Add((record.Offset, record.Bytes.Length, (int)record.Line));
            }
            else if (onBadRow is null)
            {
                throw problem;
            }
            else
            {
                onBadRow(problem);
            }
        }
    }

    public int Count => _rows.Count;

    public Row this[int index]
    {
        get
        {
            (long offset, int length, int line) = _rows[index];
            ReadOnlySpan<byte> record = _text is null ? DataFile.ReadAt(_file.Path, offset, length) : _text.AsSpan((int)offset, length);
            return _file.ToRow(record, line);
        }
    }
}
