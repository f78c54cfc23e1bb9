using TorchSharp;
using TuneSharp.Checkpointing;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Checkpointing;

public sealed class WeightLoaderTests : IDisposable
{
    private static readonly WeightMap Map = TestMaps.Llama(4, 4);

    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly CheckpointReader _llama2 = CheckpointReader.Open(Repo.Golden("llama2"));

    public void Dispose()
    {
        _llama2.Dispose();
        _scope.Dispose();
    }

    [Fact]
    public void Every_parameter_takes_its_tensor_in_its_own_row_order_and_dtype()
    {
        Dictionary<string, Tensor> parameters = TestMaps.ParametersOf(_llama2, Map, ScalarType.BFloat16);
        Assert.Empty(WeightLoader.Load(_llama2, parameters, Map, _ => false));
        foreach (string file in _llama2.Tensors.Keys)
        {
            MappedName ours = Map.ToModel(file)!.Value;
            Assert.True(ours.Apply(_llama2.Read(file)).to_type(ScalarType.BFloat16).eq(parameters[ours.Name]).all().ToBoolean(), file);
        }

        Assert.False(_llama2.Read("model.layers.0.self_attn.q_proj.weight").to_type(ScalarType.BFloat16)
            .eq(parameters["layers.0.attn.q_proj.weight"]).all().ToBoolean());
    }

    [Theory]
    [InlineData(Naming.TorchTune)]
    [InlineData(Naming.Meta)]
    public void Other_namings_are_recognised_and_keep_their_rows(Naming naming)
    {
        using TemporaryFolder folder = new();
        Dictionary<string, Tensor> parameters = TestMaps.ParametersOf(_llama2, Map);
        WeightLoader.Load(_llama2, parameters, Map, _ => false);
        LazyTensors named = LazyTensors.Of(parameters).In(SourceNaming.For(naming, Map));
        ShardedWriter.Write(folder.Path, named.Infos, named.Read);

        using CheckpointReader source = CheckpointReader.Open(folder.Path);
        Assert.Contains(naming == Naming.Meta ? "layers.0.attention.wq.weight" : "layers.0.attn.q_proj.weight", source.Tensors.Keys);
        Dictionary<string, Tensor> again = TestMaps.ParametersOf(_llama2, Map);
        WeightLoader.Load(source, again, Map, _ => false);
        Assert.All(parameters, p => Assert.True(p.Value.eq(again[p.Key]).all().ToBoolean(), p.Key));
    }

    [Fact]
    public void All_problems_are_listed_and_nothing_is_copied()
    {
        Dictionary<string, Tensor> parameters = TestMaps.ParametersOf(_llama2, Map);
        parameters["layers.0.attn.k_proj.weight"] = full(24, 48, -1);
        parameters["layers.1.mlp.extra.weight"] = full(1, -1);
        parameters.Remove("layers.1.mlp.w3.weight");
        string message = Assert.Throws<CheckpointException>(() => WeightLoader.Load(_llama2, parameters, Map, _ => false)).Message;
        Assert.Contains("model.safetensors: model.layers.0.self_attn.k_proj.weight is [48, 48], the model wants [24, 48]", message);
        Assert.Contains("no place for model.layers.1.mlp.up_proj.weight", message);
        Assert.Contains("lacks layers.1.mlp.extra.weight", message);
        Assert.Contains("looks like a model without GQA", message);
        Assert.All(parameters.Values, p => Assert.True(p.eq(-1).all().ToBoolean()));
    }

    [Fact]
    public void What_may_be_missing_is_reported_and_not_an_error()
    {
        Dictionary<string, Tensor> parameters = TestMaps.ParametersOf(_llama2, Map);
        parameters["layers.0.attn.q_proj.lora_a.weight"] = zeros(4, 48);
        Assert.Equal(["layers.0.attn.q_proj.lora_a.weight"], WeightLoader.Load(_llama2, parameters, Map, n => n.Contains("lora_")));
    }

    [Fact]
    public void Another_size_or_family_is_guessed_from_the_shapes()
    {
        using TemporaryFolder folder = new();
        Dictionary<string, Tensor> small = TestMaps.ParametersOf(_llama2, Map);
        foreach (string name in small.Keys.Where(n => n.StartsWith("layers.1.", StringComparison.Ordinal)).ToList())
        {
            small.Remove(name);
        }

        small["tok_embeddings.weight"] = zeros(100, 48);
        string message = Assert.Throws<CheckpointException>(() => WeightLoader.Load(_llama2, small, Map, _ => false)).Message;
        Assert.Contains("The file has 2 layers, the model 1", message);
        Assert.Contains("vocabulary has 192 tokens, the model's 100", message);
    }

    [Fact]
    public void A_gqa_file_is_recognised()
    {
        using CheckpointReader gqa = CheckpointReader.Open(Repo.Golden("peft_lora/base"));
        WeightMap map = TestMaps.Llama(4, 2);
        Dictionary<string, Tensor> parameters = TestMaps.ParametersOf(gqa, map);
        parameters["layers.0.attn.k_proj.weight"] = zeros(48, 48);
        Assert.Contains("looks like a GQA model (its keys have 24 rows, its queries 48)",
            Assert.Throws<CheckpointException>(() => WeightLoader.Load(gqa, parameters, map, _ => false)).Message);
    }

    [Fact]
    public void A_tied_model_takes_a_file_with_the_same_head_and_refuses_another()
    {
        using TemporaryFolder folder = new();
        Dictionary<string, Tensor> tied = TestMaps.ParametersOf(_llama2, Map);
        tied.Remove("output.weight");
        Assert.Contains("lm_head.weight differs from model.embed_tokens.weight",
            Assert.Throws<CheckpointException>(() => WeightLoader.Load(_llama2, tied, Map, _ => false)).Message);
        SafetensorsWriter.Write(
            folder["model.safetensors"], _llama2.Tensors.Values,
            n => _llama2.Read(n == "lm_head.weight" ? "model.embed_tokens.weight" : n));
        using CheckpointReader same = CheckpointReader.Open(folder.Path);
        Assert.Empty(WeightLoader.Load(same, tied, Map, _ => false));
    }

    [Fact]
    public void A_tied_file_in_an_untied_model_says_which_model_to_choose()
    {
        using TemporaryFolder folder = new();
        SafetensorsWriter.Write(folder["model.safetensors"], _llama2.Tensors.Values.Where(t => t.Name != "lm_head.weight"), _llama2.Read);
        using CheckpointReader tied = CheckpointReader.Open(folder.Path);
        Assert.Contains("has no lm_head.weight, and the model's output head is its own",
            Assert.Throws<CheckpointException>(() => WeightLoader.Load(tied, TestMaps.ParametersOf(_llama2, Map), Map, _ => false)).Message);
    }

    [Fact]
    public void A_quantised_checkpoint_is_named_as_such()
    {
        using TemporaryFolder folder = new();
        TensorInfo[] infos = [.. _llama2.Tensors.Values, new("model.layers.0.mlp.up_proj.weight.absmax", [1], ScalarType.Float32)];
        SafetensorsWriter.Write(folder["model.safetensors"], infos, n => n.EndsWith("absmax", StringComparison.Ordinal) ? ones(1) : _llama2.Read(n));
        using CheckpointReader source = CheckpointReader.Open(folder.Path);
        Assert.Contains("quantised",
            Assert.Throws<CheckpointException>(() => WeightLoader.Load(source, TestMaps.ParametersOf(_llama2, Map), Map, _ => false)).Message);
    }

    [Fact]
    public void Adapters_load_from_pefts_names()
    {
        WeightMap map = TestMaps.Llama(4, 2);
        using ITensorSource adapter = PeftAdapter.OpenTensors(Repo.Golden("peft_lora_all/adapter"));
        Dictionary<string, Tensor> parameters = adapter.Tensors.Values.Where(t => !t.Name.Contains("base_layer"))
            .ToDictionary(t => map.ToModel(t.Name)!.Value.Name, t => zeros(t.Shape));
        Assert.Empty(WeightLoader.Load(adapter, parameters, map, _ => false));
        Tensor b = adapter.Read("base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight");
        Assert.True(RowOrder.InterleavedPairs(4).ToModel(b).eq(parameters["layers.0.attn.q_proj.lora_b.weight"]).all().ToBoolean());
    }
}
