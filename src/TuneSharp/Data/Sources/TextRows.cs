using System.Text;

namespace TuneSharp.Data;

/// <summary>Lines of a plain text file, each a row with the column <c>text</c>.</summary>
internal sealed class TextRows : IRowSource
{
    private static readonly string[] Columns = ["text"];
    private readonly string _path;
    private readonly byte[]? _text;
    private readonly List<(long Offset, int Length)> _lines = [];

    public TextRows(string path)
    {
        _path = path;
        _text = DataFile.IsCompressed(path) ? DataFile.ReadAll(path) : null;
        using Stream stream = _text is null ? File.OpenRead(path) : new MemoryStream(_text, writable: false);
        foreach ((ReadOnlyMemory<byte> line, long offset, _) in ByteLines.Of(stream))
        {
            _lines.Add((offset, line.Span.TrimEnd((byte)'\r').Length));
        }
    }

    public int Count => _lines.Count;

    public Row this[int index]
    {
        get
        {
            (long offset, int length) = _lines[index];
            ReadOnlySpan<byte> line = _text is null
                ? DataFile.ReadAt(_path, offset, length)
                : _text.AsSpan((int)offset, length);
            return new Row(Columns, [Encoding.UTF8.GetString(line)], $"{Path.GetFileName(_path)}, line {index + 1}");
        }
    }
}
