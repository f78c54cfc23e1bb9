using TuneSharp.Backend;
using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Gpt2;

/// <summary>GPT-2 and DistilGPT2: learned positions, LayerNorm before each block, one linear for queries, keys and values, tied head.</summary>
/// <remarks>
/// Paper: https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf. Adapters on the queries,
/// keys or values are one adapter on their common linear (PEFT's <c>c_attn</c>).
/// </remarks>
internal static class Gpt2Decoder
{
    /// <summary>The shape that a <c>config.json</c> describes.</summary>
    /// <exception cref="CheckpointException">A field has a value that this family does not compute.</exception>
    public static DecoderConfig Shape(HfConfig c)
    {
        HfDecoder.RefuseQuantised(c);
        foreach (string key in (ReadOnlySpan<string>)
            ["reorder_and_upcast_attn", "n_ctx", "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj", "n_special", "predict_special_tokens"])
        {
            c.Has(key); // orders of the same sums, or parts of other heads
        }

        if (c.Flag("add_cross_attention", false))
        {
            throw new CheckpointException($"{c.File}: add_cross_attention is true; a decoder that reads an encoder's states is not built here.");
        }

        bool classifier = HfDecoder.IsClassifier(c);
        int heads = c.Int("n_head");
        long width = c.Int("n_embd");
        bool tied = c.Flag("tie_word_embeddings", true);
        (double resid, double embed) = (c.Number("resid_pdrop", 0.1), c.Number("embd_pdrop", 0.1));
        return new DecoderConfig
        {
            VocabSize = c.Int("vocab_size"),
            NumLayers = c.Int("n_layer"),
            NumHeads = heads,
            NumKvHeads = heads,
            EmbedDim = width,
            HiddenDim = c.IntOrNull("n_inner") ?? 4 * width,
            MaxSeqLen = c.Int("n_positions", 1024),
            NormEps = c.Number("layer_norm_epsilon", 1e-5),
            AttnScale = c.Flag("scale_attn_weights", true) ? null : 1,
            AttnScaleByLayer = c.Flag("scale_attn_by_inverse_layer_idx", false),
            Activation = PlainActivation.Read(c, "activation_function", "gelu_new"),
            AttnDropout = c.Number("attn_pdrop", 0.1),
            ResidDropout = resid,
            EmbedDropout = embed,
            LearnedPositions = true,
            TieWordEmbeddings = tied && !classifier,
            NumClasses = classifier ? HfDecoder.NumLabels(c) : 0,
        };
    }

    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora)
    {
        (shape, WeightMap weights) = BuildScope.Resized(shape.Checked(), Map(shape));
        TorchBackend.EnsureLoaded();
        LinearFactory linear = new(lora);
        IReadOnlyList<LayerKind> kinds = shape.Kinds();
        return new TransformerDecoder(
            shape,
            weights,
            tokEmbeddings: linear.Embedding(shape.VocabSize, shape.EmbedDim),
            layers: Enumerable.Range(0, shape.NumLayers).Select(i => Layer(i, kinds[i], shape, linear)),
            norm: new LayerNorm(shape.EmbedDim, shape.NormEps),
            output: shape.NumClasses > 0
                ? linear.Output(shape.EmbedDim, shape.NumClasses, tied: false)
                : linear.Output(shape.EmbedDim, shape.VocabSize, shape.TieWordEmbeddings),
            input: new InputStage(new Embedding(shape.MaxSeqLen, shape.EmbedDim), dropout: shape.EmbedDropout))
        {
            Lora = lora,
        };
    }

    /// <summary>Hugging Face's weight names and ours. Older files leave out <c>transformer.</c>, and all hold linears as [in, out].</summary>
    public static WeightMap Map(DecoderConfig s)
    {
        WeightRule[] body =
        [
            new("wte", "tok_embeddings"),
            new("wpe", "input.pos_embeddings"),
            new("h.{}.ln_1", "layers.{}.sa_norm", WeightName: "scale"),
            new("h.{}.attn.c_attn", "layers.{}.attn.qkv_proj", Transposed: true),
            new("h.{}.attn.c_proj", "layers.{}.attn.output_proj", Transposed: true),
            new("h.{}.ln_2", "layers.{}.mlp_norm", WeightName: "scale"),
            new("h.{}.mlp.c_fc", "layers.{}.mlp.w1", Transposed: true),
            new("h.{}.mlp.c_proj", "layers.{}.mlp.w2", Transposed: true),
            new("ln_f", "norm", WeightName: "scale"),
            new("h.{}.attn.bias", null),
            new("h.{}.attn.masked_bias", null),
        ];
        return new(
        [
            .. body.Select(r => r with { File = "transformer." + r.File }),
            .. body.Select(r => r with { IsOlderName = true }),
            s.NumClasses > 0 ? new("score", "output") : s.TieWordEmbeddings ? new("lm_head", null) : new("lm_head", "output"),
        ]);
    }

    private static TransformerLayer Layer(int i, LayerKind kind, DecoderConfig s, LinearFactory linear)
    {
        AttentionOptions options = s.AttentionOptions();
        if (s.AttnScaleByLayer)
        {
            options = options with { Scale = (s.AttnScale ?? 1 / Math.Sqrt(s.HeadDim)) / (i + 1) };
        }

        return new TransformerLayer(
            kind,
            attn: new FusedQkvAttention(
                layer: i,
                headDim: s.HeadDim,
                qkvProj: linear.FusedAttention([LoraModule.QProj, LoraModule.KProj, LoraModule.VProj], s.EmbedDim, 3 * s.EmbedDim, bias: true),
                outputProj: linear.Attention(LoraModule.OutputProj, s.EmbedDim, s.EmbedDim, bias: true),
                options),
            mlp: new PlainFeedForward(
                w1: linear.Mlp(LoraMlpModule.W1, s.EmbedDim, s.HiddenDim, bias: true),
                w2: linear.Mlp(LoraMlpModule.W2, s.HiddenDim, s.EmbedDim, bias: true),
                s.Activation),
            saNorm: new LayerNorm(s.EmbedDim, s.NormEps),
            mlpNorm: new LayerNorm(s.EmbedDim, s.NormEps))
        {
            Dropout = s.ResidDropout,
        };
    }
}
