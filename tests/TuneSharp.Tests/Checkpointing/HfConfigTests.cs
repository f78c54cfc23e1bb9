using System.Text.Json.Nodes;
using TorchSharp;
using TuneSharp.Checkpointing;

namespace TuneSharp.Tests.Checkpointing;

public sealed class HfConfigTests
{
    [Theory]
    [InlineData("llama3_1/config.json")]
    [InlineData("llama3_1/config.v4.json")]
    public void Both_spellings_say_the_same(string file)
    {
        HfConfig config = HfConfig.Read(Repo.Golden(file));
        RopeSettings rope = config.Rope();
        Assert.Equal(10_000, rope.Theta);
        Assert.Equal("llama3", rope.Type);
        Assert.Equal(8, rope.Number("factor"));
        Assert.Equal(64, rope.Number("original_max_position_embeddings"));
        Assert.Equal(4, rope.Settings.Count);
        Assert.Equal(torch.ScalarType.Float32, config.Dtype);
        Assert.Equal("llama", config.ModelType);
        Assert.Equal(["LlamaForCausalLM"], config.Architectures);
        Assert.Equal(0.002, config.Number("rms_norm_eps"));
    }

    [Theory]
    [InlineData("llama2/config.json")]
    [InlineData("llama2/config.v4.json")]
    public void No_scaling_is_the_default_type(string file) =>
        Assert.Equal(("default", 10_000.0), (HfConfig.Read(Repo.Golden(file)).Rope().Type, HfConfig.Read(Repo.Golden(file)).Rope().Theta));

    [Fact]
    public void The_old_key_type_and_settings_by_layer_are_understood()
    {
        Assert.Equal("linear", Parse("""{"rope_scaling": {"type": "linear", "factor": 2}}""").Rope().Type);
        HfConfig byLayer = Parse(
            """{"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8, "rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}}""");
        Assert.Equal(("linear", 1e6), (byLayer.Rope(layerType: "full_attention").Type, byLayer.Rope(layerType: "full_attention").Theta));
        Assert.Equal(("default", 1e4), (byLayer.Rope(layerType: "sliding_attention").Type, byLayer.Rope(layerType: "sliding_attention").Theta));
        HfConfig before = Parse("""{"rope_theta": 1e6, "rope_local_base_freq": 1e4, "rope_scaling": {"rope_type": "linear", "factor": 8}}""");
        Assert.Equal(("linear", 1e6), (before.Rope(layerType: "full_attention").Type, before.Rope(layerType: "full_attention").Theta));
        Assert.Equal(("default", 1e4), (before.Rope(layerType: "sliding_attention").Type, before.Rope(layerType: "sliding_attention").Theta));
    }

    [Fact]
    public void Keys_that_nobody_read_are_known()
    {
        HfConfig config = Parse("""{"a": 1, "b": null, "c": [1, 2], "d": 2.0}""");
        Assert.Equal(1, config.Int("a"));
        Assert.False(config.Has("b"));
        Assert.Equal(["c", "d"], config.UnreadKeys);
        Assert.Equal([1, 2], config.Ints("c"));
        Assert.Equal(2, config.Int("d"));
        Assert.Equal(9, config.Int("b", 9));
        Assert.Empty(config.UnreadKeys);
    }

    [Theory]
    [InlineData("""{"a": "x"}""", "a is \"x\", and a whole number was expected")]
    [InlineData("""{"a": 1.5}""", "a is 1.5, and a whole number was expected")]
    [InlineData("{}", "has no a (a whole number)")]
    public void A_wrong_or_missing_value_is_named(string json, string expected) =>
        Assert.Contains(expected, Assert.Throws<CheckpointException>(() => Parse(json).Int("a")).Message);

    [Fact]
    public void A_missing_file_says_what_to_do() =>
        Assert.Contains("no such file", Assert.Throws<CheckpointException>(() => HfConfig.Read(Repo.Golden("nowhere"))).Message);

    [Fact]
    public void Untouched_keys_are_written_back_as_they_were()
    {
        using TemporaryFolder folder = new();
        HfConfig config = HfConfig.Read(Repo.Golden("llama2"));
        config.Write(folder["config.json"]);
        Assert.Equal(
            JsonNode.Parse(File.ReadAllText(Repo.Golden("llama2/config.json")))!.ToJsonString(),
            JsonNode.Parse(File.ReadAllText(folder["config.json"]))!.ToJsonString());
        config.Write(folder["config.json"], new Dictionary<string, JsonNode?> { ["dtype"] = "bfloat16", ["pad_token_id"] = null });
        HfConfig changed = HfConfig.Read(folder.Path);
        Assert.Equal(torch.ScalarType.BFloat16, changed.Dtype);
        Assert.DoesNotContain("pad_token_id", changed.Keys);
    }

    private static HfConfig Parse(string json) => new((JsonObject)JsonNode.Parse(json)!);
}
