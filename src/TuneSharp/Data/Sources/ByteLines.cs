namespace TuneSharp.Data;

/// <summary>Lines of a stream as bytes, without a byte-order mark and without line feeds.</summary>
internal static class ByteLines
{
    public static ReadOnlySpan<byte> Bom => [0xEF, 0xBB, 0xBF];

    /// <summary>
    /// Each line, where it begins in the file, and its number from 1; <c>End</c> is the byte after its line feed.
    /// A line is valid until the next one is asked for.
    /// </summary>
    /// <param name="stream">The file, at <paramref name="offset"/>.</param>
    /// <param name="offset">Where in the file the stream stands.</param>
    /// <param name="number">Lines before.</param>
    public static IEnumerable<(ReadOnlyMemory<byte> Line, long Offset, long Number, long End)> Of(Stream stream, long offset = 0, long number = 0)
    {
        byte[] buffer = new byte[1 << 20];
        int used = 0;
        bool first = offset == 0;
        for (bool isEnd = false; !isEnd;)
        {
            int n = stream.Read(buffer, used, buffer.Length - used);
            isEnd = n == 0;
            used += n;
            if (first && used < Bom.Length && !isEnd)
            {
                continue; // a mark may still come
            }

            int start = first && buffer.AsSpan(0, used).StartsWith(Bom) ? Bom.Length : 0;
            first = false;
            int end;
            while ((end = buffer.AsSpan(start, used - start).IndexOf((byte)'\n')) >= 0)
            {
                yield return (buffer.AsMemory(start, end), offset + start, ++number, offset + start + end + 1);
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
            yield return (buffer.AsMemory(0, used), offset, ++number, offset + used);
        }
    }
}
