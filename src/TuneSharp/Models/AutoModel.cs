using TuneSharp.Checkpointing;
using TuneSharp.Config;
using TuneSharp.Models.Bert;
using TuneSharp.Models.Gemma2;
using TuneSharp.Models.Gemma3;
using TuneSharp.Models.Gemma;
using TuneSharp.Models.Gpt2;
using TuneSharp.Models.GptOss;
using TuneSharp.Models.Llama4;
using TuneSharp.Models.Llama;
using TuneSharp.Models.Mistral;
using TuneSharp.Models.Mixtral;
using TuneSharp.Models.Olmo2;
using TuneSharp.Models.Phi3;
using TuneSharp.Models.Qwen2;
using TuneSharp.Models.Qwen3;
using TuneSharp.Models.Qwen3Moe;
using TuneSharp.Models.Smollm3;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models;

/// <summary>Builds whatever model a Hugging Face folder's <c>config.json</c> describes.</summary>
public static class AutoModel
{
    /// <summary>The families, by <c>model_type</c>. A new family adds its line here.</summary>
    private static readonly Dictionary<string, ModelFamily> Families = new ModelFamily[]
    {
        new("bert", BertEncoder.Shape, BertEncoder.Build, BertEncoder.Map),
        new("gpt2", Gpt2Decoder.Shape, Gpt2Decoder.Build, Gpt2Decoder.Map),
        new("gpt_oss", GptOssDecoder.Shape, GptOssDecoder.Build, GptOssDecoder.Map),
        new("llama", LlamaHfConfig.Shape, LlamaDecoder.Build, LlamaWeights.Map),
        new("gemma", GemmaDecoder.Shape, GemmaDecoder.Build, GemmaDecoder.Map),
        new("gemma2", Gemma2Decoder.Shape, Gemma2Decoder.Build, Gemma2Decoder.Map),
        new("gemma3", WholeModel.Gemma3Shape, (s, l) => Gemma3Decoder.Build(s, l, whole: true), s => WholeModel.Inside(Gemma3Decoder.Map(s))),
        new("gemma3_text", Gemma3Decoder.Shape, Gemma3Decoder.Build, Gemma3Decoder.Map),
        new("llama4", Llama4Decoder.WholeShape, Llama4Decoder.Build, Llama4Decoder.Map),
        new("llama4_text", Llama4Decoder.Shape, Llama4Decoder.Build, Llama4Decoder.Map),
        new("ministral", MistralDecoder.MinistralShape, MistralDecoder.Build, MistralDecoder.Map),
        new("ministral3", MistralDecoder.Ministral3Shape, MistralDecoder.Build, MistralDecoder.Map),
        new("mistral", MistralDecoder.Shape, MistralDecoder.Build, MistralDecoder.Map),
        new("mistral3", WholeModel.Mistral3Shape, (s, l) => MistralDecoder.Build(s, l, whole: true), s => WholeModel.Inside(MistralDecoder.Map(s))),
        new("mixtral", MixtralDecoder.Shape, MixtralDecoder.Build, MixtralDecoder.Map),
        new("olmo2", Olmo2Decoder.Shape, Olmo2Decoder.Build, Olmo2Decoder.Map),
        new("phi3", Phi3Decoder.Shape, Phi3Decoder.Build, Phi3Decoder.Map),
        new("qwen2", Qwen2Decoder.Shape, Qwen2Decoder.Build, Qwen2Decoder.Map),
        new("qwen3", Qwen3Decoder.Shape, Qwen3Decoder.Build, Qwen3Decoder.Map),
        new("qwen3_moe", Qwen3MoeDecoder.Shape, Qwen3MoeDecoder.Build, Qwen3MoeDecoder.Map),
        new("smollm3", Smollm3Decoder.Shape, Smollm3Decoder.Build, Smollm3Decoder.Map),
    }.ToDictionary(f => f.ModelType, StringComparer.Ordinal);

    /// <summary>Fields of <c>config.json</c> that say nothing about what the model computes.</summary>
    private static readonly HashSet<string> Ignored = new(StringComparer.Ordinal)
    {
        "_name_or_path", "architectures", "auto_map", "bos_token_id", "chunk_size_feed_forward", "dtype", "eos_token_id", "id2label",
        "initializer_range", "is_decoder", "is_encoder_decoder", "label2id", "num_labels", "output_attentions", "output_hidden_states",
        "pad_token_id", "pretraining_tp", "problem_type", "return_dict", "task_specific_params", "torch_dtype", "transformers_version",
        "unsloth_version", "unsloth_fixed", "use_cache", "tokenizer_class", "attn_implementation", "_attn_implementation_autoset",
    };

    /// <summary>The <c>model_type</c>s that can be built.</summary>
    public static IReadOnlyCollection<string> KnownTypes => [.. Families.Keys];

    /// <summary>Builds the model of a checkpoint folder without its weights: the recipe's checkpointer loads these.</summary>
    /// <param name="checkpointer">Whose folder is read when <paramref name="path"/> is null.</param>
    /// <param name="path">The folder (or its <c>config.json</c>); null for the checkpointer's.</param>
    /// <param name="lora">Adapters, or null.</param>
    [Component("auto")]
    public static TransformerDecoder Auto(Checkpointer? checkpointer, string? path = null, LoraConfig? lora = null) =>
        Build(
            HfConfig.Read(path ?? checkpointer?.CheckpointDir ?? throw new ConfigException("model auto needs path: a folder with config.json.")), lora);

    /// <summary>Loads a checkpoint folder: the model and its weights, in their own dtype unless a <see cref="BuildScope"/> says another.</summary>
    /// <param name="folder">A Hugging Face folder.</param>
    /// <param name="lora">Adapters, or null.</param>
    /// <exception cref="CheckpointException">The folder's model is of an unknown family, or its files are damaged.</exception>
    public static TransformerDecoder Load(string folder, LoraConfig? lora = null)
    {
        HfConfig config = HfConfig.Read(folder);
        return ModelLoader.Build(Shape(config), Frozen(config, lora), Family(config).Build, folder, BnbConfig.Of(config));
    }

    /// <summary>Builds the model that a <c>config.json</c> describes, without weights.</summary>
    /// <param name="config">The file.</param>
    /// <param name="lora">Adapters, or null.</param>
    public static TransformerDecoder Build(HfConfig config, LoraConfig? lora = null) => Family(config).Build(Shape(config), Frozen(config, lora));

    /// <summary>Adapters on a quantised checkpoint leave its base as it is.</summary>
    private static LoraConfig? Frozen(HfConfig config, LoraConfig? lora) => lora is { QuantizeBase: false } && BnbConfig.Of(config) is { } format
        ? lora with { QuantizeBase = true, QuantType = format.Type, DoubleQuant = format.DoubleQuant } : lora;

    /// <summary>The weight names of the family that a <c>config.json</c> describes.</summary>
    /// <param name="config">The file.</param>
    public static WeightMap Weights(HfConfig config) => Family(config).Weights(Shape(config));

    /// <summary>The numbers in a <c>config.json</c>; every field must be used by the family or be on the list of those that say nothing.</summary>
    /// <param name="config">The file.</param>
    public static DecoderConfig Shape(HfConfig config)
    {
        DecoderConfig shape = Family(config).Shape(config).Checked();
        RequireRead(config, []);
        return shape;
    }

    /// <summary>Refuses a file with fields that nobody asked for.</summary>
    /// <param name="config">The file.</param>
    /// <param name="alsoIgnored">Fields without effect besides those of every file.</param>
    internal static void RequireRead(HfConfig config, IReadOnlyList<string> alsoIgnored)
    {
        string[] unread =
            [.. config.UnreadKeys.Where(k => !Ignored.Contains(k) && !alsoIgnored.Contains(k, StringComparer.Ordinal)).Order(StringComparer.Ordinal)];
        if (unread.Length > 0)
        {
            throw new CheckpointException(
                $"{config.File}: {string.Join(", ", unread)}: not understood for model_type {config.ModelType}, and ignoring " +
                "it could change what the model computes. Remove the field if you know that it does not matter.");
        }
    }

    private static ModelFamily Family(HfConfig config) => Families.TryGetValue(config.ModelType, out ModelFamily? family)
        ? family
        : throw new CheckpointException(
            $"{config.File}: model_type {config.ModelType} is not a family this version knows. It knows: " +
            $"{string.Join(", ", Families.Keys.Order(StringComparer.Ordinal))}.");
}
