using TuneSharp.Backend;

namespace TuneSharp.Checkpointing;

/// <summary>A safetensors file, mapped into memory: a tensor is a view of the file, and nothing is read before it is used.</summary>
/// <remarks>
/// The whole header is checked when the file is opened. The tensors are valid until the file is disposed, and must not be
/// written to (the mapping is read-only: a write ends the process). Reading is thread-safe.
/// </remarks>
public sealed class SafetensorsFile : ITensorSource
{
    private readonly MappedFile _file;
    private readonly SafetensorsHeader.Content _header;
    private readonly Dictionary<string, SafetensorsHeader.Entry> _entries;
    private readonly Dictionary<string, TensorInfo> _tensors;

    /// <summary>Opens a file and checks its header.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">It is missing, damaged, or of another format.</exception>
    public SafetensorsFile(string path)
    {
        _file = new MappedFile(path);
        try
        {
            _header = SafetensorsHeader.Read(_file);
        }
        catch
        {
            _file.Dispose();
            throw;
        }

        _entries = _header.Entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
        _tensors = _header.Entries.ToDictionary(
            e => e.Name,
            e => new TensorInfo(e.Name, e.Shape, SafetensorsDtypes.Find(e.Dtype)!.Type ?? Unreadable),
            StringComparer.Ordinal);
    }

    /// <summary>The type of a tensor whose dtype TorchSharp lacks: c10's "undefined". Its <see cref="Read"/> says which it is.</summary>
    internal const ScalarType Unreadable = (ScalarType)(-1);

    /// <summary>The file.</summary>
    public string Path => _file.Path;

    /// <summary>The strings under <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>All tensors in the order of their bytes.</summary>
    public IReadOnlyList<TensorInfo> InFileOrder => [.. _header.Entries.Select(e => _tensors[e.Name])];

    /// <inheritdoc/>
    public string FileOf(string name) => Path;

    /// <inheritdoc/>
    /// <exception cref="CheckpointException">The file has no such tensor, or TorchSharp has no such element type.</exception>
    public unsafe Tensor Read(string name)
    {
        ObjectDisposedException.ThrowIf(_file.Length > 0 && _file.Start is null, this);
        if (!_entries.TryGetValue(name, out SafetensorsHeader.Entry? e))
        {
            throw new CheckpointException($"{Path}: has no tensor {name}.");
        }

        SafetensorsDtypes.Entry dtype = SafetensorsDtypes.Find(e.Dtype)!;
        if (dtype.Type is not { } type)
        {
            throw new CheckpointException(
                $"{Path}: {name} is stored as {e.Dtype}, which cannot be read here. Convert the checkpoint to one of {SafetensorsDtypes.Names}.");
        }

        byte* data = _file.Start + _header.DataStart + e.Begin;
        long bytes = e.End - e.Begin;
        int align = Math.Min(dtype.Bits / 8, 8);
        if (bytes > 0 && (ulong)data % (ulong)align == 0)
        {
            return Aten.FromPointer(data, e.Shape, type);
        }

        // Some writers do not align tensors; vector instructions may insist on it. Empty tensors have no bytes to point at.
        Tensor copy = empty(e.Shape, dtype: type);
        if (bytes > 0)
        {
            Buffer.MemoryCopy(data, Aten.DataPointer(copy), bytes, bytes);
        }

        return copy;
    }

    /// <summary>Unmaps the file. Tensors read from it must not be used any more.</summary>
    public void Dispose() => _file.Dispose();
}
