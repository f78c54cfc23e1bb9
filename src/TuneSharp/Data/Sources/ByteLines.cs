namespace TuneSharp.Data;

/// <summary>Lines of a stream as bytes, without a byte-order mark and without line feeds.</summary>
internal static class ByteLines
{
    public static ReadOnlySpan<byte> Bom => [0xEF, 0xBB, 0xBF];

    /// <summary>Each line, where it begins in the stream, and its number from 1. A line is valid until the next one is asked for.</summary>
    public static IEnumerable<(ReadOnlyMemory<byte> Line, long Offset, int Number)> Of(Stream stream)
    {
        byte[] buffer = new byte[1 << 20];
        int used = 0;
        int number = 0;
        long offset = 0;
        while (true)
        {
            int n = stream.Read(buffer, used, buffer.Length - used);
            if (n == 0)
            {
                break;
            }

            used += n;
            int start = 0;
            if (offset == 0 && number == 0 && used >= 3 && buffer.AsSpan(0, used).StartsWith(Bom))
            {
                start = Bom.Length;
            }

            int end;
            while ((end = buffer.AsSpan(start, used - start).IndexOf((byte)'\n')) >= 0)
            {
                yield return (buffer.AsMemory(start, end), offset + start, ++number);
                start += end + 1;
            }

            buffer.AsSpan(start, used - start).CopyTo(buffer);
            offset += start;
            used -= start;
            if (used == buffer.Length)
            {
                Array.Resize(ref buffer, checked(buffer.Length * 2));
            }
        }

        if (used > 0)
        {
            yield return (buffer.AsMemory(0, used), offset, ++number);
        }
    }
}
