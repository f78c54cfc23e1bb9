using TuneSharp.Backend;
using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Moe;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Moe;

/// <summary>The structure that the sparse decoders share: pre-norm, rotary attention, and experts in place of some feed-forward blocks.</summary>
internal static class MoeDecoder
{
    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    /// <param name="shape">Its numbers, with <see cref="DecoderConfig.Moe"/>.</param>
    /// <param name="lora">Adapters, or null.</param>
    /// <param name="weights">The family's table.</param>
    /// <param name="kinds">What each layer's queries see.</param>
    /// <param name="experts">Makes the experts of a layer.</param>
    /// <param name="headNorms">Queries and keys are normed head by head before the rotation.</param>
    /// <param name="sinks">Attention has sinks.</param>
    public static TransformerDecoder Build(
        DecoderConfig shape, LoraConfig? lora, WeightMap weights, IReadOnlyList<LayerKind> kinds, Func<LinearFactory, Experts> experts,
        bool headNorms = false, bool sinks = false)
    {
        (shape, weights) = BuildScope.Resized(shape.Checked(), weights);
        TorchBackend.EnsureLoaded();
        LinearFactory linear = new(lora);
        MoeConfig moe = shape.Moe!.Checked();
        RouterBalance balance = new(moe.AuxLossCoef);
        AttentionOptions options = shape.AttentionOptions() with
        {
            Sinks = sinks,
            NormAfterRope = shape.NormAfterRope ? shape.NormEps : null,
        };
        return new TransformerDecoder(
            shape,
            weights,
            tokEmbeddings: linear.Embedding(shape.VocabSize, shape.EmbedDim),
            layers: Enumerable.Range(0, shape.NumLayers).Select(i => new TransformerLayer(
                kinds[i],
                attn: Attention(i, shape, linear, options, headNorms),
                mlp: moe.DenseLayers.Contains(i)
                    ? Dense(linear, shape.EmbedDim, shape.HiddenDim, shape.MlpBias)
                    : new MoeLayer(
                        moe,
                        router: new Linear(shape.EmbedDim, moe.NumExperts, moe.RouterBias),
                        experts: experts(linear),
                        sharedExpert: moe.SharedHiddenDim > 0 ? Dense(linear, shape.EmbedDim, moe.SharedHiddenDim, bias: false) : null,
                        balance),
                saNorm: new RmsNorm(shape.EmbedDim, shape.NormEps),
                mlpNorm: new RmsNorm(shape.EmbedDim, shape.NormEps))),
            norm: new RmsNorm(shape.EmbedDim, shape.NormEps),
            output: shape.NumClasses > 0
                ? linear.Output(shape.EmbedDim, shape.NumClasses, tied: false)
                : linear.Output(shape.EmbedDim, shape.VocabSize, shape.TieWordEmbeddings))
        {
            Lora = lora,
            Balance = balance,
        };
    }

    /// <summary>Experts of three linears each, as their files hold them.</summary>
    public static Experts Split(DecoderConfig s, LinearFactory linear) => new SplitExperts(s.Moe!.NumExperts, _ => (
        linear.Mlp(LoraMlpModule.W1, s.EmbedDim, s.Moe.HiddenDim),
        linear.Mlp(LoraMlpModule.W2, s.Moe.HiddenDim, s.EmbedDim),
        linear.Mlp(LoraMlpModule.W3, s.EmbedDim, s.Moe.HiddenDim)));

    /// <summary>The lines of the weight table that all of them have.</summary>
    /// <param name="s">The shape.</param>
    /// <param name="halfSplit">The files hold rotary pairs half-split; false where they lie side by side as here.</param>
    public static IEnumerable<WeightRule> Rules(DecoderConfig s, bool halfSplit = true)
    {
        string model = s.FilePrefix + "model";
        RowOrder? Pairs(int heads) => halfSplit ? RowOrder.InterleavedPairs(heads) : null;
        return
        [
            new($"{model}.embed_tokens", "tok_embeddings"),
            new($"{model}.layers.{{}}.self_attn.q_proj", "layers.{}.attn.q_proj", Pairs(s.NumHeads)),
            new($"{model}.layers.{{}}.self_attn.k_proj", "layers.{}.attn.k_proj", Pairs(s.NumKvHeads)),
            new($"{model}.layers.{{}}.self_attn.v_proj", "layers.{}.attn.v_proj"),
            new($"{model}.layers.{{}}.self_attn.o_proj", "layers.{}.attn.output_proj"),
            new($"{model}.layers.{{}}.self_attn.rotary_emb.inv_freq", null),
            new($"{model}.layers.{{}}.input_layernorm", "layers.{}.sa_norm", WeightName: "scale"),
            new($"{model}.layers.{{}}.post_attention_layernorm", "layers.{}.mlp_norm", WeightName: "scale"),
            new($"{model}.norm", "norm", WeightName: "scale"),
            s.NumClasses > 0 ? new("score", "output")
                : s.TieWordEmbeddings ? new($"{s.FilePrefix}lm_head", null) : new($"{s.FilePrefix}lm_head", "output"),
        ];
    }

    /// <summary>The weight of the auxiliary loss: only where the file says that routers are trained with it.</summary>
    public static double AuxLossCoef(HfConfig c, double otherwise)
    {
        double coefficient = c.Number("router_aux_loss_coef", otherwise);
        return c.Flag("output_router_logits", false) ? coefficient : 0;
    }

    /// <summary>Refuses noise on the router's input, which no released model has.</summary>
    public static void RefuseJitter(HfConfig c)
    {
        if (c.Number("router_jitter_noise", 0) is var noise and not 0)
        {
            throw new CheckpointException(FormattableString.Invariant(
                $"{c.File}: router_jitter_noise is {noise}; noise on the router's input is not computed here. Set it to 0."));
        }
    }

    private static MultiHeadAttention Attention(int i, DecoderConfig s, LinearFactory linear, AttentionOptions options, bool headNorms) => new(
        layer: i,
        headDim: s.HeadDim,
        qProj: linear.Attention(LoraModule.QProj, s.EmbedDim, s.NumHeads * s.HeadDim, s.AttentionBias),
        kProj: linear.Attention(LoraModule.KProj, s.EmbedDim, s.NumKvHeads * s.HeadDim, s.AttentionBias),
        vProj: linear.Attention(LoraModule.VProj, s.EmbedDim, s.NumKvHeads * s.HeadDim, s.AttentionBias),
        outputProj: linear.Attention(LoraModule.OutputProj, s.NumHeads * s.HeadDim, s.EmbedDim, s.AttentionOutputBias ?? s.AttentionBias),
        qNorm: headNorms ? new RmsNorm(s.HeadDim, s.NormEps) : null,
        kNorm: headNorms ? new RmsNorm(s.HeadDim, s.NormEps) : null,
        options: options);

    private static FeedForward Dense(LinearFactory linear, long dim, long inner, bool bias) => new(
        w1: linear.Mlp(LoraMlpModule.W1, dim, inner, bias),
        w2: linear.Mlp(LoraMlpModule.W2, inner, dim, bias),
        w3: linear.Mlp(LoraMlpModule.W3, dim, inner, bias));
}
