using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Gpt2;

/// <summary>GPT-2 in its four sizes, and DistilGPT2: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Releases: https://huggingface.co/openai-community/gpt2, https://huggingface.co/distilbert/distilgpt2.</remarks>
public static class Gpt2Builders
{
    private static readonly DecoderConfig Shape124M = new()
    {
        VocabSize = 50_257, NumLayers = 12, NumHeads = 12, NumKvHeads = 12, EmbedDim = 768, HiddenDim = 3072, MaxSeqLen = 1024, NormEps = 1e-5,
        Activation = GateActivation.GeluTanh, AttnDropout = 0.1, ResidDropout = 0.1, EmbedDropout = 0.1, LearnedPositions = true,
        TieWordEmbeddings = true,
    };

    private static readonly DecoderConfig Shape82M = Shape124M with { NumLayers = 6 };

    private static readonly DecoderConfig Shape355M = Shape124M with
    { NumLayers = 24, NumHeads = 16, NumKvHeads = 16, EmbedDim = 1024, HiddenDim = 4096 };

    private static readonly DecoderConfig Shape774M = Shape124M with
    { NumLayers = 36, NumHeads = 20, NumKvHeads = 20, EmbedDim = 1280, HiddenDim = 5120 };

    private static readonly DecoderConfig Shape1_5B = Shape124M with
    { NumLayers = 48, NumHeads = 25, NumKvHeads = 25, EmbedDim = 1600, HiddenDim = 6400 };

    /// <summary>DistilGPT2.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.distilgpt2_82m")]
    public static TransformerDecoder Distilgpt2_82M([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape82M, null, Gpt2Decoder.Build, weights);

    /// <summary>DistilGPT2 with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.lora_distilgpt2_82m")]
    public static TransformerDecoder LoraDistilgpt2_82M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape82M, lora, Gpt2Decoder.Build, weights);

    /// <summary>DistilGPT2 with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.qlora_distilgpt2_82m")]
    public static TransformerDecoder QloraDistilgpt2_82M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape82M, lora with { QuantizeBase = true }, Gpt2Decoder.Build, weights);

    /// <summary>GPT-2.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.gpt2_124m")]
    public static TransformerDecoder Gpt2_124M([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape124M, null, Gpt2Decoder.Build, weights);

    /// <summary>GPT-2 with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.lora_gpt2_124m")]
    public static TransformerDecoder LoraGpt2_124M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape124M, lora, Gpt2Decoder.Build, weights);

    /// <summary>GPT-2 with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.qlora_gpt2_124m")]
    public static TransformerDecoder QloraGpt2_124M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape124M, lora with { QuantizeBase = true }, Gpt2Decoder.Build, weights);

    /// <summary>GPT-2 medium.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.gpt2_355m")]
    public static TransformerDecoder Gpt2_355M([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape355M, null, Gpt2Decoder.Build, weights);

    /// <summary>GPT-2 medium with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.lora_gpt2_355m")]
    public static TransformerDecoder LoraGpt2_355M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape355M, lora, Gpt2Decoder.Build, weights);

    /// <summary>GPT-2 medium with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.qlora_gpt2_355m")]
    public static TransformerDecoder QloraGpt2_355M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape355M, lora with { QuantizeBase = true }, Gpt2Decoder.Build, weights);

    /// <summary>GPT-2 large.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.gpt2_774m")]
    public static TransformerDecoder Gpt2_774M([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape774M, null, Gpt2Decoder.Build, weights);

    /// <summary>GPT-2 large with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.lora_gpt2_774m")]
    public static TransformerDecoder LoraGpt2_774M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape774M, lora, Gpt2Decoder.Build, weights);

    /// <summary>GPT-2 large with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.qlora_gpt2_774m")]
    public static TransformerDecoder QloraGpt2_774M(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape774M, lora with { QuantizeBase = true }, Gpt2Decoder.Build, weights);

    /// <summary>GPT-2 XL.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.gpt2_1_5b")]
    public static TransformerDecoder Gpt2_1_5B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_5B, null, Gpt2Decoder.Build, weights);

    /// <summary>GPT-2 XL with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.lora_gpt2_1_5b")]
    public static TransformerDecoder LoraGpt2_1_5B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_5B, lora, Gpt2Decoder.Build, weights);

    /// <summary>GPT-2 XL with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("tunesharp.models.gpt2.qlora_gpt2_1_5b")]
    public static TransformerDecoder QloraGpt2_1_5B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_5B, lora with { QuantizeBase = true }, Gpt2Decoder.Build, weights);
}
