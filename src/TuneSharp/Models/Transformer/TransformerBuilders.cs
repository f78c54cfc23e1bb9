using System.Text.Json.Nodes;
using TuneSharp.Checkpointing;
using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Models.Bert;
using TuneSharp.Models.Llama;
using TuneSharp.Modules;

namespace TuneSharp.Models.Transformer;

/// <summary>What a plain transformer is for.</summary>
public enum TransformerKind
{
    /// <summary>Goes on with a text: built as Llama is, with rotary positions, RMS norms and SwiGLU.</summary>
    Decoder,

    /// <summary>Guesses hidden tokens, or names a class: built as BERT is.</summary>
    Encoder,
}

/// <summary>A transformer of one's own size, to train from nothing.</summary>
/// <remarks>
/// Its saves are Hugging Face folders of the family it is built as, so <c>auto</c>, and other tools, load them again.
/// </remarks>
public static class TransformerBuilders
{
    /// <summary>The component's name.</summary>
    internal const string Name = "transformer";

    /// <summary>A transformer by its three numbers; the rest follows unless it is given.</summary>
    /// <param name="numLayers">Layers.</param>
    /// <param name="hiddenSize">Width.</param>
    /// <param name="numAttentionHeads">Heads; divides the width.</param>
    /// <param name="tokenizer">Whose vocabulary it is, where <paramref name="vocabSize"/> does not say.</param>
    /// <param name="kind">Decoder or encoder.</param>
    /// <param name="vocabSize">Rows of the embedding table; null for the tokenizer's number of tokens.</param>
    /// <param name="numKeyValueHeads">Key heads that query heads share, in a decoder; null for as many as heads.</param>
    /// <param name="intermediateSize">Width inside feed-forward blocks; null for ⅔·4·width rounded up to 256 in a decoder, 4·width in an encoder.</param>
    /// <param name="maxSeqLen">Longest sequence, in tokens; null for the tokenizer's <c>max_seq_len</c>, or 2048.</param>
    /// <param name="dropout">Dropout rate.</param>
    /// <param name="tieWordEmbeddings">The head is the embedding table.</param>
    /// <param name="numClasses">Classes that it names; 0 for a language model.</param>
    [Component(Name)]
    public static TransformerDecoder Transformer(
        int numLayers, int hiddenSize, int numAttentionHeads, [Runtime] IModelTokenizer? tokenizer = null,
        TransformerKind kind = TransformerKind.Decoder, int? vocabSize = null, int? numKeyValueHeads = null, int? intermediateSize = null,
        int? maxSeqLen = null, double dropout = 0, bool tieWordEmbeddings = true, int numClasses = 0)
    {
        int vocabulary = vocabSize ?? tokenizer?.VocabSize ?? throw new ArgumentException(
            "model.vocab_size is not set, and there is no tokenizer to take it from. Set vocab_size.");
        if (numAttentionHeads < 1 || hiddenSize % numAttentionHeads != 0)
        {
            throw new ArgumentException($"hidden_size ({hiddenSize}) must be divisible by num_attention_heads ({numAttentionHeads}).");
        }

        JsonObject json = new()
        {
            ["vocab_size"] = vocabulary,
            ["num_hidden_layers"] = numLayers,
            ["hidden_size"] = hiddenSize,
            ["num_attention_heads"] = numAttentionHeads,
            ["max_position_embeddings"] = maxSeqLen ?? tokenizer?.MaxSeqLen ?? 2048,
            ["tie_word_embeddings"] = tieWordEmbeddings,
            ["initializer_range"] = Linear.InitStd,
            ["dtype"] = "float32",
        };
        if (tokenizer is not null)
        {
            (json["bos_token_id"], json["eos_token_id"], json["pad_token_id"]) = (tokenizer.BosId, tokenizer.EosId, tokenizer.PadId);
        }

        bool encoder = kind == TransformerKind.Encoder;
        string family = encoder ? "Bert" : "Llama";
        json["model_type"] = encoder ? "bert" : "llama";
        json["architectures"] = new JsonArray(family + (numClasses > 0 ? "ForSequenceClassification" : encoder ? "ForMaskedLM" : "ForCausalLM"));
        if (numClasses > 0)
        {
            json["id2label"] = new JsonObject(Enumerable.Range(0, numClasses).Select(i => KeyValuePair.Create($"{i}", (JsonNode?)$"LABEL_{i}")));
            json["label2id"] = new JsonObject(Enumerable.Range(0, numClasses).Select(i => KeyValuePair.Create($"LABEL_{i}", (JsonNode?)i)));
        }

        if (encoder)
        {
            json["intermediate_size"] = intermediateSize ?? 4 * hiddenSize;
            json["hidden_act"] = "gelu";
            json["layer_norm_eps"] = 1e-12;
            json["type_vocab_size"] = 2;
            (json["hidden_dropout_prob"], json["attention_probs_dropout_prob"]) = (dropout, dropout);
        }
        else
        {
            json["num_key_value_heads"] = numKeyValueHeads ?? numAttentionHeads;
            json["intermediate_size"] = intermediateSize ?? DecoderConfig.DefaultHiddenDim(hiddenSize);
            json["hidden_act"] = "silu";
            json["rms_norm_eps"] = 1e-5;
            json["rope_theta"] = 10_000.0;
            json["attention_dropout"] = dropout;
        }

        HfConfig config = new(json, "model");
        TransformerDecoder model = encoder ? BertEncoder.Build(BertEncoder.Shape(config), null) : LlamaDecoder.Build(LlamaHfConfig.Shape(config), null);
        model.HfConfig = json;
        return model;
    }
}
