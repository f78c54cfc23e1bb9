using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace TuneSharp.Data;

/// <summary>Samples in a mapped file: only what is read comes into memory, and the system may drop it again.</summary>
/// <remarks>
/// Little-endian. Eight bytes of magic; per entry its ids, then its labels, int32; the place of each entry in the block, counted in
/// tokens, int64, one more than entries; the row of each sample, int32; a summary in JSON; 48 bytes of trailer. A preference
/// sample is two entries. Checksums are CRC-32C: one over all before the places, one over all from there to the trailer.
/// </remarks>
internal sealed class TokenFile : ITokenStore, IDisposable
{
    internal const int HeaderSize = 8;
    internal const int TrailerSize = 48;

    /// <summary>Files up to this size are read through once when they are opened; beyond it, that would take longer than a coffee.</summary>
    private const long CheckedWhole = 4L << 30;

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly long _places;
    private readonly long _rows;
    private readonly int _entriesEach;

    private TokenFile(MemoryMappedFile file, MemoryMappedViewAccessor view, Trailer trailer, DatasetSummary summary)
    {
        (_file, _view, Summary) = (file, view, summary);
        (_places, _rows) = (trailer.Places, trailer.Rows);
        _entriesEach = summary.IsPreference ? 2 : 1;
        Count = checked((int)((trailer.Meta - trailer.Rows) / sizeof(int)));
    }

    internal static ReadOnlySpan<byte> Magic => "TuneTok1"u8;

    public int Count { get; }

    public DatasetSummary Summary { get; }

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="problem">Why it cannot be used; null when there is none or it is fine.</param>
    /// <returns>Null when it is missing or damaged.</returns>
    public static TokenFile? Open(string path, out string? problem)
    {
        problem = null;
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            Trailer trailer = Check(path);
            MemoryMappedFile file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            MemoryMappedViewAccessor view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            byte[] meta = new byte[trailer.End - trailer.Meta];
            view.ReadArray(trailer.Meta, meta, 0, meta.Length);
            return new TokenFile(file, view, trailer, JsonSerializer.Deserialize<DatasetSummary>(meta)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or JsonException or OverflowException)
        {
            problem = e.Message.TrimEnd('.');
            return null;
        }
    }

    public int LengthOf(int index)
    {
        int entry = index * _entriesEach;
        return checked((int)(PlaceOf(entry + 1) - PlaceOf(entry)));
    }

    public Sample Read(int index)
    {
        int entry = index * _entriesEach;
        Sample sample = ReadEntry(entry);
        return _entriesEach == 1 ? sample : sample with { Rejected = ReadEntry(entry + 1) };
    }

    public int RowOf(int index) => _view.ReadInt32(_rows + ((long)index * sizeof(int)));

    public void Copy(int index, int from, Span<int> tokens, Span<int> labels)
    {
        int entry = index * _entriesEach;
        long place = PlaceOf(entry);
        long length = PlaceOf(entry + 1) - place;
        long at = HeaderSize + (place * 2 * sizeof(int));
        ReadInts(at + ((long)from * sizeof(int)), tokens);
        ReadInts(at + ((length + from) * sizeof(int)), labels);
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }

    private Sample ReadEntry(int entry)
    {
        long place = PlaceOf(entry);
        int length = checked((int)(PlaceOf(entry + 1) - place));
        (int[] tokens, int[] labels) = (new int[length], new int[length]);
        long at = HeaderSize + (place * 2 * sizeof(int));
        ReadInts(at, tokens);
        ReadInts(at + ((long)length * sizeof(int)), labels);
        return new Sample(tokens, labels);
    }

    private long PlaceOf(int entry) => _view.ReadInt64(_places + ((long)entry * sizeof(long)));

    private void ReadInts(long at, Span<int> target) => _view.SafeMemoryMappedViewHandle.ReadSpan((ulong)at, target);

    private static Trailer Check(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.SequentialScan);
        if (file.Length < HeaderSize + TrailerSize)
        {
            throw new InvalidDataException("it is too short");
        }

        byte[] bytes = new byte[TrailerSize];
        file.Seek(-TrailerSize, SeekOrigin.End);
        file.ReadExactly(bytes);
        Trailer trailer = Trailer.Parse(bytes) is { } read && read.End == file.Length - TrailerSize && read.IsInOrder
            ? read
            : throw new InvalidDataException("its end is missing, as after a cut");
        file.Seek(trailer.Places, SeekOrigin.Begin);
        if (Crc(file, trailer.End - trailer.Places) != trailer.TailCrc)
        {
            throw new InvalidDataException("the checksum of its index is wrong");
        }

        if (file.Length <= CheckedWhole)
        {
            file.Seek(0, SeekOrigin.Begin);
            if (Crc(file, trailer.Places) != trailer.DataCrc)
            {
                throw new InvalidDataException("the checksum of its tokens is wrong");
            }
        }

        return trailer;
    }

    private static uint Crc(Stream stream, long length)
    {
        Crc32 crc = new();
        byte[] buffer = new byte[1 << 20];
        while (length > 0)
        {
            int n = stream.ReadAtLeast(buffer, (int)Math.Min(buffer.Length, length));
            n = (int)Math.Min(n, length);
            crc.Add(buffer.AsSpan(0, n));
            length -= n;
        }

        return crc.Value;
    }

    /// <summary>The last bytes of a file: where its parts begin, and their checksums.</summary>
    internal sealed record Trailer(long Places, long Rows, long Meta, long End, uint DataCrc, uint TailCrc)
    {
        public bool IsInOrder => Places >= HeaderSize && Places <= Rows && Rows <= Meta && Meta <= End;

        public byte[] ToBytes()
        {
            byte[] bytes = new byte[TrailerSize];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, Places);
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8), Rows);
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), Meta);
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), End);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(32), DataCrc);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(36), TailCrc);
            Magic.CopyTo(bytes.AsSpan(40));
            return bytes;
        }

        public static Trailer? Parse(ReadOnlySpan<byte> bytes) => !bytes[40..].SequenceEqual(Magic) ? null : new(
            BinaryPrimitives.ReadInt64LittleEndian(bytes),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[32..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[36..]));
    }

    /// <summary>CRC-32C of bytes that come in pieces.</summary>
    internal struct Crc32()
    {
        private uint _crc = uint.MaxValue;

        public readonly uint Value => ~_crc;

        public void Add(ReadOnlySpan<byte> bytes)
        {
            uint crc = _crc;
            int whole = bytes.Length & ~7;
            foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(bytes[..whole]))
            {
                crc = BitOperations.Crc32C(crc, word);
            }

            foreach (byte b in bytes[whole..])
            {
                crc = BitOperations.Crc32C(crc, b);
            }

            _crc = crc;
        }
    }
}

/// <summary>Writes a <see cref="TokenFile"/>: to a name of its own, and to its final one when it is whole.</summary>
internal sealed class TokenFileWriter : IDisposable
{
    private readonly string _path;
    private readonly string _temporary;
    private readonly FileStream _file;
    private readonly List<long> _places = [0];
    private readonly List<int> _rows = [];
    private TokenFile.Crc32 _crc = new();
    private bool _done;

    public TokenFileWriter(string path)
    {
        _path = path;
        _temporary = FormattableString.Invariant($"{path}.{Environment.ProcessId}.tmp");
        _file = new FileStream(_temporary, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        Write(TokenFile.Magic);
    }

    public void Add(Sample sample, int row)
    {
        AddEntry(sample);
        if (sample.Rejected is { } rejected)
        {
            AddEntry(rejected);
        }

        _rows.Add(row);
    }

    public void Finish(DatasetSummary summary)
    {
        uint dataCrc = _crc.Value;
        _crc = new TokenFile.Crc32();
        long places = _file.Position;
        Write(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_places)));
        long rows = _file.Position;
        Write(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_rows)));
        long meta = _file.Position;
        Write(JsonSerializer.SerializeToUtf8Bytes(summary));
        _file.Write(new TokenFile.Trailer(places, rows, meta, _file.Position, dataCrc, _crc.Value).ToBytes());
        _file.Flush(flushToDisk: true);
        _file.Dispose();
        File.Move(_temporary, _path, overwrite: true);
        _done = true;
    }

    public void Dispose()
    {
        _file.Dispose();
        if (!_done)
        {
            File.Delete(_temporary);
        }
    }

    private void AddEntry(Sample sample)
    {
        Write(MemoryMarshal.AsBytes<int>(sample.Tokens));
        Write(MemoryMarshal.AsBytes<int>(sample.Labels));
        _places.Add(_places[^1] + sample.Tokens.Length);
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        _crc.Add(bytes);
        _file.Write(bytes);
    }
}
