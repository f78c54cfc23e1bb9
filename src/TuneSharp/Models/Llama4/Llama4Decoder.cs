using System.Text.Json.Nodes;
using TuneSharp.Checkpointing;
using TuneSharp.Models.Moe;
using TuneSharp.Modules;
using TuneSharp.Modules.Moe;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Llama4;

/// <summary>
/// The language model of Llama 4: most layers rotate and see one chunk of the text, the others see all of it without positions;
/// one routed expert and one for all tokens.
/// </summary>
/// <remarks>torchtune counterpart: <c>torchtune/models/llama4/</c>. Releases: https://huggingface.co/meta-llama.</remarks>
internal static class Llama4Decoder
{
    /// <summary>Fields of the whole model's file that belong to its eyes, which are not built.</summary>
    private static readonly string[] VisionKeys = ["vision_config", "image_token_index", "boi_token_index", "eoi_token_index", "image_token_id"];

    /// <summary>Fields of the inner file that say nothing about what it computes.</summary>
    private static readonly string[] InnerIgnored = ["model_type", "dtype", "torch_dtype", "cache_implementation"];

    /// <summary>The shape that a text model's <c>config.json</c> describes.</summary>
    public static DecoderConfig Shape(HfConfig c)
    {
        MoeDecoder.RefuseJitter(c);
        foreach (string key in (ReadOnlySpan<string>)["for_llm_compressor", "cache_implementation"])
        {
            c.Has(key);
        }

        DecoderConfig dense = HfDecoder.Read(c, theta: 500_000);
        int layers = dense.NumLayers;
        int interval = c.Int("no_rope_layer_interval", 4);
        IReadOnlyList<int> rotates = c.Ints("no_rope_layers");
        if (rotates.Count == 0)
        {
            rotates = [.. Enumerable.Range(0, layers).Select(i => (i + 1) % interval != 0 ? 1 : 0)];
        }

        int step = c.Int("interleave_moe_layer_step", 1);
        IReadOnlyList<int> sparse = c.Get("moe_layers") is JsonArray ? c.Ints("moe_layers") : [.. Enumerable.Range(0, layers).Where(i => (i + 1) % step == 0)];
        IReadOnlyList<string> types = c.Texts("layer_types");
        if (types.Count > 0 && !types.Select(t => t == "chunked_attention").SequenceEqual(rotates.Select(r => r != 0)))
        {
            throw new CheckpointException($"{c.File}: layer_types and no_rope_layers disagree; here layers see one chunk exactly where they rotate.");
        }

        bool tuned = c.Get("attn_temperature_tuning") is JsonValue v && (v.TryGetValue(out bool flag) ? flag : c.Int("attn_temperature_tuning") != 0);
        (double scale, double floor) = (c.Number("attn_scale", 0.1), c.Number("floor_scale", 8192));
        int inner = c.Int("intermediate_size");
        return dense with
        {
            HiddenDim = c.Int("intermediate_size_mlp", 16_384),
            NormAfterRope = c.Flag("use_qk_norm", true),
            NoRopeLayers = [.. Enumerable.Range(0, layers).Where(i => rotates[i] == 0)],
            AttnChunk = c.IntOrNull("attention_chunk_size"),
            Temperature = tuned ? new QueryTemperature(scale, floor) : null,
            Moe = new MoeConfig
            {
                NumExperts = c.Int("num_local_experts", 16),
                TopK = c.Int("num_experts_per_tok", 1),
                HiddenDim = inner,
                SharedHiddenDim = inner,
                Routing = Routing.SigmoidOnInput,
                DenseLayers = [.. Enumerable.Range(0, layers).Where(i => !sparse.Contains(i))],
                AuxLossCoef = MoeDecoder.AuxLossCoef(c, 0.001),
            },
        };
    }

    /// <summary>The text model inside a whole model's <c>config.json</c>.</summary>
    public static DecoderConfig WholeShape(HfConfig c)
    {
        HfConfig text = c.Section("text_config")
            ?? throw new CheckpointException($"{c.File}: has no text_config, so it describes no language model. Download the file again.");
        foreach (string key in VisionKeys)
        {
            c.Has(key);
        }

        bool tied = c.Flag("tie_word_embeddings", false);
        DecoderConfig shape = Shape(text) with { FilePrefix = "language_model." };
        AutoModel.RequireRead(text, InnerIgnored);
        return shape with { TieWordEmbeddings = shape.TieWordEmbeddings || tied };
    }

    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora) => MoeDecoder.Build(
        shape, lora, Map(shape), Kinds(shape),
        linear => new FusedExperts(shape.Moe!.NumExperts, shape.EmbedDim, shape.Moe.HiddenDim, lora: lora));

    /// <summary>Hugging Face's weight names and ours. Its files hold rotary pairs side by side, as our models do.</summary>
    public static WeightMap Map(DecoderConfig s)
    {
        string layer = s.FilePrefix + "model.layers.{}.feed_forward";
        return new(
        [
            .. MoeDecoder.Rules(s, halfSplit: false),
            new(layer + ".gate_proj", "layers.{}.mlp.w1"),
            new(layer + ".down_proj", "layers.{}.mlp.w2"),
            new(layer + ".up_proj", "layers.{}.mlp.w3"),
            new(layer + ".router", "layers.{}.mlp.router"),
            new(layer + ".experts.gate_up_proj", "layers.{}.mlp.experts.gate_up_proj", WeightName: ""),
            new(layer + ".experts.down_proj", "layers.{}.mlp.experts.down_proj", WeightName: ""),
            new(layer + ".experts.base_layer", "layers.{}.mlp.experts.gate_up_adapter", WeightName: "adapter"),
            new(layer + ".experts", "layers.{}.mlp.experts.down_adapter", WeightName: "adapter"),
            new(layer + ".shared_expert.gate_proj", "layers.{}.mlp.shared_expert.w1"),
            new(layer + ".shared_expert.down_proj", "layers.{}.mlp.shared_expert.w2"),
            new(layer + ".shared_expert.up_proj", "layers.{}.mlp.shared_expert.w3"),
            new("vision_model.*", null),
            new("multi_modal_projector.*", null),
        ]);
    }

    private static IReadOnlyList<LayerKind> Kinds(DecoderConfig s)
    {
        Rope rope = new(s.HeadDim, s.MaxSeqLen, s.RopeBase, s.RopeScaling);
        LayerKind near = new(rope, Chunk: s.AttnChunk);
        LayerKind far = new(Rope: null, Temperature: s.Temperature);
        return [.. Enumerable.Range(0, s.NumLayers).Select(i => s.NoRopeLayers.Contains(i) ? far : near)];
    }
}
