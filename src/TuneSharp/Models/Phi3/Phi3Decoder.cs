using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Phi3;

/// <summary>Phi-3, Phi-4 and Phi-4-mini: Llama's structure, whose files hold queries, keys and values as one weight, and gate and up as one.</summary>
/// <remarks>Papers: https://arxiv.org/abs/2404.14219 (Phi-3), https://arxiv.org/abs/2412.08905 (Phi-4), https://arxiv.org/abs/2503.01743 (Phi-4-mini).</remarks>
internal static class Phi3Decoder
{
    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora) =>
        DecoderParts.Decoder(shape, lora, Map(shape), (i, kind, linear) => new(
            kind,
            DecoderParts.Attention(i, shape, linear),
            DecoderParts.FeedForward(shape, linear),
            saNorm: new RmsNorm(shape.EmbedDim, shape.NormEps),
            mlpNorm: new RmsNorm(shape.EmbedDim, shape.NormEps)));

    /// <summary>Hugging Face's weight names, and ours: the two fused weights are cut by rows.</summary>
    public static WeightMap Map(DecoderConfig s) => new(
    [
        .. HfNames.Ends(s), .. HfNames.PreNorms(),
        new("model.layers.{}.self_attn.qkv_proj", "layers.{}.attn.qkv_proj"),
        new("model.layers.{}.self_attn.o_proj", "layers.{}.attn.output_proj"),
        new("model.layers.{}.self_attn.rotary_emb.inv_freq", null),
        new("model.layers.{}.mlp.gate_up_proj", "layers.{}.mlp.gate_up_proj"),
        new("model.layers.{}.mlp.down_proj", "layers.{}.mlp.w2"),
    ])
    {
        Fused =
        [
            new("layers.{}.attn.qkv_proj",
            [
                new("layers.{}.attn.q_proj", s.NumHeads * s.HeadDim, HfNames.Queries(s)),
                new("layers.{}.attn.k_proj", s.NumKvHeads * s.HeadDim, HfNames.Keys(s)),
                new("layers.{}.attn.v_proj", s.NumKvHeads * s.HeadDim),
            ]),
            new("layers.{}.mlp.gate_up_proj", [new("layers.{}.mlp.w1", s.HiddenDim), new("layers.{}.mlp.w3", s.HiddenDim)]),
        ],
    };

    /// <summary>Reads a <c>config.json</c>.</summary>
    public static DecoderConfig Shape(HfConfig c)
    {
        HfDecoder.NoDropout(c, "embd_pdrop", "resid_pdrop");
        _ = c.IntOrNull("original_max_position_embeddings"); // used by longrope alone
        return HfDecoder.Read(c) with { SlidingWindow = HfDecoder.Window(c) };
    }
}
