using System.Globalization;
using System.Text.Json.Nodes;

namespace TuneSharp.Checkpointing;

/// <summary>Writes a model's weights as Hugging Face lays them out: one file, or shards with an index.</summary>
public static class ShardedWriter
{
    /// <summary>Largest shard: 5 GB, as in torchtune and transformers. A larger tensor gets a shard of its own.</summary>
    public const long DefaultShardBytes = 5_000_000_000;

    private const string Single = "model.safetensors";
    private const string Index = "model.safetensors.index.json";

    /// <summary>Writes <c>model.safetensors</c>, or <c>model-00001-of-0000N.safetensors</c> … and the index.</summary>
    /// <param name="folder">Where; created if need be.</param>
    /// <param name="tensors">What is written; shards are filled in this order.</param>
    /// <param name="read">Gives a tensor by name; called once each, shard by shard.</param>
    /// <param name="shardBytes">Largest shard, in bytes.</param>
    /// <returns>The names of the files written.</returns>
    public static IReadOnlyList<string> Write(
        string folder, IReadOnlyList<TensorInfo> tensors, Func<string, Tensor> read, long shardBytes = DefaultShardBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(shardBytes);
        List<List<TensorInfo>> shards = Split(tensors, shardBytes);
        if (shards.Count <= 1)
        {
            SafetensorsWriter.Write(Path.Combine(folder, Single), tensors, read);
            return [Single];
        }

        List<string> files = [];
        SortedDictionary<string, string> map = new(StringComparer.Ordinal);
        for (int i = 0; i < shards.Count; i++)
        {
            string file = string.Create(CultureInfo.InvariantCulture, $"model-{i + 1:00000}-of-{shards.Count:00000}.safetensors");
            SafetensorsWriter.Write(Path.Combine(folder, file), shards[i], read);
            files.Add(file);
            foreach (TensorInfo t in shards[i])
            {
                map[t.Name] = file;
            }
        }

        JsonObject weightMap = [];
        foreach ((string name, string file) in map)
        {
            weightMap[name] = file;
        }

        JsonObject index = new()
        {
            ["metadata"] = new JsonObject
            {
                ["total_parameters"] = tensors.Sum(t => t.Count),
                ["total_size"] = tensors.Sum(SafetensorsWriter.ByteCount),
            },
            ["weight_map"] = weightMap,
        };
        AtomicFile.WriteText(Path.Combine(folder, Index), JsonText.Format(index));
        return [.. files, Index];
    }

    private static List<List<TensorInfo>> Split(IReadOnlyList<TensorInfo> tensors, long shardBytes)
    {
        List<List<TensorInfo>> shards = [];
        long filled = 0;
        foreach (TensorInfo t in tensors)
        {
            long bytes = SafetensorsWriter.ByteCount(t);
            if (shards.Count == 0 || (filled > 0 && filled + bytes > shardBytes))
            {
                shards.Add([]);
                filled = 0;
            }

            shards[^1].Add(t);
            filled += bytes;
        }

        return shards;
    }
}
