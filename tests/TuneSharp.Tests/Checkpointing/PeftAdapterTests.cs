using System.Text.Json.Nodes;
using TorchSharp;
using TuneSharp.Checkpointing;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Checkpointing;

public sealed class PeftAdapterTests
{
    private static readonly WeightMap Map = TestMaps.Llama(4, 2);

    [Theory]
    [InlineData("peft_lora")]
    [InlineData("peft_lora_all")]
    [InlineData("peft_rslora")]
    [InlineData("peft_dora")]
    public void What_peft_wrote_is_written_again_as_it_was(string golden)
    {
        using TemporaryFolder folder = new();
        using DisposeScope scope = NewDisposeScope();
        string from = Repo.Golden(golden + "/adapter");
        PeftAdapter adapter = PeftAdapter.Read(from);
        using ITensorSource tensors = PeftAdapter.OpenTensors(from);
        Dictionary<string, Tensor> ours = tensors.Tensors.Keys.Select(n => (Mapped: Map.ToModel(n)!.Value, File: n))
            .ToDictionary(p => p.Mapped.Name, p => p.Mapped.Apply(tensors.Read(p.File)));

        adapter.Write(folder.Path, LazyTensors.Of(ours), Map);
        Assert.Equal(File.ReadAllBytes(Path.Combine(from, "adapter_model.safetensors")), File.ReadAllBytes(folder["adapter_model.safetensors"]));
        Assert.Equal(
            JsonNode.Parse(File.ReadAllText(Path.Combine(from, "adapter_config.json")))!.ToJsonString(),
            JsonNode.Parse(File.ReadAllText(folder["adapter_config.json"]))!.ToJsonString());
    }

    [Fact]
    public void Settings_and_scales_are_read()
    {
        PeftAdapter lora = PeftAdapter.Read(Repo.Golden("peft_lora/adapter"));
        Assert.Equal((4, 8.0, 0.0, false, false, "CAUSAL_LM"), (lora.R, lora.LoraAlpha, lora.LoraDropout, lora.UseDora, lora.UseRslora, lora.TaskType));
        Assert.Equal(["v_proj", "q_proj"], lora.TargetModules);
        Assert.Equal(2, lora.ScaleOf("model.layers.0.self_attn.q_proj"));
        PeftAdapter rs = PeftAdapter.Read(Repo.Golden("peft_rslora/adapter"));
        Assert.True(rs.UseRslora);
        Assert.Equal(rs.LoraAlpha / Math.Sqrt(rs.R), rs.ScaleOf("x"));
        Assert.True(PeftAdapter.Read(Repo.Golden("peft_dora/adapter")).UseDora);
    }

    [Fact]
    public void A_new_adapter_has_the_keys_that_peft_needs()
    {
        JsonObject json = new PeftAdapter { R = 8, LoraAlpha = 16, LoraDropout = 0.05, TargetModules = ["q_proj"], BaseModelNameOrPath = "a/b" }.ToJson();
        Assert.Equal(("LORA", 8, 16L, 0.05, "a/b", "CAUSAL_LM", "none"), (
            (string)json["peft_type"]!, (int)json["r"]!, (long)json["lora_alpha"]!, (double)json["lora_dropout"]!,
            (string)json["base_model_name_or_path"]!, (string)json["task_type"]!, (string)json["bias"]!));
        Assert.Equal("16", json["lora_alpha"]!.ToJsonString());
        Assert.Equal("[\"q_proj\"]", json["target_modules"]!.ToJsonString());
        JsonObject reference = (JsonObject)JsonNode.Parse(File.ReadAllText(Repo.Golden("peft_lora/adapter/adapter_config.json")))!;
        Assert.All(json, p => Assert.True(reference.ContainsKey(p.Key), p.Key));
    }

    [Fact]
    public void Patterns_give_single_modules_their_rank_and_alpha()
    {
        PeftAdapter a = Read("""{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "rank_pattern": {"0.q_proj": 16}, "alpha_pattern": {"q_proj": 32}}""");
        Assert.Equal((16, 2.0), (a.RankOf("layers.0.q_proj"), a.ScaleOf("layers.0.q_proj")));
        Assert.Equal((4, 8.0), (a.RankOf("layers.10.q_proj"), a.ScaleOf("layers.10.q_proj")));
        Assert.Equal(2, a.ScaleOf("layers.0.v_proj"));
    }

    [Theory]
    [InlineData("\"peft_type\": \"IA3\"", "peft_type IA3 is not supported")]
    [InlineData("\"bias\": \"all\"", "bias all is not supported")]
    [InlineData("\"modules_to_save\": [\"lm_head\"]", "modules_to_save [\"lm_head\"] is not supported")]
    [InlineData("\"rank_pattern\": {\".*q_proj\": 3}", "only module names are supported")]
    [InlineData("\"rank_pattern\": {\"q_proj\": \"x\"}", "not a positive number")]
    [InlineData("\"init_lora_weights\": \"pissa_niter_4\"", "changes the base weights")]
    [InlineData("\"layers_to_transform\": [1]", "layers_to_transform [1] is not supported")]
    [InlineData("\"layer_replication\": [[0, 2]]", "layer_replication [[0,2]] is not supported")]
    [InlineData("\"brand_new\": 3", "brand_new 3 is not supported")]
    [InlineData("\"r\": 0", "a rank is at least 1")]
    [InlineData("\"r\": \"x\"", "a whole number was expected")]
    public void What_is_not_supported_is_named(string setting, string expected)
    {
        JsonObject json = (JsonObject)JsonNode.Parse("""{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}""")!;
        foreach ((string key, JsonNode? value) in (JsonObject)JsonNode.Parse("{" + setting + "}")!)
        {
            json[key] = value?.DeepClone();
        }

        Assert.Contains(expected, Assert.Throws<CheckpointException>(() => Read(json.ToJsonString())).Message);
    }

    [Fact]
    public void An_expression_of_targets_is_resolved_from_the_weights()
    {
        using TemporaryFolder folder = new();
        File.Copy(Repo.Golden("peft_lora/adapter/adapter_model.safetensors"), folder["adapter_model.safetensors"]);
        File.WriteAllText(folder["adapter_config.json"], """{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ".*[qv]_proj"}""");
        Assert.Equal(["q_proj", "v_proj"], PeftAdapter.Read(folder.Path).TargetModules);
    }

    [Fact]
    public void Targets_follow_from_the_adapters_of_a_model()
    {
        string[] names =
        [
            "output.lora_a.weight", "layers.0.mlp.w1.lora_a.weight", "layers.0.attn.output_proj.lora_a.weight", "layers.0.attn.output_proj.lora_b.weight",
            "layers.1.attn.output_proj.lora_a.weight",
        ];
        Assert.Equal(["gate_proj", "lm_head", "o_proj"], PeftAdapter.TargetsFrom(names, Map));
    }

    [Fact]
    public void A_folder_without_adapter_says_so()
    {
        using TemporaryFolder folder = new();
        Assert.Contains("no such file", Assert.Throws<CheckpointException>(() => PeftAdapter.Read(folder.Path)).Message);
        Assert.Contains("has none of adapter_model.safetensors", Assert.Throws<CheckpointException>(() => PeftAdapter.OpenTensors(folder.Path)).Message);
    }

    private static PeftAdapter Read(string json)
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["adapter_config.json"], json);
        return PeftAdapter.Read(folder.Path);
    }
}
