using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using TorchSharp;
using TuneSharp.Checkpointing;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Checkpointing;

public sealed class WeightMapTests
{
    private static readonly WeightMap Map = TestMaps.Llama(4, 2);

    [Theory]
    [InlineData("model.embed_tokens.weight", "tok_embeddings.weight")]
    [InlineData("model.layers.17.self_attn.q_proj.weight", "layers.17.attn.q_proj.weight")]
    [InlineData("model.layers.0.self_attn.k_proj.bias", "layers.0.attn.k_proj.bias")]
    [InlineData("model.layers.3.mlp.gate_proj.weight", "layers.3.mlp.w1.weight")]
    [InlineData("model.layers.3.input_layernorm.weight", "layers.3.sa_norm.scale")]
    [InlineData("model.norm.weight", "norm.scale")]
    [InlineData("lm_head.weight", "output.weight")]
    [InlineData("base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight", "layers.1.attn.v_proj.lora_a.weight")]
    [InlineData("base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight", "layers.1.attn.q_proj.lora_b.weight")]
    [InlineData("base_model.model.model.layers.1.mlp.down_proj.lora_magnitude_vector", "layers.1.mlp.w2.magnitude")]
    [InlineData("base_model.model.lm_head.lora_A.weight", "output.lora_a.weight")]
    public void Names_map_both_ways(string file, string model)
    {
        Assert.Equal(model, Map.ToModel(file)!.Value.Name);
        Assert.Equal(file, Map.ToFile(model)!.Value.Name);
    }

    [Theory]
    [InlineData("base_model.model.model.layers.1.self_attn.v_proj.lora_A.default.weight", "layers.1.attn.v_proj.lora_a.weight")]
    [InlineData("base_model.model.model.layers.1.self_attn.v_proj.lora_magnitude_vector.default.weight", "layers.1.attn.v_proj.magnitude")]
    [InlineData("base_model.model.lm_head.base_layer.weight", "output.weight")]
    public void Other_spellings_of_peft_are_read(string file, string model) => Assert.Equal(model, Map.ToModel(file)!.Value.Name);

    [Theory]
    [InlineData("model.layers.0.self_attn.q_norm.weight")]
    [InlineData("model.layers.0.self_attn.q_proj.qweight")]
    [InlineData("model.layers.x.self_attn.q_proj.weight")]
    [InlineData("lm_head")]
    [InlineData("")]
    public void An_unknown_name_is_null(string file)
    {
        Assert.Null(Map.ToModel(file));
        Assert.False(Map.IsDropped(file));
    }

    [Theory]
    [InlineData("layers.0.sa_norm.weight")] // the model calls it scale
    [InlineData("layers.0.attn.q_proj.scale")]
    [InlineData("layers.0.attn.unknown.weight")]
    public void A_name_the_model_does_not_have_is_null(string model) => Assert.Null(Map.ToFile(model));

    [Fact]
    public void A_known_but_useless_tensor_is_dropped()
    {
        Assert.True(Map.IsDropped("model.layers.31.self_attn.rotary_emb.inv_freq"));
        Assert.Null(Map.ToModel("model.layers.31.self_attn.rotary_emb.inv_freq"));
        Assert.False(Map.IsDropped("model.norm.weight"));
    }

    [Fact]
    public void Rows_of_queries_are_paired_and_those_of_values_stay()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor w = arange(8, dtype: ScalarType.Float32);
        // Two heads of four rows: within each, halves (0 1 | 2 3) become pairs (0 2)(1 3).
        Assert.Equal([0f, 2, 1, 3, 4, 6, 5, 7], RowOrder.InterleavedPairs(2).ToModel(w).data<float>().ToArray());
        Assert.NotNull(Map.ToModel("model.layers.0.self_attn.q_proj.weight")!.Value.Transform);
        Assert.Null(Map.ToModel("model.layers.0.self_attn.v_proj.weight")!.Value.Transform);
        Assert.Null(Map.ToModel("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight")!.Value.Transform);
        Assert.NotNull(Map.ToModel("base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight")!.Value.Transform);
        Assert.NotNull(Map.ToModel("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector")!.Value.Transform);
    }

    [Property(MaxTest = 100)]
    public Property To_the_model_and_back_is_the_identity() =>
        Prop.ForAll(Gen.Choose(1, 5).ToArbitrary(), Gen.Choose(1, 5).ToArbitrary(), Gen.Choose(0, 3).ToArbitrary(), (heads, half, columns) =>
        {
            using DisposeScope scope = NewDisposeScope();
            long rows = heads * half * 2;
            Tensor w = columns == 0 ? randn(rows) : randn(rows, columns);
            WeightMap map = TestMaps.Llama(heads, heads);
            foreach (string file in new[] { "model.layers.0.self_attn.q_proj.weight", "model.layers.9.self_attn.k_proj.weight", "lm_head.weight" })
            {
                MappedName ours = map.ToModel(file)!.Value;
                MappedName back = map.ToFile(ours.Name)!.Value;
                if (back.Name != file || !back.Apply(ours.Apply(w)).eq(w).all().ToBoolean() || !ours.Apply(back.Apply(w)).eq(w).all().ToBoolean())
                {
                    return false;
                }
            }

            return true;
        });
}
