using TorchSharp;
using TuneSharp.Checkpointing;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Checkpointing;

public sealed class ExporterTests : IDisposable
{
    private const string Query = "model.layers.0.self_attn.q_proj";
    private static readonly WeightMap Map = TestMaps.Llama(4, 2);

    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("peft_lora")]
    [InlineData("peft_rslora")]
    [InlineData("peft_lora_all")]
    [InlineData("peft_dora")]
    public void Every_weight_is_base_plus_update(string golden)
    {
        (CheckpointReader weights, PeftAdapter adapter, ITensorSource tensors) = Open(golden);
        Exporter.Export(weights, Map, adapter, tensors, _folder["out"], Repo.Golden(golden + "/base"));
        using CheckpointReader merged = CheckpointReader.Open(_folder["out"]);
        Assert.Equal(weights.Tensors.Keys.Order(), merged.Tensors.Keys.Order());
        Assert.True(File.Exists(_folder["out/config.json"]));
        int changed = 0;
        foreach (string name in weights.Tensors.Keys)
        {
            Tensor expected = Expected(weights, adapter, tensors, name, ref changed);
            Assert.True(allclose(merged.Read(name).to_type(ScalarType.Float64), expected, rtol: 1e-5, atol: 1e-6), name);
        }

        Assert.Equal(tensors.Tensors.Keys.Count(n => n.Contains("lora_A")), changed);
    }

    [Fact]
    public void Shards_and_another_dtype_hold_the_same()
    {
        (CheckpointReader weights, PeftAdapter adapter, ITensorSource tensors) = Open("peft_lora");
        Exporter.Export(weights, Map, adapter, tensors, _folder["one"]);
        Exporter.Export(weights, Map, adapter, tensors, _folder["many"], Repo.Golden("peft_lora/base"), ScalarType.BFloat16, shardBytes: 20_000);
        Assert.True(Directory.EnumerateFiles(_folder["many"], "model-*.safetensors").Count() > 3);
        Assert.Equal(ScalarType.BFloat16, HfConfig.Read(_folder["many"]).Dtype);
        using CheckpointReader one = CheckpointReader.Open(_folder["one"]);
        using CheckpointReader many = CheckpointReader.Open(_folder["many"]);
        Assert.All(one.Tensors.Keys, n => Assert.True(one.Read(n).to_type(ScalarType.BFloat16).eq(many.Read(n)).all().ToBoolean(), n));
    }

    [Fact]
    public void An_adapted_head_of_a_tied_base_is_untied()
    {
        (CheckpointReader weights, PeftAdapter adapter, ITensorSource tensors) = Open("peft_lora_all");
        SafetensorsWriter.Write(_folder["tied/model.safetensors"], weights.Tensors.Values.Where(t => t.Name != "lm_head.weight"), weights.Read);
        File.WriteAllText(_folder["tied/config.json"], """{"model_type": "llama", "tie_word_embeddings": true}""");
        using CheckpointReader tied = CheckpointReader.Open(_folder["tied"]);
        Exporter.Export(tied, Map, adapter, tensors, _folder["out"], _folder["tied"]);
        using CheckpointReader merged = CheckpointReader.Open(_folder["out"]);
        Assert.False(HfConfig.Read(_folder["out"]).Flag("tie_word_embeddings", true));
        Assert.True(merged.Read("model.embed_tokens.weight").eq(weights.Read("model.embed_tokens.weight")).all().ToBoolean());
        Assert.False(merged.Read("lm_head.weight").eq(weights.Read("model.embed_tokens.weight")).all().ToBoolean());
    }

    [Fact]
    public void A_base_in_our_names_gives_the_same_export()
    {
        (CheckpointReader weights, PeftAdapter adapter, ITensorSource tensors) = Open("peft_lora");
        Dictionary<string, Tensor> ours = TestMaps.ParametersOf(weights, Map);
        WeightLoader.Load(weights, ours, Map, _ => false);
        ShardedWriter.Write(_folder["ours"], LazyTensors.Of(ours).Infos, LazyTensors.Of(ours).Read);
        using CheckpointReader source = CheckpointReader.Open(_folder["ours"]);
        Exporter.Export(weights, Map, adapter, tensors, _folder["a"]);
        Exporter.Export(source, Map, adapter, tensors, _folder["b"]);
        Assert.Equal(File.ReadAllBytes(_folder["a/model.safetensors"]), File.ReadAllBytes(_folder["b/model.safetensors"]));
    }

    [Fact]
    public void Few_tensors_live_at_once_and_none_is_left()
    {
        (CheckpointReader weights, PeftAdapter adapter, ITensorSource tensors) = Open("peft_lora_all");
        long before = Live, most = 0;
        Exporter.Export(weights, Map, adapter, new Counting(tensors, () => most = Math.Max(most, Live - before)), _folder["out"]);
        Assert.Equal(before, Live);
        Assert.InRange(most, 1, 8); // views, their fp32 copies, one product
    }

    [Fact]
    public void What_does_not_fit_is_refused_and_leaves_nothing()
    {
        (CheckpointReader weights, PeftAdapter adapter, _) = Open("peft_lora");
        Assert.Contains("adapts model.layers.9.self_attn.q_proj, which the base model does not have",
            Fails(adapter, ("model.layers.9.self_attn.q_proj.lora_A.weight", [4, 48]), ("model.layers.9.self_attn.q_proj.lora_B.weight", [48, 4])));
        Assert.Contains("the base's weight is [48, 48]", Fails(adapter, (Query + ".lora_A.weight", [4, 32]), (Query + ".lora_B.weight", [48, 4])));
        Assert.Contains("has no lora_B", Fails(adapter, (Query + ".lora_A.weight", [4, 48])));
        Assert.Contains("has rank 2, and adapter_config.json says 4", Fails(adapter, (Query + ".lora_A.weight", [2, 48]), (Query + ".lora_B.weight", [48, 2])));
        Assert.Contains("use_dora is true", Fails(adapter with { UseDora = true }, (Query + ".lora_A.weight", [4, 48]), (Query + ".lora_B.weight", [48, 4])));
        Assert.Contains("is no part of a LoRA", Fails(adapter, ("something.else", [1])));
        Assert.False(Directory.Exists(_folder["out"]));

        string Fails(PeftAdapter settings, params (string Name, long[] Shape)[] parts)
        {
            SafetensorsWriter.Write(
                _folder["bad.safetensors"], parts.ToDictionary(p => "base_model.model." + p.Name, p => ones(p.Shape)));
            using SafetensorsFile bad = new(_folder["bad.safetensors"]);
            return Assert.Throws<CheckpointException>(() => Exporter.Export(weights, Map, settings, bad, _folder["out"])).Message;
        }
    }

    [Fact]
    public void A_folder_with_files_is_not_replaced()
    {
        (CheckpointReader weights, PeftAdapter adapter, ITensorSource tensors) = Open("peft_lora");
        File.WriteAllText(_folder["precious"], "");
        Assert.Contains("is not empty", Assert.Throws<CheckpointException>(() => Exporter.Export(weights, Map, adapter, tensors, _folder.Path)).Message);
        Assert.True(File.Exists(_folder["precious"]));
    }

    [Fact]
    public void The_card_says_where_the_model_comes_from()
    {
        ModelCard card = new()
        {
            BaseModel = "owner/base", Method = "LoRA", Merged = true, Steps = 20, Data = "a|b",
            Adapter = new PeftAdapter { R = 8, LoraAlpha = 16, TargetModules = ["q_proj", "v_proj"] },
        };
        card.Write(_folder.Path);
        string text = File.ReadAllText(_folder["README.md"]);
        Assert.StartsWith("---\nbase_model: owner/base\nbase_model_relation: finetune\nlibrary_name: transformers\n", text);
        Assert.Contains("| Rank, alpha | 8, 16 |\n| Adapted modules | q_proj, v_proj |\n| Data | a\\|b |\n| Steps | 20 |\n", text);
        Assert.DoesNotContain("license:", text);
        Assert.DoesNotContain("base_model:", (card with { BaseModel = "/home/me/model" }).Text("t"));
    }

    /// <summary>Tensors of this thread: what other tests left to the finalizer does not count.</summary>
    private static long Live => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;

    private sealed class Counting(ITensorSource inner, Action onRead) : ITensorSource
    {
        public IReadOnlyDictionary<string, TensorInfo> Tensors => inner.Tensors;

        public string FileOf(string name) => inner.FileOf(name);

        public Tensor Read(string name)
        {
            Tensor t = inner.Read(name);
            onRead();
            return t;
        }

        public void Dispose() => inner.Dispose();
    }

    private static (CheckpointReader Weights, PeftAdapter Adapter, ITensorSource Tensors) Open(string golden) => (
        CheckpointReader.Open(Repo.Golden(golden + "/base")),
        PeftAdapter.Read(Repo.Golden(golden + "/adapter")),
        PeftAdapter.OpenTensors(Repo.Golden(golden + "/adapter")));

    /// <summary>The formula once more, in fp64 and by PEFT's names.</summary>
    private static Tensor Expected(CheckpointReader weights, PeftAdapter adapter, ITensorSource tensors, string name, ref int changed)
    {
        Tensor w = weights.Read(name).to_type(ScalarType.Float64);
        string key = "base_model.model." + name[..name.LastIndexOf('.')];
        if (!tensors.Tensors.ContainsKey(key + ".lora_A.weight"))
        {
            return w;
        }

        changed++;
        Tensor a = tensors.Read(key + ".lora_A.weight").to_type(ScalarType.Float64), b = tensors.Read(key + ".lora_B.weight").to_type(ScalarType.Float64);
        double scale = adapter.UseRslora ? adapter.LoraAlpha / Math.Sqrt(adapter.R) : adapter.LoraAlpha / adapter.R;
        w += scale * b.mm(a);
        return adapter.UseDora
            ? tensors.Read(key + ".lora_magnitude_vector").to_type(ScalarType.Float64).unsqueeze(1) * w / w.pow(2).sum([1L], keepdim: true).sqrt()
            : w;
    }
}
