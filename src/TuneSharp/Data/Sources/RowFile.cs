using System.Runtime.InteropServices;

namespace TuneSharp.Data;

/// <summary>A place in one file, between two rows.</summary>
/// <param name="Row">Rows before it.</param>
/// <param name="Byte">Bytes before it in the unpacked file, or 0 when only the row is known.</param>
/// <param name="Line">Line breaks before it, when <paramref name="Byte"/> is known.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FileMark(long Row, long Byte = 0, long Line = 0);

/// <summary>One row of a file, or why there is none; and the place after it.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FileRow(Row? Row, DatasetException? Problem, FileMark Next);

/// <summary>A file read from front to back in bounded memory.</summary>
internal abstract class RowFile(string path)
{
    public string Path => path;

    protected string Name { get; } = System.IO.Path.GetFileName(path);

    /// <summary>The rows from a mark on. A mark without a byte is reached by passing over rows.</summary>
    public abstract IEnumerable<FileRow> Read(FileMark from);

    /// <summary>Number of rows, bad ones included.</summary>
    public virtual long Count() => Read(default).LongCount();

    /// <summary>The place that a position of a stream means: rows before the part's first one are passed over.</summary>
    public static RowFile Open(string path, LoadOptions options) => DataFiles.Format(path, options.Source!) switch
    {
        "json" => new JsonFile(path, options.Field),
        "csv" => new DelimitedFile(path, DelimitedFormat.Of(path, options)),
        "text" => new TextFile(path, options.SampleBy),
        "arrow" => new ArrowFile(path),
        _ => new ParquetFile(path),
    };
}
