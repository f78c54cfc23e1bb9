namespace TuneSharp.Data;

/// <summary>A plain text file: rows with the one column <c>text</c>.</summary>
/// <param name="path">The file.</param>
/// <param name="sampleBy"><c>line</c> (or null), <c>paragraph</c> (blank lines part them) or <c>document</c> (the whole file is one row).</param>
internal sealed class TextFile(string path, string? sampleBy) : RecordFile(path)
{
    private static readonly string[] Columns = ["text"];

    public override IEnumerable<FileRecord> Records(Stream stream, long offset, long line) => sampleBy switch
    {
        null or "line" => Lines(stream, offset, line),
        "paragraph" => Paragraphs(stream, offset, line),
        "document" => Document(stream, offset),
        _ => throw new DatasetException($"sample_by {sampleBy} must be line, paragraph or document."),
    };

    public override DatasetException? Problem(ReadOnlySpan<byte> record, long line) =>
        StrictText.Problem(record) is { } problem ? new DatasetException($"{Path}, line {line}: {problem}") : null;

    public override Row ToRow(ReadOnlySpan<byte> record, long line) => new(Columns, [StrictText.Decode(record, Place(line), Columns[0])], Place(line));

    private static IEnumerable<FileRecord> Lines(Stream stream, long offset, long line)
    {
        foreach ((ReadOnlyMemory<byte> text, long at, long number, long end) in ByteLines.Of(stream, offset, line))
        {
            yield return new FileRecord(WithoutReturn(text), at, number, end, number);
        }
    }

    /// <summary>Lines joined by line feeds; as in <c>load_dataset</c>, a blank line ends a paragraph, and what is empty is none.</summary>
    private static IEnumerable<FileRecord> Paragraphs(Stream stream, long offset, long line)
    {
        using MemoryStream paragraph = new();
        (long from, long first, long lastEnd, long lastLine) = (0, 0, 0, 0);
        foreach ((ReadOnlyMemory<byte> text, long at, long number, long end) in ByteLines.Of(stream, offset, line))
        {
            ReadOnlyMemory<byte> bare = WithoutReturn(text);
            (lastEnd, lastLine) = (end, number);
            if (bare.Length > 0)
            {
                (from, first) = paragraph.Length == 0 ? (at, number) : (from, first);
                paragraph.Write(paragraph.Length == 0 ? [] : "\n"u8);
                paragraph.Write(bare.Span);
            }
            else if (paragraph.Length > 0)
            {
                yield return new FileRecord(paragraph.ToArray(), from, first, end, number);
                paragraph.SetLength(0);
            }
        }

        if (paragraph.Length > 0)
        {
            yield return new FileRecord(paragraph.ToArray(), from, first, lastEnd, lastLine);
        }
    }

    private static IEnumerable<FileRecord> Document(Stream stream, long offset)
    {
        using MemoryStream all = new();
        stream.CopyTo(all);
        byte[] text = all.ToArray();
        int start = offset == 0 && text.AsSpan().StartsWith(ByteLines.Bom) ? ByteLines.Bom.Length : 0;
        if (text.Length > start)
        {
            yield return new FileRecord(text.AsMemory(start), start, 1, offset + text.Length, text.AsSpan().Count((byte)'\n'));
        }
    }

    private static ReadOnlyMemory<byte> WithoutReturn(ReadOnlyMemory<byte> line) => line[..line.Span.TrimEnd((byte)'\r').Length];
}
