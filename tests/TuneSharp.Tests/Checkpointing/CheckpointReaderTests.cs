using TuneSharp.Checkpointing;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Checkpointing;

public sealed class CheckpointReaderTests
{
    [Fact]
    public void A_folder_and_a_file_open_alike()
    {
        using CheckpointReader folder = CheckpointReader.Open(Repo.Golden("llama2"));
        using CheckpointReader file = CheckpointReader.Open(Repo.Golden("llama2/model.safetensors"));
        Assert.Equal(21, folder.Tensors.Count);
        Assert.Equal(folder.Tensors.Keys, file.Tensors.Keys);
    }

    [Fact]
    public void Named_files_open_together()
    {
        using TemporaryFolder folder = Shards();
        using CheckpointReader reader = CheckpointReader.Open(
            folder.Path, ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);
        Assert.Equal(["a", "b"], reader.Tensors.Keys.Order());
    }

    [Fact]
    public void A_missing_shard_is_named()
    {
        using TemporaryFolder folder = Shards();
        File.Delete(folder["model-00002-of-00002.safetensors"]);
        string message = Assert.Throws<CheckpointException>(() => CheckpointReader.Open(folder.Path)).Message;
        Assert.Contains("1 of 2 shards", message);
        Assert.Contains("model-00002-of-00002.safetensors", message);
    }

    [Fact]
    public void A_missing_named_file_is_named_with_what_is_there()
    {
        using TemporaryFolder folder = Shards();
        string message = Assert.Throws<CheckpointException>(() => CheckpointReader.Open(folder.Path, ["model.safetensors"])).Message;
        Assert.Contains("model.safetensors of checkpoint_files is not there", message);
        Assert.Contains("model-00001-of-00002.safetensors, model-00002-of-00002.safetensors", message);
    }

    [Fact]
    public void A_tensor_in_two_shards_is_refused()
    {
        using TemporaryFolder folder = Shards();
        File.Copy(folder["model-00001-of-00002.safetensors"], folder["model-00002-of-00002.safetensors"], overwrite: true);
        Assert.Contains("holds a, which model-00001-of-00002.safetensors holds as well",
            Assert.Throws<CheckpointException>(() => CheckpointReader.Open(folder.Path)).Message);
    }

    [Fact]
    public void A_tensor_that_is_listed_but_absent_is_named()
    {
        using TemporaryFolder folder = Shards();
        SafetensorsWriter.Write(folder["model-00002-of-00002.safetensors"], new Dictionary<string, Tensor> { ["x"] = ones(1) });
        Assert.Contains("says that b is in model-00002-of-00002.safetensors, and it is in no shard",
            Assert.Throws<CheckpointException>(() => CheckpointReader.Open(folder.Path)).Message);
    }

    [Theory]
    [InlineData("../model.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("")]
    public void An_index_cannot_lead_out_of_its_folder(string file)
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["model.safetensors.index.json"], "{\"weight_map\": {\"a\": \"" + file + "\"}}");
        Assert.Contains("not the name of a file beside it",
            Assert.Throws<CheckpointException>(() => CheckpointReader.Open(folder.Path)).Message);
    }

    [Theory]
    [InlineData("{", "not valid JSON")]
    [InlineData("[]", "JSON object was expected")]
    [InlineData("{}", "has no weight_map")]
    public void A_damaged_index_says_so(string json, string expected)
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["model.safetensors.index.json"], json);
        Assert.Contains(expected, Assert.Throws<CheckpointException>(() => CheckpointReader.Open(folder.Path)).Message);
    }

    [Fact]
    public void A_folder_without_weights_says_what_it_looks_like()
    {
        using TemporaryFolder folder = new();
        Assert.Contains("Weight files there: none", Message());
        File.WriteAllText(folder["m.gguf"], "");
        Assert.Contains("GGUF", Message());
        File.WriteAllText(folder["adapter_config.json"], "{}");
        Assert.Contains("PEFT adapter", Message());
        string Message() => Assert.Throws<CheckpointException>(() => CheckpointReader.Open(folder.Path)).Message;
    }

    private static TemporaryFolder Shards()
    {
        TemporaryFolder folder = new();
        TensorInfo[] two = [new("a", [2], ScalarType.Float32), new("b", [2], ScalarType.Float32)];
        ShardedWriter.Write(folder.Path, two, _ => ones(2), shardBytes: 8);
        return folder;
    }
}
