using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using TuneSharp.Backend;

namespace TuneSharp.Checkpointing;

/// <summary>Writes safetensors files tensor by tensor, byte for byte as the reference implementation does.</summary>
/// <remarks>Only one tensor is needed at a time, and a CPU tensor's bytes go to the file from where they lie.</remarks>
public static class SafetensorsWriter
{
    private const int PieceBytes = 1 << 26; // 64 MB a write call: large enough for full speed, small enough for any system

    /// <summary>What transformers and PEFT put into <c>__metadata__</c>.</summary>
    public static IReadOnlyDictionary<string, string> TorchMetadata { get; } =
        new Dictionary<string, string>(StringComparer.Ordinal) { ["format"] = "pt" };

    /// <summary>Writes a file; see <see cref="AtomicFile"/> for what happens when that fails.</summary>
    /// <param name="path">The file.</param>
    /// <param name="tensors">What is written, in any order.</param>
    /// <param name="read">Gives a tensor by name, on any device; called once per tensor in the order of the file. Tensors that
    /// it makes are disposed after use.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>; null for <see cref="TorchMetadata"/>, empty for none.</param>
    public static void Write(
        string path, IEnumerable<TensorInfo> tensors, Func<string, Tensor> read, IReadOnlyDictionary<string, string>? metadata = null)
    {
        IReadOnlyList<TensorInfo> ordered = InFileOrder(path, tensors);
        AtomicFile.Write(path, stream => WriteTo(stream, path, ordered, read, metadata ?? TorchMetadata));
    }

    /// <summary>Writes tensors that are at hand.</summary>
    /// <param name="path">The file.</param>
    /// <param name="tensors">Tensors by name.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>; null for <see cref="TorchMetadata"/>, empty for none.</param>
    public static void Write(
        string path, IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        Write(path, tensors.Select(t => new TensorInfo(t.Key, t.Value.shape, t.Value.dtype)), name => tensors[name], metadata);

    /// <summary>The reference writer's order: widest element type first, then by name.</summary>
    internal static IReadOnlyList<TensorInfo> InFileOrder(string path, IEnumerable<TensorInfo> tensors)
    {
        List<TensorInfo> list = [.. tensors];
        foreach (TensorInfo t in list)
        {
            if (SafetensorsDtypes.Find(t.Dtype) is null)
            {
                throw new CheckpointException($"{path}: {t.Name} is {t.Dtype}, which safetensors cannot hold. Convert it first.");
            }
        }

        list.Sort((a, b) =>
        {
            int byType = SafetensorsDtypes.Rank(b.Dtype).CompareTo(SafetensorsDtypes.Rank(a.Dtype));
            return byType != 0 ? byType : string.CompareOrdinal(a.Name, b.Name);
        });
        for (int i = 1; i < list.Count; i++)
        {
            if (list[i].Name == list[i - 1].Name)
            {
                throw new CheckpointException($"{path}: {list[i].Name} would be written twice.");
            }
        }

        return list;
    }

    /// <summary>Bytes of a tensor in the file.</summary>
    internal static long ByteCount(TensorInfo t) => checked(t.Count * SafetensorsDtypes.Size(t.Dtype));

    internal static void WriteTo(
        Stream stream, string path, IReadOnlyList<TensorInfo> ordered, Func<string, Tensor> read, IReadOnlyDictionary<string, string> metadata)
    {
        byte[] header = Header(ordered, metadata);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
        stream.Write(length);
        stream.Write(header);
        using IDisposable still = no_grad();
        foreach (TensorInfo info in ordered)
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor t = read(info.Name);
            if (t.dtype != info.Dtype || !t.shape.AsSpan().SequenceEqual(info.Shape))
            {
                throw new CheckpointException(
                    $"{path}: {info.Name} was announced as {info.Dtype} {info.ShapeText} and came as {t.dtype} [{string.Join(", ", t.shape)}].");
            }

            WriteBytes(stream, t);
        }
    }

    private static unsafe void WriteBytes(Stream stream, Tensor t)
    {
        long left = t.numel() * t.element_size();
        if (left == 0)
        {
            return;
        }

        Tensor dense = t.detach().cpu().contiguous();
        byte* p = Aten.DataPointer(dense);
        while (left > 0)
        {
            int piece = (int)Math.Min(left, PieceBytes);
            stream.Write(new ReadOnlySpan<byte>(p, piece));
            p += piece;
            left -= piece;
        }

        GC.KeepAlive(dense);
    }

    private static byte[] Header(IReadOnlyList<TensorInfo> ordered, IReadOnlyDictionary<string, string> metadata)
    {
        using MemoryStream buffer = new();
        // Names are written as they are, in UTF-8, as the reference writer does.
        using (Utf8JsonWriter json = new(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long at = 0;
            foreach (TensorInfo t in ordered)
            {
                json.WriteStartObject(t.Name);
                json.WriteString("dtype", SafetensorsDtypes.Find(t.Dtype)!.Name);
                json.WriteStartArray("shape");
                foreach (long extent in t.Shape)
                {
                    json.WriteNumberValue(extent);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(at);
                json.WriteNumberValue(at += ByteCount(t));
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        int padding = (int)((8 - (buffer.Length % 8)) % 8); // the data begins at a multiple of 8 bytes
        buffer.Write(Encoding.ASCII.GetBytes(new string(' ', padding)));
        return buffer.ToArray();
    }
}
