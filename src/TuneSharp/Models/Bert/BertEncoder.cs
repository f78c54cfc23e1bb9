using TuneSharp.Backend;
using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Bert;

/// <summary>BERT: every token sees its whole text; norms after the sums; a head that guesses masked tokens or names a class.</summary>
/// <remarks>
/// Paper: https://arxiv.org/abs/1810.04805. What stands between the last layer and the head is the model's <c>norm</c>: the transform of the
/// masked-token head, or the pooler, which a classifier reads at the first token.
/// </remarks>
internal static class BertEncoder
{
    /// <summary>The shape that a <c>config.json</c> describes.</summary>
    /// <exception cref="CheckpointException">A field has a value that this family does not compute.</exception>
    public static DecoderConfig Shape(HfConfig c)
    {
        HfDecoder.RefuseQuantised(c);
        HfDecoder.OneOf(c, "position_embedding_type", c.Text("position_embedding_type", "absolute"), ["absolute"]);
        foreach (string key in (ReadOnlySpan<string>)
            ["gradient_checkpointing", "directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type", "layer_norm_type"])
        {
            c.Has(key); // TensorFlow's leftovers in hub files
        }

        if (c.Flag("is_decoder", false) || c.Flag("add_cross_attention", false))
        {
            throw new CheckpointException($"{c.File}: is_decoder or add_cross_attention is true; BERT as a decoder is not built here.");
        }

        bool classifier = HfDecoder.IsClassifier(c);
        int heads = c.Int("num_attention_heads");
        double hidden = c.Number("hidden_dropout_prob", 0.1);
        double? beforeHead = c.NumberOrNull("classifier_dropout");
        bool tied = c.Flag("tie_word_embeddings", true);
        return new DecoderConfig
        {
            VocabSize = c.Int("vocab_size"),
            NumLayers = c.Int("num_hidden_layers"),
            NumHeads = heads,
            NumKvHeads = heads,
            EmbedDim = c.Int("hidden_size"),
            HiddenDim = c.Int("intermediate_size"),
            MaxSeqLen = c.Int("max_position_embeddings", 512),
            NormEps = c.Number("layer_norm_eps", 1e-12),
            Activation = PlainActivation.Read(c, "hidden_act", "gelu"),
            AttnDropout = c.Number("attention_probs_dropout_prob", 0.1),
            ResidDropout = hidden,
            EmbedDropout = hidden,
            ClassifierDropout = classifier ? beforeHead ?? hidden : 0,
            LearnedPositions = true,
            Bidirectional = true,
            NumTokenTypes = c.Int("type_vocab_size", 2),
            TieWordEmbeddings = tied && !classifier,
            NumClasses = classifier ? HfDecoder.NumLabels(c) : 0,
        };
    }

    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora)
    {
        shape.Checked();
        TorchBackend.EnsureLoaded();
        LinearFactory linear = new(lora);
        IReadOnlyList<LayerKind> kinds = shape.Kinds();
        bool classifier = shape.NumClasses > 0;
        return new TransformerDecoder(
            shape,
            Map(shape),
            tokEmbeddings: linear.Embedding(shape.VocabSize, shape.EmbedDim),
            layers: Enumerable.Range(0, shape.NumLayers).Select(i => Layer(i, kinds[i], shape, linear)),
            norm: classifier
                ? new HeadTransform(shape.EmbedDim, activation: null, norm: null, shape.ClassifierDropout)
                : new HeadTransform(shape.EmbedDim, shape.Activation, new LayerNorm(shape.EmbedDim, shape.NormEps)),
            output: classifier ? linear.Output(shape.EmbedDim, shape.NumClasses, tied: false, bias: true)
                : linear.Output(shape.EmbedDim, shape.VocabSize, shape.TieWordEmbeddings, bias: true),
            input: new InputStage(
                new Embedding(shape.MaxSeqLen, shape.EmbedDim),
                shape.NumTokenTypes > 0 ? new Embedding(shape.NumTokenTypes, shape.EmbedDim) : null,
                new LayerNorm(shape.EmbedDim, shape.NormEps),
                shape.EmbedDropout),
            tiedBias: !classifier && shape.TieWordEmbeddings)
        {
            Lora = lora,
        };
    }

    /// <summary>Hugging Face's weight names and ours. The head of the other task is dropped: a classifier can start from a masked model.</summary>
    public static WeightMap Map(DecoderConfig s)
    {
        const string layer = "bert.encoder.layer.{}";
        List<WeightRule> rules =
        [
            new("bert.embeddings.word_embeddings", "tok_embeddings"),
            new("bert.embeddings.position_embeddings", "input.pos_embeddings"),
            new("bert.embeddings.token_type_embeddings", "input.type_embeddings"),
            new("bert.embeddings.LayerNorm", "input.norm", WeightName: "scale"),
            new("bert.embeddings.position_ids", null),
            new(layer + ".attention.self.query", "layers.{}.attn.q_proj"),
            new(layer + ".attention.self.key", "layers.{}.attn.k_proj"),
            new(layer + ".attention.self.value", "layers.{}.attn.v_proj"),
            new(layer + ".attention.output.dense", "layers.{}.attn.output_proj"),
            new(layer + ".attention.output.LayerNorm", "layers.{}.sa_norm", WeightName: "scale"),
            new(layer + ".intermediate.dense", "layers.{}.mlp.w1"),
            new(layer + ".output.dense", "layers.{}.mlp.w2"),
            new(layer + ".output.LayerNorm", "layers.{}.mlp_norm", WeightName: "scale"),
            new("cls.seq_relationship.*", null),
        ];
        rules.AddRange(s.NumClasses > 0
            ? [new("bert.pooler.dense", "norm.dense"), new("classifier", "output"), new("cls.predictions.*", null)]
            :
            [
                new("cls.predictions.transform.dense", "norm.dense"),
                new("cls.predictions.transform.LayerNorm", "norm.norm", WeightName: "scale"),
                new("bert.pooler.*", null),
                new("classifier.*", null),
                .. s.TieWordEmbeddings
                    ? (IEnumerable<WeightRule>)[new("cls.predictions.bias", "output_bias", WeightName: ""), new("cls.predictions.decoder.*", null)]
                    : [new("cls.predictions.decoder", "output"), new("cls.predictions.bias", null)],
            ]);
        return new(rules);
    }

    private static TransformerLayer Layer(int i, LayerKind kind, DecoderConfig s, LinearFactory linear) => new(
        kind,
        attn: new MultiHeadAttention(
            layer: i,
            headDim: s.HeadDim,
            qProj: linear.Attention(LoraModule.QProj, s.EmbedDim, s.EmbedDim, bias: true),
            kProj: linear.Attention(LoraModule.KProj, s.EmbedDim, s.EmbedDim, bias: true),
            vProj: linear.Attention(LoraModule.VProj, s.EmbedDim, s.EmbedDim, bias: true),
            outputProj: linear.Attention(LoraModule.OutputProj, s.EmbedDim, s.EmbedDim, bias: true),
            options: s.AttentionOptions()),
        mlp: new PlainFeedForward(
            w1: linear.Mlp(LoraMlpModule.W1, s.EmbedDim, s.HiddenDim, bias: true),
            w2: linear.Mlp(LoraMlpModule.W2, s.HiddenDim, s.EmbedDim, bias: true),
            s.Activation),
        saNorm: new LayerNorm(s.EmbedDim, s.NormEps),
        mlpNorm: new LayerNorm(s.EmbedDim, s.NormEps))
    {
        Dropout = s.ResidDropout,
        NormsAfterSum = true,
    };
}
