using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace TuneSharp.Checkpointing;

/// <summary>Reads and checks the header of a safetensors file: nothing in it is believed before it was verified.</summary>
/// <remarks>Layout: 8 bytes little-endian header length, the header as JSON, then the tensors' bytes without holes.</remarks>
internal static class SafetensorsHeader
{
    /// <summary>Longest header that the reference implementation accepts, in bytes.</summary>
    internal const long MaxBytes = 100_000_000;

    /// <summary>One tensor: what it is and where its bytes lie, counted from the end of the header.</summary>
    internal sealed record Entry(string Name, string Dtype, long[] Shape, long Begin, long End);

    /// <summary>What the header says.</summary>
    internal sealed record Content(
        IReadOnlyList<Entry> Entries, IReadOnlyDictionary<string, string> Metadata, long DataStart);

    /// <summary>Reads and checks the header.</summary>
    /// <exception cref="CheckpointException">Anything in it is wrong.</exception>
    internal static Content Read(MappedFile file)
    {
        if (file.Length < 8)
        {
            throw Bad(file, $"has {file.Length} bytes, fewer than the 8 that hold the header's length. It was cut off, or is empty");
        }

        ulong stated = BinaryPrimitives.ReadUInt64LittleEndian(file.Span(0, 8));
        byte first = file.Length > 8 ? file.Span(8, 1)[0] : (byte)0;
        if (first != (byte)'{')
        {
            throw new CheckpointException($"{file.Path}: is not a safetensors file: {Guess(file)}");
        }

        if (stated > MaxBytes)
        {
            throw Bad(file, $"says that its header has {stated} bytes; the format allows {MaxBytes}. It is damaged, or not a safetensors file");
        }

        long length = (long)stated;
        if (length > file.Length - 8)
        {
            throw Bad(file, $"says that its header has {length} bytes, and only {file.Length - 8} follow. It was cut off");
        }

        (List<Entry> entries, Dictionary<string, string> metadata) = Parse(file, file.Span(8, (int)length));
        CheckLayout(file, entries, file.Length - 8 - length);
        return new Content(entries, metadata, 8 + length);
    }

    private static (List<Entry> Entries, Dictionary<string, string> Metadata) Parse(MappedFile file, ReadOnlySpan<byte> json)
    {
        Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = 8 });
        List<Entry> entries = [];
        Dictionary<string, string> metadata = new(StringComparer.Ordinal);
        HashSet<string> seen = new(StringComparer.Ordinal);
        try
        {
            reader.Read(); // the opening brace was seen
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                if (!seen.Add(name))
                {
                    throw Bad(file, $"names {name} twice in its header");
                }

                reader.Read();
                if (name == "__metadata__")
                {
                    ReadMetadata(file, ref reader, metadata);
                }
                else
                {
                    entries.Add(ReadEntry(file, ref reader, name));
                }
            }

            if (reader.Read())
            {
                throw Bad(file, "has text after its header's closing brace");
            }
        }
        catch (Exception e) when (e is JsonException or DecoderFallbackException or InvalidOperationException)
        {
            throw Bad(file, $"has a header that is not JSON ({e.Message.TrimEnd('.')})", e);
        }

        return (entries, metadata);
    }

    private static void ReadMetadata(MappedFile file, ref Utf8JsonReader reader, Dictionary<string, string> metadata)
    {
        Expect(file, reader.TokenType == JsonTokenType.StartObject, "__metadata__ is not an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            Expect(file, reader.TokenType == JsonTokenType.String, $"__metadata__.{key} is not a string");
            Expect(file, metadata.TryAdd(key, reader.GetString()!), $"__metadata__ names {key} twice");
        }
    }

    private static Entry ReadEntry(MappedFile file, ref Utf8JsonReader reader, string name)
    {
        Expect(file, reader.TokenType == JsonTokenType.StartObject, $"{name} is not an object");
        string? dtype = null;
        List<long>? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            switch (key)
            {
                case "dtype":
                    Expect(file, reader.TokenType == JsonTokenType.String && dtype is null, $"{name}: dtype is not one string");
                    dtype = reader.GetString();
                    break;
                case "shape":
                    Expect(file, shape is null, $"{name} has two shapes");
                    shape = ReadNumbers(file, ref reader, $"{name}: shape");
                    break;
                case "data_offsets":
                    Expect(file, offsets is null, $"{name} has two data_offsets");
                    offsets = ReadNumbers(file, ref reader, $"{name}: data_offsets");
                    break;
                default:
                    throw Bad(file, $"has an unknown key {key} at {name}");
            }
        }

        Expect(file, dtype is not null && shape is not null && offsets is { Count: 2 },
            $"{name} lacks a dtype, a shape or two data_offsets");
        return new Entry(name, dtype!, [.. shape!], offsets![0], offsets[1]);
    }

    private static List<long> ReadNumbers(MappedFile file, ref Utf8JsonReader reader, string what)
    {
        Expect(file, reader.TokenType == JsonTokenType.StartArray, $"{what} is not a list");
        List<long> numbers = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            long value = -1;
            bool whole = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out value);
            Expect(file, whole && value >= 0, $"{what} has an entry that is not a whole number from 0 to 2^63-1");
            Expect(file, numbers.Count < 64, $"{what} has more than 64 entries"); // libtorch's own limit on dimensions
            numbers.Add(value);
        }

        return numbers;
    }

    /// <summary>Every tensor inside the data, as long as its shape says, none over another, nothing between them.</summary>
    private static void CheckLayout(MappedFile file, List<Entry> entries, long dataBytes)
    {
        foreach (Entry e in entries)
        {
            if (e.Begin > e.End || e.End > dataBytes)
            {
                throw Bad(file, $"puts {e.Name} at bytes {e.Begin} to {e.End} of {dataBytes}. It was cut off, or is damaged");
            }

            SafetensorsDtypes.Entry dtype = SafetensorsDtypes.Find(e.Dtype)
                ?? throw Bad(file, $"stores {e.Name} as {e.Dtype}, which is no type of the safetensors format");
            long bytes = ByteCount(e.Shape, dtype.Bits)
                ?? throw Bad(file, $"gives {e.Name} the shape [{string.Join(", ", e.Shape)}], larger than any file");
            if (bytes != e.End - e.Begin)
            {
                throw Bad(file, $"gives {e.Name} {e.End - e.Begin} bytes, and [{string.Join(", ", e.Shape)}] in {e.Dtype} takes {bytes}");
            }
        }

        entries.Sort((a, b) => (a.Begin, a.End).CompareTo((b.Begin, b.End)));
        long at = 0;
        Entry? before = null;
        foreach (Entry e in entries)
        {
            if (e.Begin < at)
            {
                throw Bad(file, $"puts {e.Name} (bytes {e.Begin} to {e.End}) over {before!.Name} (bytes {before.Begin} to {before.End})");
            }

            if (e.Begin > at)
            {
                throw Bad(file, $"leaves bytes {at} to {e.Begin} before {e.Name} to no tensor");
            }

            at = e.End;
            before = e;
        }

        if (at != dataBytes)
        {
            throw Bad(file, $"has {dataBytes - at} bytes after its last tensor that belong to none");
        }
    }

    /// <summary>Bytes of a tensor; null on overflow or when they are no whole number.</summary>
    private static long? ByteCount(long[] shape, int bits)
    {
        if (Array.IndexOf(shape, 0) >= 0)
        {
            return 0;
        }

        Int128 total = bits;
        foreach (long extent in shape)
        {
            total *= extent;
            if (total > long.MaxValue)
            {
                return null;
            }
        }

        return total % 8 == 0 ? (long)(total / 8) : null;
    }

    /// <summary>What a file that is no safetensors file may be, from its first bytes.</summary>
    private static string Guess(MappedFile file)
    {
        ReadOnlySpan<byte> head = file.Span(0, (int)Math.Min(file.Length, 64));
        return head.StartsWith("version https://git-lfs"u8) ? "it is a Git LFS pointer. Run `git lfs pull` in its folder."
            : head.StartsWith("PK"u8) ? "it looks like a torch file (.pt, .bin). Give it that ending, or convert it."
            : head.StartsWith("GGUF"u8) ? "it is a GGUF file. Download the checkpoint's safetensors instead."
            : head.StartsWith("<"u8) ? "it looks like a web page. The download failed; download it again."
            : "its header does not begin with {. It is damaged, or of another format; download it again.";
    }

    private static void Expect(MappedFile file, bool holds, string otherwise)
    {
        if (!holds)
        {
            throw Bad(file, $"has a header in which {otherwise}");
        }
    }

    private static CheckpointException Bad(MappedFile file, string what, Exception? inner = null) =>
        new($"{file.Path}: {what}. Download or save the file again.", inner);
}
