using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;

namespace TuneSharp.Data;

/// <summary>An Arrow IPC file or stream (what <c>save_to_disk</c> and the cache of Hugging Face's <c>datasets</c> write), a batch at a time.</summary>
internal sealed class ArrowFile(string path) : RowFile(path)
{
    private static ReadOnlySpan<byte> Magic => "ARROW1"u8;

    public override IEnumerable<FileRow> Read(FileMark from)
    {
        long first = 0;
        foreach (RecordBatch batch in Batches())
        {
            using (batch)
            {
                string[] columns = [.. batch.Schema.FieldsList.Select(f => f.Name)];
                for (int i = (int)Math.Clamp(from.Row - first, 0, batch.Length); i < batch.Length; i++)
                {
                    (Row? row, DatasetException? problem) = Convert(batch, columns, i, first + i + 1);
                    yield return new FileRow(row, problem, new FileMark(first + i + 1));
                }

                first += batch.Length;
            }
        }
    }

    public override long Count()
    {
        long count = 0;
        foreach (RecordBatch batch in Batches())
        {
            using (batch)
            {
                count += batch.Length;
            }
        }

        return count;
    }

    private IEnumerable<RecordBatch> Batches()
    {
        using Stream stream = DataFile.Open(Path);
        using ArrowStreamReader reader = Explained(() => Open(stream));
        while (Explained(reader.ReadNextRecordBatch) is { } batch)
        {
            yield return batch;
        }
    }

    private static ArrowStreamReader Open(Stream stream)
    {
        CompressionCodecFactory codecs = new();
        if (!stream.CanSeek)
        {
            return new ArrowStreamReader(stream, codecs);
        }

        Span<byte> head = stackalloc byte[6];
        int n = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        return n == head.Length && head.SequenceEqual(Magic) ? new ArrowFileReader(stream, codecs) : new ArrowStreamReader(stream, codecs);
    }

    private (Row? Row, DatasetException? Problem) Convert(RecordBatch batch, string[] columns, int i, long number)
    {
        string place = string.Create(CultureInfo.InvariantCulture, $"{Name}, row {number}");
        try
        {
            object?[] values = new object?[columns.Length];
            for (int c = 0; c < columns.Length; c++)
            {
                values[c] = Value(batch.Column(c), i, place, columns[c]);
            }

            return (new Row(columns, values, place), null);
        }
        catch (DatasetException e)
        {
            return (null, e);
        }
    }

    private static object? Value(IArrowArray array, int i, string place, string column)
    {
        if (array.IsNull(i))
        {
            return null;
        }

        switch (array)
        {
            case StringViewArray text:
                return StrictText.Decode(text.GetBytes(i, out _), place, column);
            case StringArray text:
                return StrictText.Decode(text.GetBytes(i), place, column);
            case LargeStringArray text:
                return StrictText.Decode(text.GetBytes(i), place, column);
            case BinaryViewArray bytes:
                return StrictText.Decode(bytes.GetBytes(i, out _), place, column);
            case LargeBinaryArray bytes:
                return StrictText.Decode(bytes.GetBytes(i), place, column);
            case BinaryArray bytes:
                return StrictText.Decode(bytes.GetBytes(i), place, column);
            case DictionaryArray dictionary:
                return Value(dictionary.Dictionary, System.Convert.ToInt32(Value(dictionary.Indices, i, place, column), CultureInfo.InvariantCulture), place, column);
            case MapArray map: // before lists: a map is one of key-value pairs
                return Items(map.KeyValues, map.ValueOffsets[i], map.ValueOffsets[i + 1], place, column);
            case ListArray list:
                return Items(list.Values, list.ValueOffsets[i], list.ValueOffsets[i + 1], place, column);
            case LargeListArray list:
                return Items(list.Values, (int)list.ValueOffsets[i], (int)list.ValueOffsets[i + 1], place, column);
            case FixedSizeListArray list:
                int width = ((Apache.Arrow.Types.FixedSizeListType)list.Data.DataType).ListSize;
                int start = (list.Offset + i) * width;
                return Items(list.Values, start, start + width, place, column);
            case StructArray fields:
                return Struct(fields, i, place);
            case BooleanArray truths:
                return truths.GetValue(i);
            case TimestampArray times:
                return Scalars.Plain(((Apache.Arrow.Types.TimestampType)times.Data.DataType).Timezone is null ? times.GetTimestamp(i)?.UtcDateTime : times.GetTimestamp(i));
            case Date32Array dates:
                return Scalars.Plain(dates.GetDateTime(i));
            case Date64Array dates:
                return Scalars.Plain(dates.GetDateTime(i));
            case Decimal128Array numbers:
                return Scalars.Plain(numbers.GetValue(i));
            default:
                return Number(array, i, place, column);
        }
    }

    private static object? Number(IArrowArray array, int i, string place, string column) => array switch
    {
        Int64Array a => a.GetValue(i),
        Int32Array a => Scalars.Plain(a.GetValue(i)),
        Int16Array a => Scalars.Plain(a.GetValue(i)),
        Int8Array a => Scalars.Plain(a.GetValue(i)),
        UInt64Array a => Scalars.Plain(a.GetValue(i)),
        UInt32Array a => Scalars.Plain(a.GetValue(i)),
        UInt16Array a => Scalars.Plain(a.GetValue(i)),
        UInt8Array a => Scalars.Plain(a.GetValue(i)),
        DoubleArray a => a.GetValue(i),
        FloatArray a => Scalars.Plain(a.GetValue(i)),
        HalfFloatArray a => Scalars.Plain(a.GetValue(i)),
        _ => throw new DatasetException(
            $"{place}: column '{column}' is of Arrow's type {array.Data.DataType.Name}, which has no plain value here. Leave the column out when you write the file."),
    };

    private static List<object?> Items(IArrowArray values, int from, int to, string place, string column)
    {
        List<object?> items = new(to - from);
        for (int i = from; i < to; i++)
        {
            items.Add(Value(values, i, place, column));
        }

        return items;
    }

    private static Row Struct(StructArray array, int i, string place)
    {
        IReadOnlyList<Apache.Arrow.Field> fields = ((Apache.Arrow.Types.StructType)array.Data.DataType).Fields;
        string[] names = [.. fields.Select(f => f.Name)];
        return new Row(names, [.. names.Select((n, f) => Value(array.Fields[f], i, place, n))], place);
    }

    private T Explained<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not (DatasetException or OutOfMemoryException))
        {
            throw new DatasetException($"{Path}: this Arrow file cannot be read: {e.Message.TrimEnd('.')}. Write it anew or fetch it again.", e);
        }
    }
}
