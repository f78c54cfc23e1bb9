using TuneSharp.Checkpointing;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Checkpointing;

/// <summary>A Llama table as the models have it, and a model's parameters by that table, without a model.</summary>
internal static class TestMaps
{
    /// <summary>A Llama family table.</summary>
    internal static WeightMap Llama(long heads, long kvHeads) => new(
        new WeightRule("model.embed_tokens", "tok_embeddings"),
        new("model.layers.{}.self_attn.q_proj", "layers.{}.attn.q_proj", RowOrder.InterleavedPairs(heads)),
        new("model.layers.{}.self_attn.k_proj", "layers.{}.attn.k_proj", RowOrder.InterleavedPairs(kvHeads)),
        new("model.layers.{}.self_attn.v_proj", "layers.{}.attn.v_proj"),
        new("model.layers.{}.self_attn.o_proj", "layers.{}.attn.output_proj"),
        new("model.layers.{}.self_attn.rotary_emb.inv_freq", null),
        new("model.layers.{}.mlp.gate_proj", "layers.{}.mlp.w1"),
        new("model.layers.{}.mlp.down_proj", "layers.{}.mlp.w2"),
        new("model.layers.{}.mlp.up_proj", "layers.{}.mlp.w3"),
        new("model.layers.{}.input_layernorm", "layers.{}.sa_norm", WeightName: "scale"),
        new("model.layers.{}.post_attention_layernorm", "layers.{}.mlp_norm", WeightName: "scale"),
        new("model.norm", "norm", WeightName: "scale"),
        new("lm_head", "output"));

    /// <summary>Parameters filled with -1 that have the shapes of a checkpoint's.</summary>
    internal static Dictionary<string, Tensor> ParametersOf(ITensorSource source, WeightMap map, ScalarType dtype = ScalarType.Float32) =>
        source.Tensors.Values.ToDictionary(t => map.ToModel(t.Name)!.Value.Name, t => full(t.Shape, -1, dtype: dtype));
}
