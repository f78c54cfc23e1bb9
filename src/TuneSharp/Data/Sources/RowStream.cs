namespace TuneSharp.Data;

/// <summary>Files, one after another, each or a part of it.</summary>
internal sealed class RowStream : IRowSequence
{
    private readonly (RowFile File, long From, long To)[] _parts;
    private readonly long?[] _counts;

    /// <param name="parts">File, first row, end (not included; <see cref="long.MaxValue"/> for all).</param>
    public RowStream(IReadOnlyList<(RowFile File, long From, long To)> parts)
    {
        _parts = [.. parts];
        _counts = new long?[parts.Count];
        Parts = [.. parts.Select(p => new RowPart(p.File.Path, p.From, p.To))];
    }

    public IReadOnlyList<RowPart> Parts { get; }

    public IEnumerable<StreamedRow> Read(RowPosition from = default, Action<DatasetException>? onBadRow = null)
    {
        Check(from, allowEnd: true);
        return Good(ReadRaw(from), onBadRow);
    }

    public IEnumerable<StreamedRow> ReadPart(RowPosition from, Action<DatasetException>? onBadRow = null)
    {
        Check(from, allowEnd: false);
        return Good(ReadRawPart(from), onBadRow);
    }

    public long CountRows()
    {
        long count = 0;
        for (int i = 0; i < _parts.Length; i++)
        {
            (RowFile file, long from, long to) = _parts[i];
            count += _counts[i] ??= Math.Max(0, (to == long.MaxValue ? Guarded(file, file.Count) : to) - from);
        }

        return count;
    }

    /// <summary>What the system says of a file becomes our sentence.</summary>
    internal static T Guarded<T>(RowFile file, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new DatasetException($"{file.Path}: cannot be read: {e.Message.TrimEnd('.')}. Check the file, or fetch it again.", e);
        }
    }

    /// <summary>Rows and the problems of bad ones, each with the place after it.</summary>
    internal IEnumerable<(Row? Row, DatasetException? Problem, RowPosition Next)> ReadRaw(RowPosition from)
    {
        Check(from, allowEnd: true);
        for (int part = from.Part; part < _parts.Length; part++)
        {
            foreach (var row in ReadRawPart(part == from.Part ? from : new RowPosition(part, 0)))
            {
                yield return row;
            }
        }
    }

    private static IEnumerable<StreamedRow> Good(
        IEnumerable<(Row? Row, DatasetException? Problem, RowPosition Next)> rows, Action<DatasetException>? onBadRow)
    {
        foreach ((Row? row, DatasetException? problem, RowPosition next) in rows)
        {
            if (row is not null)
            {
                yield return new StreamedRow(row, next);
            }
            else
            {
                (onBadRow ?? throw problem!)(problem!);
            }
        }
    }

    private IEnumerable<(Row? Row, DatasetException? Problem, RowPosition Next)> ReadRawPart(RowPosition from)
    {
        (RowFile file, long first, long to) = _parts[from.Part];
        FileMark mark = from.Row >= first && from.Row > 0 ? new FileMark(from.Row, from.Byte, from.Line) : new FileMark(first);
        if (mark.Row >= to)
        {
            yield break;
        }

        using IEnumerator<FileRow> rows = Guarded(file, () => file.Read(mark).GetEnumerator());
        while (Guarded(file, rows.MoveNext))
        {
            FileRow row = rows.Current;
            yield return (row.Row, row.Problem, new RowPosition(from.Part, row.Next.Row, row.Next.Byte, row.Next.Line));
            if (row.Next.Row >= to)
            {
                yield break;
            }
        }
    }

    private void Check(RowPosition from, bool allowEnd)
    {
        if (from.Part < 0 || from.Row < 0 || from.Part > _parts.Length || (from.Part == _parts.Length && !(allowEnd || _parts.Length == 0)))
        {
            throw new DatasetException(
                $"The saved place (part {from.Part}, row {from.Row}) is not in this data set of {_parts.Length} parts: its files or split changed. " +
                "Restore them, or start the run anew.");
        }
    }
}
