using TuneSharp.Checkpointing;
using TuneSharp.Models.Moe;
using TuneSharp.Modules;
using TuneSharp.Modules.Moe;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Qwen3Moe;

/// <summary>Qwen 3 with experts: normed query and key heads, and many small experts in most layers.</summary>
/// <remarks>Report: https://arxiv.org/abs/2505.09388.</remarks>
internal static class Qwen3MoeDecoder
{
    /// <summary>The shape that a <c>config.json</c> describes.</summary>
    public static DecoderConfig Shape(HfConfig c)
    {
        DecoderConfig dense = HfDecoder.Read(c);
        int step = c.Int("decoder_sparse_step", 1);
        IReadOnlyList<int> denseLayers = c.Ints("mlp_only_layers");
        int experts = c.IntOrNull("num_local_experts") ?? c.Int("num_experts", 128);
        bool slides = c.Flag("use_sliding_window", false);
        long? window = c.IntOrNull("sliding_window");
        int from = c.Int("max_window_layers", 0);
        return dense with
        {
            SlidingWindow = slides ? window : null,
            SlidingLayers = slides ? [.. Enumerable.Range(0, dense.NumLayers).Where(i => i >= from)] : null,
            Moe = new MoeConfig
            {
                NumExperts = experts,
                TopK = c.Int("num_experts_per_tok", 8),
                HiddenDim = c.Int("moe_intermediate_size", 768),
                NormTopK = c.Flag("norm_topk_prob", false),
                DenseLayers = [.. Enumerable.Range(0, dense.NumLayers).Where(i => denseLayers.Contains(i) || experts == 0 || (i + 1) % step != 0)],
                AuxLossCoef = MoeDecoder.AuxLossCoef(c, 0.001),
            },
        };
    }

    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora) =>
        MoeDecoder.Build(shape, lora, Map(shape), shape.Kinds(), linear => MoeDecoder.Split(shape, linear), headNorms: true);

    /// <summary>Hugging Face's weight names and ours. The norms of heads reach over rotary pairs, so their entries are reordered as rows are.</summary>
    public static WeightMap Map(DecoderConfig s) => new(
    [
        .. MoeDecoder.Rules(s),
        new("model.layers.{}.self_attn.q_norm", "layers.{}.attn.q_norm", RowOrder.InterleavedPairs(1), "scale"),
        new("model.layers.{}.self_attn.k_norm", "layers.{}.attn.k_norm", RowOrder.InterleavedPairs(1), "scale"),
        new("model.layers.{}.mlp.gate_proj", "layers.{}.mlp.w1"),
        new("model.layers.{}.mlp.down_proj", "layers.{}.mlp.w2"),
        new("model.layers.{}.mlp.up_proj", "layers.{}.mlp.w3"),
        new("model.layers.{}.mlp.gate", "layers.{}.mlp.router"),
        new("model.layers.{}.mlp.experts.{}.gate_proj", "layers.{}.mlp.experts.{}.w1"),
        new("model.layers.{}.mlp.experts.{}.down_proj", "layers.{}.mlp.experts.{}.w2"),
        new("model.layers.{}.mlp.experts.{}.up_proj", "layers.{}.mlp.experts.{}.w3"),
    ]);
}
