using TuneSharp.Checkpointing;
using TuneSharp.Models.Moe;
using TuneSharp.Modules;
using TuneSharp.Modules.Moe;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.GptOss;

/// <summary>gpt-oss: sliding and full attention in turn, both with sinks; biases everywhere; clamped experts.</summary>
/// <remarks>Model card: https://arxiv.org/abs/2508.10925. Its files hold experts as MXFP4, which are read as they are loaded; bf16 is written.</remarks>
internal static class GptOssDecoder
{
    /// <summary>The shape that a <c>config.json</c> describes.</summary>
    public static DecoderConfig Shape(HfConfig c)
    {
        foreach (string key in (ReadOnlySpan<string>)["experts_per_token", "initial_context_length", "swiglu_limit"])
        {
            // OpenAI's own spelling of what the file says again: 4 experts, the length before stretching, 7.
            c.Has(key);
        }

        if (c.Number("swiglu_limit", 7) is var limit and not 7)
        {
            throw new CheckpointException(FormattableString.Invariant($"{c.File}: swiglu_limit is {limit}; transformers and we compute 7 only."));
        }

        DecoderConfig dense = HfDecoder.Read(c, theta: 150_000);
        return dense with
        {
            AttentionBias = c.Flag("attention_bias", true),
            SlidingWindow = c.IntOrNull("sliding_window"),
            SlidingLayers = HfDecoder.SlidingLayers(c) ?? [.. Enumerable.Range(0, dense.NumLayers).Where(i => i % 2 == 0)],
            Moe = new MoeConfig
            {
                NumExperts = c.Int("num_local_experts", 128),
                TopK = c.Int("num_experts_per_tok", 4),
                HiddenDim = dense.HiddenDim,
                Routing = Routing.TopThenSoftmax,
                RouterBias = true,
                AuxLossCoef = MoeDecoder.AuxLossCoef(c, 0.9),
            },
        };
    }

    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora) => MoeDecoder.Build(
        shape, lora, Map(shape), shape.Kinds(),
        linear => new FusedExperts(shape.Moe!.NumExperts, shape.EmbedDim, shape.Moe.HiddenDim, interleaved: true, lora),
        sinks: true);

    /// <summary>Hugging Face's weight names and ours.</summary>
    public static WeightMap Map(DecoderConfig s) => new(
    [
        .. MoeDecoder.Rules(s),
        new("model.layers.{}.self_attn.sinks", "layers.{}.attn.sinks", WeightName: ""),
        new("model.layers.{}.mlp.router", "layers.{}.mlp.router"),
        new("model.layers.{}.mlp.experts.gate_up_proj", "layers.{}.mlp.experts.gate_up_proj", WeightName: ""),
        new("model.layers.{}.mlp.experts.gate_up_proj_bias", "layers.{}.mlp.experts.gate_up_bias", WeightName: ""),
        new("model.layers.{}.mlp.experts.down_proj", "layers.{}.mlp.experts.down_proj", WeightName: ""),
        new("model.layers.{}.mlp.experts.base_layer", "layers.{}.mlp.experts.gate_up_adapter", WeightName: "adapter"),
        new("model.layers.{}.mlp.experts", "layers.{}.mlp.experts.down_adapter", WeightName: "adapter"),
        new("model.layers.{}.mlp.experts.down_proj_bias", "layers.{}.mlp.experts.down_bias", WeightName: ""),
    ]);
}
