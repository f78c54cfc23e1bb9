using System.Globalization;
using System.IO.Compression;
using TuneSharp.Backend;

namespace TuneSharp.Checkpointing;

/// <summary>A file of <c>torch.save</c> (<c>.pt</c>, <c>.pth</c>, <c>.bin</c>): tensors and plain data, and nothing that could run.</summary>
/// <remarks>
/// The file is mapped, and a tensor is a view of it, as with <see cref="SafetensorsFile"/>. Dictionaries in dictionaries give names
/// with dots; a training checkpoint gives the tensors under its <c>model</c>, <c>state_dict</c> or <c>model_state_dict</c>.
/// </remarks>
public sealed class TorchPickleFile : ITensorSource
{
    private const int MaxPickleBytes = 64 << 20; // 100,000 tensors take about 20 MB
    private const int MaxDepth = 32;
    private const int MaxVisits = 4_000_000;

    private static readonly string[] ModelKeys = ["model", "state_dict", "model_state_dict", "module"];

    private readonly MappedFile _file;
    private readonly Dictionary<string, ZipEntry> _entries;
    private readonly string _root;
    private readonly Dictionary<string, TorchTensor> _pickled = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorInfo> _tensors = new(StringComparer.Ordinal);
    private int _visits;

    /// <summary>Opens a file and checks every tensor's place in it.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">It is damaged, of the format before PyTorch 1.6, or wants to run something.</exception>
    public TorchPickleFile(string path)
    {
        _file = new MappedFile(path);
        try
        {
            if (_file.Length < 4 || !_file.Span(0, 2).SequenceEqual("PK"u8))
            {
                throw new CheckpointException(_file.Length > 0 && _file.Span(0, 1)[0] == 0x80
                    ? $"{path}: is in torch's format before version 1.6. Load and save it once with a newer PyTorch, or download the safetensors."
                    : $"{path}: is not a torch file. Download it again.");
            }

            _entries = ZipDirectory.Read(_file);
            ZipEntry[] pickles = [.. _entries.Values.Where(e => e.Name == "data.pkl" || e.Name.EndsWith("/data.pkl", StringComparison.Ordinal))];
            if (pickles.Length != 1)
            {
                throw new CheckpointException($"{path}: is a zip archive with {pickles.Length} entries data.pkl, and a torch file has one. Name another file.");
            }

            _root = pickles[0].Name[..^"data.pkl".Length];
            CheckByteOrder();
            Collect(Unpickle(pickles[0]));
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <inheritdoc/>
    public string FileOf(string name) => _file.Path;

    /// <inheritdoc/>
    /// <exception cref="CheckpointException">The file has no such tensor.</exception>
    public Tensor Read(string name)
    {
        if (!_pickled.TryGetValue(name, out TorchTensor? t))
        {
            throw new CheckpointException($"{_file.Path}: has no tensor {name}.");
        }

        ObjectDisposedException.ThrowIf(_file.Length > 0 && IsClosed, this);
        if (_tensors[name].Count == 0)
        {
            return empty(t.Shape, dtype: t.Storage.Dtype);
        }

        using DisposeScope scope = NewDisposeScope();
        return OpenStorage(t.Storage).as_strided(t.Shape, t.Strides, t.Offset).MoveToOuterDisposeScope();
    }

    /// <summary>Unmaps the file. Tensors read from it must not be used any more.</summary>
    public void Dispose() => _file.Dispose();

    private unsafe bool IsClosed => _file.Start is null;

    private object? Unpickle(ZipEntry entry)
    {
        if (entry.Bytes > MaxPickleBytes)
        {
            throw new CheckpointException($"{_file.Path}: its data.pkl has {entry.Bytes} bytes, more than {MaxPickleBytes}. Convert it to safetensors.");
        }

        try
        {
            byte[] bytes = new byte[entry.Bytes];
            Unpack(entry, bytes);
            return RestrictedUnpickler.Read(bytes);
        }
        catch (Exception e) when (e is FormatException or InvalidDataException or EndOfStreamException)
        {
            throw new CheckpointException($"{_file.Path}: its data.pkl cannot be read: {e.Message.TrimEnd('.')}. Use the model's safetensors instead.", e);
        }
    }

    private void CheckByteOrder()
    {
        if (_entries.TryGetValue(_root + "byteorder", out ZipEntry? entry) && entry is { Deflated: false, Bytes: < 16 }
            && !_file.Span(entry.Offset, (int)entry.Bytes).SequenceEqual("little"u8))
        {
            throw new CheckpointException($"{_file.Path}: was saved on a big-endian machine. Save it again on another.");
        }
    }

    private void Collect(object? root)
    {
        Dictionary<object, object?> dict = root as Dictionary<object, object?>
            ?? throw new CheckpointException($"{_file.Path}: holds no dictionary of tensors, as a state dict is. Save model.state_dict().");
        if (!dict.Values.Any(v => v is TorchTensor))
        {
            string[] keys = [.. ModelKeys.Where(k => dict.TryGetValue(k, out object? v) && v is Dictionary<object, object?>)];
            if (keys.Length == 1)
            {
                dict = (Dictionary<object, object?>)dict[keys[0]]!;
            }
        }

        Visit(dict, "", 0);
        if (_tensors.Count == 0)
        {
            throw new CheckpointException($"{_file.Path}: holds no tensors. Name the file with the weights.");
        }
    }

    private void Visit(Dictionary<object, object?> dict, string prefix, int depth)
    {
        foreach ((object key, object? value) in dict)
        {
            // References may make a small file a huge tree, or a circle.
            if (depth > MaxDepth || ++_visits > MaxVisits)
            {
                throw new CheckpointException($"{_file.Path}: its dictionaries lie more than {MaxDepth} deep, or hold more than {MaxVisits} values. Do not trust it.");
            }

            string name = prefix + Convert.ToString(key, CultureInfo.InvariantCulture);
            if (value is TorchTensor t)
            {
                Add(name, t);
            }
            else if (value is Dictionary<object, object?> inner)
            {
                Visit(inner, name + ".", depth + 1);
            }
        }
    }

    private void Add(string name, TorchTensor t)
    {
        ZipEntry entry = _entries.GetValueOrDefault($"{_root}data/{t.Storage.Key}")
            ?? throw Bad(name, $"its storage {t.Storage.Key} is not in the file");
        int size = SafetensorsDtypes.Size(t.Storage.Dtype);
        Int128 storageBytes = (Int128)t.Storage.Count * size;
        if (storageBytes > entry.Bytes)
        {
            throw Bad(name, $"its storage has {t.Storage.Count} elements of {size} bytes by its description, and {entry.Bytes} bytes");
        }

        if (t.Shape.Length != t.Strides.Length || t.Shape.Length > 64 || t.Offset < 0 || t.Shape.Any(s => s < 0) || t.Strides.Any(s => s < 0))
        {
            throw Bad(name, $"its shape [{string.Join(", ", t.Shape)}], strides [{string.Join(", ", t.Strides)}] and offset {t.Offset} make no sense");
        }

        Int128 count = 1, last = t.Offset;
        for (int i = 0; i < t.Shape.Length; i++)
        {
            count *= t.Shape[i];
            last += (Int128)Math.Max(t.Shape[i] - 1, 0) * t.Strides[i];
            if (count > long.MaxValue || last > long.MaxValue)
            {
                throw Bad(name, $"its shape [{string.Join(", ", t.Shape)}] is larger than any file");
            }
        }

        if (count > 0 && last >= t.Storage.Count)
        {
            throw Bad(name, $"it reaches to element {last} of a storage of {t.Storage.Count}");
        }

        if (!_tensors.TryAdd(name, new TensorInfo(name, t.Shape, t.Storage.Dtype)))
        {
            throw Bad(name, "there are two of that name");
        }

        _pickled[name] = t;
    }

    /// <summary>A one-dimensional tensor over a storage: over the mapped bytes, or a copy where they are packed or misaligned.</summary>
    private unsafe Tensor OpenStorage(TorchStorage storage)
    {
        ZipEntry entry = _entries[$"{_root}data/{storage.Key}"];
        byte* data = _file.Start + entry.Offset;
        int size = SafetensorsDtypes.Size(storage.Dtype);
        if (!entry.Deflated && (ulong)data % (ulong)Math.Min(size, 8) == 0)
        {
            return Aten.FromPointer(data, [storage.Count], storage.Dtype);
        }

        if (entry.Deflated && entry.Bytes / 1100 > entry.StoredBytes) // deflate packs at most 1032 bytes into one
        {
            throw new CheckpointException($"{_file.Path}: {entry.Name} says that it has {entry.Bytes} bytes, which cannot be. Download it again.");
        }

        Tensor copy = empty([storage.Count], dtype: storage.Dtype);
        long bytes = storage.Count * size;
        if (!entry.Deflated)
        {
            Buffer.MemoryCopy(data, Aten.DataPointer(copy), bytes, bytes);
            return copy;
        }

        try
        {
            using UnmanagedMemoryStream packed = new(data, entry.StoredBytes);
            using DeflateStream inflate = new(packed, CompressionMode.Decompress);
            for (long done = 0; done < bytes;)
            {
                int piece = (int)Math.Min(bytes - done, 1 << 26);
                inflate.ReadExactly(new Span<byte>(Aten.DataPointer(copy) + done, piece));
                done += piece;
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new CheckpointException($"{_file.Path}: {entry.Name} cannot be unpacked ({e.Message.TrimEnd('.')}). Download it again.", e);
        }

        return copy;
    }

    private unsafe void Unpack(ZipEntry entry, byte[] bytes)
    {
        if (!entry.Deflated)
        {
            _file.Span(entry.Offset, bytes.Length).CopyTo(bytes);
            return;
        }

        using UnmanagedMemoryStream packed = new(_file.Start + entry.Offset, entry.StoredBytes);
        using DeflateStream inflate = new(packed, CompressionMode.Decompress);
        inflate.ReadExactly(bytes);
    }

    private CheckpointException Bad(string name, string why) => new($"{_file.Path}: {name} is damaged: {why}. Download or save the file again.");
}
