using System.Runtime.InteropServices;

namespace TuneSharp.Data;

/// <summary>A place between two rows of a stream: what a checkpoint keeps to go on exactly there.</summary>
/// <remarks>
/// <see cref="Part"/> and <see cref="Row"/> say the place; <see cref="Byte"/> and <see cref="Line"/> only spare a reader the way there.
/// A position means the same as long as the files and the <c>split</c> are the same. The default is the beginning.
/// </remarks>
/// <param name="Part">Index into <see cref="IRowSequence.Parts"/>.</param>
/// <param name="Row">Rows of that file that lie before, bad ones included.</param>
/// <param name="Byte">Where the row begins in the (unpacked) file, for formats made of lines; otherwise 0.</param>
/// <param name="Line">Lines before it, for messages.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct RowPosition(int Part, long Row, long Byte = 0, long Line = 0);

/// <summary>A row of a stream, and the place after it.</summary>
/// <param name="Row">The row.</param>
/// <param name="Next">Where reading goes on after this row.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct StreamedRow(Row Row, RowPosition Next);

/// <summary>A file of a stream, and which of its rows belong to it.</summary>
/// <param name="Path">The file.</param>
/// <param name="From">First row.</param>
/// <param name="To">End, not included; <see cref="long.MaxValue"/> for the file's own.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct RowPart(string Path, long From, long To);

/// <summary>Rows in the order of their files, never all in memory: for data larger than it. Made by <see cref="RowLoader.Stream"/>.</summary>
/// <remarks>
/// The rows and their values are those of <see cref="RowLoader.Load(LoadOptions)"/>, in the same order. Each call of <see cref="Read"/> is an
/// enumeration of its own with its own open file; different threads may run different ones.
/// To read with several workers, give each some of the parts: <see cref="ReadPart"/>.
/// </remarks>
public interface IRowSequence
{
    /// <summary>The files, in order. A split such as <c>train[:10%]+test</c> cuts some of them.</summary>
    IReadOnlyList<RowPart> Parts { get; }

    /// <summary>Reads from a place to the end.</summary>
    /// <param name="from">The beginning, or <see cref="StreamedRow.Next"/> of the last row that was used.</param>
    /// <param name="onBadRow">Is told of each row that cannot be read, which is then left out; when null, the first one ends the reading.</param>
    /// <exception cref="DatasetException">A row cannot be read (file, row, field and fix are named), or a file is broken as a whole.</exception>
    IEnumerable<StreamedRow> Read(RowPosition from = default, Action<DatasetException>? onBadRow = null);

    /// <summary>Reads one part: from a place in it to the part's end.</summary>
    /// <param name="from">A place; its <see cref="RowPosition.Part"/> says which part.</param>
    /// <param name="onBadRow">As in <see cref="Read"/>.</param>
    IEnumerable<StreamedRow> ReadPart(RowPosition from, Action<DatasetException>? onBadRow = null);

    /// <summary>How many rows there are, bad ones included. Quick for Parquet and Arrow; other files are read through once.</summary>
    long CountRows();
}
