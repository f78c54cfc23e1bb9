using System.Text.Json.Nodes;
using TorchSharp;
using TuneSharp.Checkpointing;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Checkpointing;

public sealed class ShardedWriterTests
{
    private static readonly TensorInfo[] Three =
        [new("c", [10], ScalarType.Float32), new("a", [10], ScalarType.Float32), new("b", [30], ScalarType.Float32)];

    [Fact]
    public void One_shard_needs_no_index()
    {
        using TemporaryFolder folder = new();
        Assert.Equal(["model.safetensors"], ShardedWriter.Write(folder.Path, Three, Value));
        using CheckpointReader reader = CheckpointReader.Open(folder.Path);
        Assert.Equal(3, reader.Tensors.Count);
    }

    [Fact]
    public void Shards_are_filled_in_order_and_the_index_tells_where_each_tensor_is()
    {
        using TemporaryFolder folder = new();
        IReadOnlyList<string> files = ShardedWriter.Write(folder.Path, Three, Value, shardBytes: 100);
        Assert.Equal(
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"], files);
        JsonNode index = JsonNode.Parse(File.ReadAllText(folder["model.safetensors.index.json"]))!;
        Assert.Equal(200, (long)index["metadata"]!["total_size"]!);
        Assert.Equal(["a", "b", "c"], index["weight_map"]!.AsObject().Select(p => p.Key));
        Assert.Equal(files[1], (string)index["weight_map"]!["b"]!);
        using CheckpointReader reader = CheckpointReader.Open(folder.Path);
        Assert.Equal(folder[files[1]], reader.FileOf("b"));
        using Tensor b = reader.Read("b");
        Assert.Equal(30, b.sum().ToSingle());
    }

    [Fact]
    public void A_tensor_larger_than_a_shard_has_one_of_its_own()
    {
        using TemporaryFolder folder = new();
        Assert.Equal(4, ShardedWriter.Write(folder.Path, Three, Value, shardBytes: 1).Count);
    }

    private static Tensor Value(string name) => ones(Three.Single(t => t.Name == name).Shape);
}
