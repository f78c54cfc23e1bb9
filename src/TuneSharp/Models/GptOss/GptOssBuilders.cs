using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Moe;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.GptOss;

/// <summary>gpt-oss at 20B and 120B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Releases: https://huggingface.co/openai/gpt-oss-20b, https://huggingface.co/openai/gpt-oss-120b.</remarks>
public static class GptOssBuilders
{
    private static readonly DecoderConfig Shape20B = new()
    {
        VocabSize = 201_088, NumLayers = 24, NumHeads = 64, NumKvHeads = 8, EmbedDim = 2880, HiddenDim = 2880, HeadDim = 64,
        MaxSeqLen = 131_072, NormEps = 1e-5, RopeBase = 150_000, AttentionBias = true, SlidingWindow = 128,
        SlidingLayers = [.. Enumerable.Range(0, 24).Where(i => i % 2 == 0)],
        RopeScaling = new("yarn", Factor: 32, OriginalMaxSeqLen: 4096) { BetaFast = 32, BetaSlow = 1, Truncate = false },
        Moe = new() { NumExperts = 32, TopK = 4, HiddenDim = 2880, Routing = Routing.TopThenSoftmax, RouterBias = true },
    };

    private static readonly DecoderConfig Shape120B = Shape20B with
    {
        NumLayers = 36, SlidingLayers = [.. Enumerable.Range(0, 36).Where(i => i % 2 == 0)], Moe = Shape20B.Moe! with { NumExperts = 128 },
    };

    /// <summary>gpt-oss 20B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt_oss.gpt_oss_20b")]
    public static TransformerDecoder GptOss20B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape20B, null, GptOssDecoder.Build, weights);

    /// <summary>gpt-oss 20B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt_oss.lora_gpt_oss_20b")]
    public static TransformerDecoder LoraGptOss20B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape20B, lora, GptOssDecoder.Build, weights);

    /// <summary>gpt-oss 20B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt_oss.qlora_gpt_oss_20b")]
    public static TransformerDecoder QloraGptOss20B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape20B, lora with { QuantizeBase = true }, GptOssDecoder.Build, weights);

    /// <summary>gpt-oss 120B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt_oss.gpt_oss_120b")]
    public static TransformerDecoder GptOss120B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape120B, null, GptOssDecoder.Build, weights);

    /// <summary>gpt-oss 120B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt_oss.lora_gpt_oss_120b")]
    public static TransformerDecoder LoraGptOss120B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape120B, lora, GptOssDecoder.Build, weights);

    /// <summary>gpt-oss 120B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt_oss.qlora_gpt_oss_120b")]
    public static TransformerDecoder QloraGptOss120B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape120B, lora with { QuantizeBase = true }, GptOssDecoder.Build, weights);
}
