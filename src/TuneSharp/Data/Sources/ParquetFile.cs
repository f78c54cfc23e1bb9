using System.Collections;
using System.Globalization;
using Parquet;
using Parquet.Serialization;

namespace TuneSharp.Data;

/// <summary>A Parquet file, nested lists and structs included, read one row group at a time.</summary>
internal sealed class ParquetFile(string path) : RowFile(path)
{
    public override IEnumerable<FileRow> Read(FileMark from)
    {
        using Stream file = File.OpenRead(Path);
        long[] groups = Explained(() => GroupSizes(file));
        long first = 0;
        for (int g = 0; g < groups.Length; first += groups[g++])
        {
            if (first + groups[g] <= from.Row)
            {
                continue;
            }

            (string[] columns, IList<Dictionary<string, object>> rows) = Explained(() => ReadGroup(file, g));
            for (int i = (int)Math.Max(0, from.Row - first); i < rows.Count; i++)
            {
                (Row? row, DatasetException? problem) = Convert(rows[i], columns, first + i + 1);
                yield return new FileRow(row, problem, new FileMark(first + i + 1));
            }
        }
    }

    public override long Count()
    {
        using Stream file = File.OpenRead(Path);
        return Explained(() => GroupSizes(file)).Sum();
    }

    private static long[] GroupSizes(Stream file)
    {
        file.Position = 0;
        ParquetReader reader = ParquetReader.CreateAsync(file, leaveStreamOpen: true).GetAwaiter().GetResult();
        try
        {
            long[] sizes = new long[reader.RowGroupCount];
            for (int i = 0; i < sizes.Length; i++)
            {
                using ParquetRowGroupReader group = reader.OpenRowGroupReader(i);
                sizes[i] = group.RowCount;
            }

            return sizes;
        }
        finally
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private static (string[] Columns, IList<Dictionary<string, object>> Rows) ReadGroup(Stream file, int group)
    {
        file.Position = 0;
        var content = ParquetSerializer.DeserializeUntypedAsync(file, new ParquetOptions(), group).GetAwaiter().GetResult();
        return ([.. content.Schema.Fields.Select(f => f.Name)], content.Data);
    }

    private (Row? Row, DatasetException? Problem) Convert(IDictionary<string, object> values, string[] columns, long number)
    {
        string place = string.Create(CultureInfo.InvariantCulture, $"{Name}, row {number}");
        try
        {
            return (ToRow(values, columns, place), null);
        }
        catch (DatasetException e)
        {
            return (null, e);
        }
    }

    /// <summary>A value that is null is absent from the reader's dictionary, so the columns come from the schema.</summary>
    private static Row ToRow(IDictionary<string, object> values, IReadOnlyList<string> columns, string place) => new(
        columns,
        [.. columns.Select(c => values.TryGetValue(c, out object? value) ? ToValue(value, place, c) : null)],
        place);

    private static object? ToValue(object? value, string place, string column) => value switch
    {
        null or string or bool or long or double => value,
        ReadOnlyMemory<char> text => text.ToString(),
        byte[] bytes => StrictText.Decode(bytes, place, column),
        ReadOnlyMemory<byte> bytes => StrictText.Decode(bytes.Span, place, column),
        IDictionary<string, object> fields => ToRow(fields, [.. fields.Keys], place),
        IEnumerable items => items.Cast<object?>().Select(item => ToValue(item, place, column)).ToList(),
        _ => Scalars.Plain(value),
    };

    private T Explained<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not (DatasetException or OutOfMemoryException))
        {
            throw new DatasetException($"{Path}: this Parquet file cannot be read: {e.Message.TrimEnd('.')}. Write it anew or fetch it again.", e);
        }
    }
}
