using TuneSharp.Checkpointing;
using TuneSharp.Models.Moe;
using TuneSharp.Modules;
using TuneSharp.Modules.Moe;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Mixtral;

/// <summary>Mixtral: Mistral with experts in every layer, of which each token sees two.</summary>
/// <remarks>Paper: https://arxiv.org/abs/2401.04088.</remarks>
internal static class MixtralDecoder
{
    /// <summary>The shape that a <c>config.json</c> describes.</summary>
    public static DecoderConfig Shape(HfConfig c)
    {
        MoeDecoder.RefuseJitter(c);
        DecoderConfig dense = HfDecoder.Read(c, theta: 1_000_000);
        return dense with
        {
            SlidingWindow = c.IntOrNull("sliding_window"),
            Moe = new MoeConfig
            {
                NumExperts = c.Int("num_local_experts", 8),
                TopK = c.Int("num_experts_per_tok", 2),
                HiddenDim = dense.HiddenDim,
                NormTopK = true,
                AuxLossCoef = MoeDecoder.AuxLossCoef(c, 0.001),
            },
        };
    }

    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora) =>
        MoeDecoder.Build(shape, lora, Map(shape), shape.Kinds(), linear => MoeDecoder.Split(shape, linear));

    /// <summary>Hugging Face's weight names and ours.</summary>
    public static WeightMap Map(DecoderConfig s) => new(
    [
        .. MoeDecoder.Rules(s),
        new("model.layers.{}.block_sparse_moe.gate", "layers.{}.mlp.router"),
        new("model.layers.{}.block_sparse_moe.experts.{}.w1", "layers.{}.mlp.experts.{}.w1"),
        new("model.layers.{}.block_sparse_moe.experts.{}.w2", "layers.{}.mlp.experts.{}.w2"),
        new("model.layers.{}.block_sparse_moe.experts.{}.w3", "layers.{}.mlp.experts.{}.w3"),
    ]);
}
