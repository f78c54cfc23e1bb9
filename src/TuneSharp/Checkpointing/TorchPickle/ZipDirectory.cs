using System.Buffers.Binary;
using System.Text;

namespace TuneSharp.Checkpointing;

/// <summary>One file inside a zip archive.</summary>
/// <param name="Name">Its path.</param>
/// <param name="Offset">Where its bytes begin in the archive.</param>
/// <param name="StoredBytes">Bytes in the archive.</param>
/// <param name="Bytes">Bytes when unpacked.</param>
/// <param name="Deflated">True when they are compressed.</param>
internal sealed record ZipEntry(string Name, long Offset, long StoredBytes, long Bytes, bool Deflated);

/// <summary>The table of contents of a mapped zip archive, with every offset checked against the file.</summary>
/// <remarks>System.IO.Compression does not tell where an entry's bytes lie, which a mapped tensor needs.</remarks>
internal static class ZipDirectory
{
    private const uint EndSignature = 0x06054b50, End64Signature = 0x06064b50, LocatorSignature = 0x07064b50;
    private const uint EntrySignature = 0x02014b50, LocalSignature = 0x04034b50;
    private const int MaxEntries = 1_000_000;

    /// <summary>Reads the table.</summary>
    /// <exception cref="CheckpointException">The archive is cut off, damaged or encrypted.</exception>
    internal static Dictionary<string, ZipEntry> Read(MappedFile file)
    {
        long end = FindEnd(file);
        ReadOnlySpan<byte> e = file.Span(end, 22);
        long count = U16(e, 10), size = U32(e, 12), start = U32(e, 16);
        if (end >= 20 && U32(file.Span(end - 20, 20), 0) == LocatorSignature)
        {
            long at = Long(file, file.Span(end - 20, 20), 8);
            ReadOnlySpan<byte> e64 = Piece(file, at, 56);
            if (U32(e64, 0) != End64Signature)
            {
                throw Bad(file, "its zip64 end record is damaged");
            }

            (count, size, start) = (Long(file, e64, 32), Long(file, e64, 40), Long(file, e64, 48));
        }

        if (count > MaxEntries || start < 0 || size < 0 || start > file.Length - size)
        {
            throw Bad(file, $"its table of {count} entries at byte {start} does not lie in it");
        }

        Dictionary<string, ZipEntry> entries = new(StringComparer.Ordinal);
        long position = start;
        for (long i = 0; i < count; i++)
        {
            ZipEntry entry = ReadEntry(file, ref position);
            if (!entries.TryAdd(entry.Name, entry))
            {
                throw Bad(file, $"it holds {entry.Name} twice");
            }
        }

        return entries;
    }

    private static long FindEnd(MappedFile file)
    {
        for (long at = file.Length - 22; at >= 0 && at >= file.Length - 22 - ushort.MaxValue; at--)
        {
            if (U32(file.Span(at, 4), 0) == EndSignature)
            {
                return at;
            }
        }

        throw Bad(file, "it has no zip end record. It was cut off");
    }

    private static ZipEntry ReadEntry(MappedFile file, ref long position)
    {
        ReadOnlySpan<byte> c = Piece(file, position, 46);
        if (U32(c, 0) != EntrySignature)
        {
            throw Bad(file, $"its table is damaged at byte {position}");
        }

        int flags = U16(c, 8), method = U16(c, 10), nameBytes = U16(c, 28), extraBytes = U16(c, 30), commentBytes = U16(c, 32);
        long stored = U32(c, 20), bytes = U32(c, 24), local = U32(c, 42);
        string name = Encoding.UTF8.GetString(Piece(file, position + 46, nameBytes));
        ReadOnlySpan<byte> extra = Piece(file, position + 46 + nameBytes, extraBytes);
        while (extra.Length >= 4)
        {
            int id = U16(extra, 0), length = U16(extra, 2);
            if (length > extra.Length - 4)
            {
                break; // padding that only looks like a field
            }

            if (id == 1)
            {
                ReadOnlySpan<byte> wide = extra.Slice(4, length);
                Widen(file, ref bytes, ref wide);
                Widen(file, ref stored, ref wide);
                Widen(file, ref local, ref wide);
            }

            extra = extra[(4 + length)..];
        }

        if ((flags & 1) != 0 || method is not (0 or 8))
        {
            throw Bad(file, $"its entry {name} is {((flags & 1) != 0 ? "encrypted" : $"packed by method {method}")}");
        }

        ReadOnlySpan<byte> l = Piece(file, local, 30);
        long data = local + 30 + U16(l, 26) + U16(l, 28);
        if (U32(l, 0) != LocalSignature || stored > file.Length || data > file.Length - stored || (method == 0 && stored != bytes))
        {
            throw Bad(file, $"its entry {name} ({bytes} bytes) does not lie in it");
        }

        position += 46 + nameBytes + extraBytes + commentBytes;
        return new ZipEntry(name, data, stored, bytes, method == 8);
    }

    /// <summary>A 32-bit field of all ones stands for the next 64-bit field of the zip64 extra.</summary>
    private static void Widen(MappedFile file, ref long value, ref ReadOnlySpan<byte> wide)
    {
        if (value == uint.MaxValue && wide.Length >= 8)
        {
            value = Long(file, wide, 0);
            wide = wide[8..];
        }
    }

    private static ReadOnlySpan<byte> Piece(MappedFile file, long offset, int length) => offset >= 0 && offset <= file.Length - length
        ? file.Span(offset, length) : throw Bad(file, $"its table points to byte {offset} of {file.Length}");

    private static long Long(MappedFile file, ReadOnlySpan<byte> s, int at)
    {
        long value = BinaryPrimitives.ReadInt64LittleEndian(s[at..]);
        return value >= 0 ? value : throw Bad(file, "it states a size beyond 2^63");
    }

    private static int U16(ReadOnlySpan<byte> s, int at) => BinaryPrimitives.ReadUInt16LittleEndian(s[at..]);

    private static uint U32(ReadOnlySpan<byte> s, int at) => BinaryPrimitives.ReadUInt32LittleEndian(s[at..]);

    private static CheckpointException Bad(MappedFile file, string why) =>
        new($"{file.Path}: is not a whole torch file: {why}. Download or save the file again.");
}
