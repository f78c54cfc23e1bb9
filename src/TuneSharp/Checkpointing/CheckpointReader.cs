using System.Text.Json.Nodes;
using TuneSharp.Hub;
using TuneSharp.Kernels;

namespace TuneSharp.Checkpointing;

/// <summary>A checkpoint of one or many files, read as one set of tensors.</summary>
/// <remarks>
/// Opens a Hugging Face folder (<c>model.safetensors</c>, its shards and index, or <c>pytorch_model*.bin</c>), or files that are
/// named one by one. Weights that bitsandbytes quantised appear as they were, under their own names, and so do MXFP4 weights, in bf16. All headers are checked at once; bytes are read when a tensor is. Reading is thread-safe.
/// </remarks>
public sealed class CheckpointReader : IQuantizedSource
{
    private static readonly string[] Layouts =
        ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

    private readonly List<ITensorSource> _sources = [];
    private readonly Dictionary<string, ITensorSource> _owner = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorInfo> _stored = new(StringComparer.Ordinal);
    private readonly IReadOnlyDictionary<string, TensorInfo> _tensors;
    private readonly IReadOnlyDictionary<string, TensorInfo> _quantized;
    private readonly IReadOnlyDictionary<string, TensorInfo> _mxfp4;

    private CheckpointReader(IEnumerable<string> files)
    {
        try
        {
            foreach (string file in files)
            {
                ITensorSource source = OpenFile(file);
                _sources.Add(source);
                foreach ((string name, TensorInfo info) in source.Tensors)
                {
                    if (!_owner.TryAdd(name, source))
                    {
                        throw new CheckpointException(
                            $"{file}: holds {name}, which {Path.GetFileName(_owner[name].FileOf(name))} holds as well. "
                            + "The shards do not belong together; download the checkpoint again.");
                    }

                    _stored[name] = info;
                }
            }

            BnbWeights found = BnbLayout.Find(_stored, Stored);
            _quantized = found.Weights;
            _mxfp4 = Mxfp4.Find(_stored);
            _tensors = found.Weights.Count + _mxfp4.Count == 0 ? _stored
                : _stored.Where(t => !found.Parts.Contains(t.Key) && !Mxfp4.IsPart(t.Key, _mxfp4))
                    .Select(t => KeyValuePair.Create(t.Key, found.Weights.GetValueOrDefault(t.Key) ?? t.Value)).Concat(_mxfp4)
                    .ToDictionary(StringComparer.Ordinal);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>Opens a checkpoint.</summary>
    /// <param name="path">A Hugging Face folder, or one weight file.</param>
    /// <exception cref="CheckpointException">Something is missing, damaged, or does not belong together.</exception>
    public static CheckpointReader Open(string path)
    {
        path = HubCache.Local(path);
        if (!Directory.Exists(path))
        {
            return new CheckpointReader([path]);
        }

        string layout = Array.Find(Layouts, l => File.Exists(Path.Combine(path, l))) ?? throw NoWeights(path);
        string file = Path.Combine(path, layout);
        return layout.EndsWith(".index.json", StringComparison.Ordinal) ? OpenIndex(file) : new CheckpointReader([file]);
    }

    /// <summary>Opens files of a folder that are named one by one, as torchtune's <c>checkpoint_files</c> does.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="files">Names in it.</param>
    /// <exception cref="CheckpointException">Something is missing, damaged, or does not belong together.</exception>
    public static CheckpointReader Open(string folder, IEnumerable<string> files)
    {
        List<string> paths = [.. files.Select(f => Path.Combine(folder, f))];
        List<string> missing = [.. paths.Where(p => !File.Exists(p)).Select(p => Path.GetFileName(p))];
        if (missing.Count > 0)
        {
            throw new CheckpointException(
                $"{folder}: {Join(missing)} of checkpoint_files {(missing.Count == 1 ? "is" : "are")} not there. "
                + $"Weight files there: {Join(WeightFiles(folder))}. Mend checkpoint_files, or download the rest.");
        }

        return new CheckpointReader(paths);
    }

    /// <inheritdoc/>
    public string FileOf(string name) => Owner(_mxfp4.ContainsKey(name) ? name + "_blocks" : name).FileOf(name);

    /// <inheritdoc/>
    public bool IsQuantized => _quantized.Count > 0;

    /// <inheritdoc/>
    public Tensor Read(string name)
    {
        if (_mxfp4.TryGetValue(name, out TensorInfo? packed))
        {
            return Mxfp4.Read(packed, Stored);
        }

        if (!_quantized.ContainsKey(name))
        {
            return Stored(name);
        }

        using QuantizedTensor weight = BnbLayout.Read(name, _stored, Stored);
        return weight.Dequantize();
    }

    /// <summary>Whether a tensor holds plain numbers in the file.</summary>
    /// <param name="name">Its name.</param>
    public bool ReadsAsStored(string name) => !_quantized.ContainsKey(name) && !_mxfp4.ContainsKey(name);

    /// <inheritdoc/>
    public QuantizedTensor? ReadQuantized(string name) => _quantized.ContainsKey(name) ? BnbLayout.Read(name, _stored, Stored) : null;

    /// <summary>Closes all files. Tensors read from them must not be used any more.</summary>
    public void Dispose()
    {
        foreach (ITensorSource source in _sources)
        {
            source.Dispose();
        }

        _sources.Clear();
    }

    /// <summary>Opens one weight file by what its first bytes say it is.</summary>
    internal static ITensorSource OpenFile(string path)
    {
        bool torch;
        using (MappedFile file = new(path))
        {
            ReadOnlySpan<byte> head = file.Span(0, (int)Math.Min(file.Length, 9));
            // A safetensors file may begin with any length, but its ninth byte is a brace; a zip's is 0 or 8, an old pickle's 0xf9.
            torch = (head.StartsWith("PK"u8) || head is [0x80, ..]) && head is not [.., (byte)'{'];
        }

        return torch ? new TorchPickleFile(path) : new SafetensorsFile(path);
    }

    private static CheckpointReader OpenIndex(string indexFile)
    {
        string folder = Path.GetDirectoryName(indexFile)!;
        if (JsonText.ReadObject(indexFile)["weight_map"] is not JsonObject map)
        {
            throw new CheckpointException($"{indexFile}: has no weight_map. Download it again.");
        }

        Dictionary<string, string> fileOf = new(StringComparer.Ordinal);
        foreach ((string name, JsonNode? value) in map)
        {
            if (value is not JsonValue v || !v.TryGetValue(out string? file) || file != Path.GetFileName(file) || file.Length == 0)
            {
                throw new CheckpointException(
                    $"{indexFile}: weight_map.{name} is {value?.ToJsonString() ?? "null"}, not the name of a file beside it. Download it again.");
            }

            fileOf[name] = file;
        }

        List<string> shards = [.. fileOf.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        List<string> missing = [.. shards.Where(s => !File.Exists(Path.Combine(folder, s)))];
        if (missing.Count > 0)
        {
            throw new CheckpointException(
                $"{folder}: {missing.Count} of {shards.Count} shards that {Path.GetFileName(indexFile)} lists are missing: "
                + $"{Join(missing)}. Download them.");
        }

        CheckpointReader reader = new(shards.Select(s => Path.Combine(folder, s)));
        foreach ((string name, string file) in fileOf)
        {
            string? holder = reader._owner.TryGetValue(name, out ITensorSource? source) ? Path.GetFileName(source.FileOf(name)) : null;
            if (holder != file)
            {
                reader.Dispose();
                throw new CheckpointException(
                    $"{indexFile}: says that {name} is in {file}, and it is {(holder is null ? "in no shard" : "in " + holder)}. "
                    + "The index and the shards do not belong together; download the checkpoint again.");
            }
        }

        return reader;
    }

    private Tensor Stored(string name) => Owner(name).Read(name);

    private ITensorSource Owner(string name) => _owner.TryGetValue(name, out ITensorSource? source)
        ? source
        : throw new CheckpointException($"The checkpoint has no tensor {name}.");

    private static CheckpointException NoWeights(string folder)
    {
        string found = File.Exists(Path.Combine(folder, "adapter_config.json"))
            ? "It is a PEFT adapter; name its base model here, and the adapter as the adapter."
            : Directory.EnumerateFiles(folder, "*.gguf").Any()
            ? "It holds a GGUF file; download the model's safetensors instead."
            : $"Weight files there: {Join(WeightFiles(folder))}. Name them in checkpoint_files, or download the model again.";
        return new CheckpointException($"{folder}: has none of {Join(Layouts)}. {found}");
    }

    private static IEnumerable<string> WeightFiles(string folder) => !Directory.Exists(folder) ? [] :
        Directory.EnumerateFiles(folder).Select(f => Path.GetFileName(f)!)
            .Where(f => Path.GetExtension(f) is ".safetensors" or ".bin" or ".pt" or ".pth").Order(StringComparer.Ordinal);

    /// <summary>Names in a row; long rows are cut after ten.</summary>
    internal static string Join(IEnumerable<string> names)
    {
        List<string> list = [.. names];
        return list.Count switch
        {
            0 => "none",
            <= 10 => string.Join(", ", list),
            _ => $"{string.Join(", ", list.Take(10))} and {list.Count - 10} more",
        };
    }
}
