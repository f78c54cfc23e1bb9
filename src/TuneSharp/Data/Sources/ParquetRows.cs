using System.Collections;
using System.Globalization;
using System.Text;
using Parquet.Serialization;

namespace TuneSharp.Data;

/// <summary>Rows of a Parquet file, nested lists and structs included.</summary>
internal static class ParquetRows
{
    public static IRowSource Open(string path)
    {
        string name = Path.GetFileName(path);
        try
        {
            using Stream file = File.OpenRead(path);
            var content = ParquetSerializer.DeserializeUntypedAsync(file).GetAwaiter().GetResult();
            string[] columns = [.. content.Schema.Fields.Select(f => f.Name)];
            Row[] rows = new Row[content.Data.Count];
            for (int i = 0; i < rows.Length; i++)
            {
                rows[i] = ToRow(content.Data[i], columns, $"{name}, row {i + 1}");
            }

            return new MemoryRows(rows);
        }
        catch (Exception e) when (e is not (DatasetException or OutOfMemoryException))
        {
            throw new DatasetException($"{path}: this Parquet file cannot be read: {e.Message.TrimEnd('.')}. Write it anew or fetch it again.", e);
        }
    }

    /// <summary>A value that is null is absent from the reader's dictionary, so the columns come from the schema.</summary>
    private static Row ToRow(IDictionary<string, object> values, IReadOnlyList<string> columns, string place) => new(
        columns,
        [.. columns.Select(c => values.TryGetValue(c, out object? value) ? ToValue(value, place) : null)],
        place);

    private static object? ToValue(object? value, string place) => value switch
    {
        null or string or bool or long or double => value,
        ReadOnlyMemory<char> text => text.ToString(),
        byte[] bytes => Encoding.UTF8.GetString(bytes),
        ReadOnlyMemory<byte> bytes => Encoding.UTF8.GetString(bytes.Span),
        float or decimal => Convert.ToDouble(value, CultureInfo.InvariantCulture),
        sbyte or byte or short or ushort or int or uint => Convert.ToInt64(value, CultureInfo.InvariantCulture),
        IDictionary<string, object> fields => ToRow(fields, [.. fields.Keys], place),
        IEnumerable items => items.Cast<object?>().Select(item => ToValue(item, place)).ToList(),
        IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString(),
    };
}
