using System.Text.Json.Nodes;
using TuneSharp.Checkpointing;
using TuneSharp.Models.Gemma3;
using TuneSharp.Models.Mistral;
using TuneSharp.Modules;

namespace TuneSharp.Models;

/// <summary>The language model inside a checkpoint that also sees: Gemma 3 from 4B on, Mistral Small 3.1 and later, Ministral 3. Its eyes are not built.</summary>
internal static class WholeModel
{
    /// <summary>Fields of the outer file that belong to the eyes.</summary>
    private static readonly string[] VisionKeys =
    [
        "vision_config", "image_token_index", "image_token_id", "boi_token_index", "boi_token_id", "eoi_token_index", "eoi_token_id",
        "mm_tokens_per_image", "projector_hidden_act", "multimodal_projector_bias", "spatial_merge_size", "vision_feature_layer",
    ];

    /// <summary>Fields of the inner file that say nothing about what it computes.</summary>
    private static readonly string[] InnerIgnored = ["model_type", "cache_implementation"];

    /// <summary>What transformers takes for fields that Gemma 3's inner files leave out.</summary>
    private static readonly JsonObject Gemma3Defaults = new()
    {
        ["vocab_size"] = 262_208, ["hidden_size"] = 2304, ["intermediate_size"] = 9216, ["num_hidden_layers"] = 26, ["num_attention_heads"] = 8,
        ["num_key_value_heads"] = 4, ["head_dim"] = 256, ["max_position_embeddings"] = 131_072, ["model_type"] = "gemma3_text",
    };

    /// <summary>Model type gemma3.</summary>
    public static DecoderConfig Gemma3Shape(HfConfig c) => Shape(c, Gemma3Defaults, Gemma3Decoder.Shape, tied: true);

    /// <summary>Model type mistral3, around mistral or ministral3.</summary>
    public static DecoderConfig Mistral3Shape(HfConfig c) => Shape(
        c, [], text => text.ModelType switch
        {
            "mistral" => MistralDecoder.Shape(text),
            "ministral" => MistralDecoder.MinistralShape(text),
            "ministral3" => MistralDecoder.Ministral3Shape(text),
            var other => throw new CheckpointException($"{text.File}: model_type {other} inside mistral3 is not known; mistral, ministral and ministral3 are."),
        },
        tied: false);

    /// <summary>A text model's weight names inside the whole: as most files have them, and as transformers 5 writes them. The rest is dropped.</summary>
    /// <param name="text">The text model's own table.</param>
    public static WeightMap Inside(WeightMap text) => new(
    [
        .. text.Rules.Select(r => r with { File = "language_model." + r.File }),
        .. text.Rules.Select(r => r with
        {
            File = r.File.StartsWith("model.", StringComparison.Ordinal) ? "model.language_model." + r.File["model.".Length..] : r.File,
            IsOlderName = true,
        }),
        new("vision_tower.*", null),
        new("multi_modal_projector.*", null),
        new("model.vision_tower.*", null),
        new("model.multi_modal_projector.*", null),
    ]);

    private static DecoderConfig Shape(HfConfig c, JsonObject defaults, Func<HfConfig, DecoderConfig> read, bool tied)
    {
        JsonObject inner = c.Get("text_config") is JsonObject given
            ? (JsonObject)given.DeepClone()
            : throw new CheckpointException($"{c.File}: has no text_config, so it describes no language model. Download the file again.");
        foreach ((string key, JsonNode? value) in defaults)
        {
            inner.TryAdd(key, value?.DeepClone());
        }

        foreach (string key in VisionKeys)
        {
            c.Has(key);
        }

        // Older files tie at the top only.
        inner.TryAdd("tie_word_embeddings", c.Flag("tie_word_embeddings", tied));
        HfConfig text = new(inner, $"{c.File}: text_config");
        DecoderConfig shape = read(text);
        AutoModel.RequireRead(text, InnerIgnored);
        return shape;
    }
}
