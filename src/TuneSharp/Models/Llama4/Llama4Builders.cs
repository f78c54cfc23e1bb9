using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Moe;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Llama4;

/// <summary>The language models of Llama 4 Scout and Maverick: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Mirrors <c>torchtune/models/llama4/_model_builders.py</c>, without the image encoder.</remarks>
public static class Llama4Builders
{
    private static readonly DecoderConfig ShapeScout = new()
    {
        VocabSize = 202_048, NumLayers = 48, NumHeads = 40, NumKvHeads = 8, EmbedDim = 5120, HiddenDim = 16_384, HeadDim = 128,
        MaxSeqLen = 10_485_760, NormEps = 1e-5, RopeBase = 500_000, FilePrefix = "language_model.",
        RopeScaling = new("llama3", Factor: 16, LowFreqFactor: 1, HighFreqFactor: 1, OriginalMaxSeqLen: 8192),
        NormAfterRope = true, AttnChunk = 8192, Temperature = new(0.1, 8192),
        NoRopeLayers = [.. Enumerable.Range(0, 48).Where(i => i % 4 == 3)],
        Moe = new() { NumExperts = 16, TopK = 1, HiddenDim = 8192, SharedHiddenDim = 8192, Routing = Routing.SigmoidOnInput },
    };

    private static readonly DecoderConfig ShapeMaverick = ShapeScout with
    {
        MaxSeqLen = 1_048_576, RopeScaling = null, NormAfterRope = false,
        Moe = ShapeScout.Moe! with { NumExperts = 128, DenseLayers = [.. Enumerable.Range(0, 48).Where(i => i % 2 == 0)] },
    };

    /// <summary>Llama 4 Scout.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama4.llama4_scout_17b_16e")]
    public static TransformerDecoder Llama4Scout17B_16E([Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeScout, null, Llama4Decoder.Build, weights);

    /// <summary>Llama 4 Scout with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="decoderTrainable">Must be <c>lora</c>; for all weights choose the plain builder and a full recipe.</param>
    /// <param name="encoderTrainable">Of the image encoder, which is not built: <c>full</c>, <c>lora</c> and <c>frozen</c> are the same here.</param>
    /// <param name="fusionTrainable">Of the layer between both, which is not built: <c>full</c>, <c>lora</c> and <c>frozen</c> are the same here.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama4.lora_llama4_scout_17b_16e")]
    public static TransformerDecoder LoraLlama4Scout17B_16E(
        LoraConfig lora, string decoderTrainable = "lora", string encoderTrainable = "frozen", string fusionTrainable = "frozen",
        [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeScout, TextOnly(lora, decoderTrainable, encoderTrainable, fusionTrainable), Llama4Decoder.Build, weights);

    /// <summary>Llama 4 Scout with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="decoderTrainable">Must be <c>lora</c>; for all weights choose the plain builder and a full recipe.</param>
    /// <param name="encoderTrainable">Of the image encoder, which is not built: <c>full</c>, <c>lora</c> and <c>frozen</c> are the same here.</param>
    /// <param name="fusionTrainable">Of the layer between both, which is not built: <c>full</c>, <c>lora</c> and <c>frozen</c> are the same here.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama4.qlora_llama4_scout_17b_16e")]
    public static TransformerDecoder QloraLlama4Scout17B_16E(
        LoraConfig lora, string decoderTrainable = "lora", string encoderTrainable = "frozen", string fusionTrainable = "frozen",
        [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeScout, TextOnly(lora, decoderTrainable, encoderTrainable, fusionTrainable) with { QuantizeBase = true }, Llama4Decoder.Build, weights);

    /// <summary>Llama 4 Maverick.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama4.llama4_maverick_17b_128e")]
    public static TransformerDecoder Llama4Maverick17B_128E([Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeMaverick, null, Llama4Decoder.Build, weights);

    /// <summary>Llama 4 Maverick with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="decoderTrainable">Must be <c>lora</c>; for all weights choose the plain builder and a full recipe.</param>
    /// <param name="encoderTrainable">Of the image encoder, which is not built: <c>full</c>, <c>lora</c> and <c>frozen</c> are the same here.</param>
    /// <param name="fusionTrainable">Of the layer between both, which is not built: <c>full</c>, <c>lora</c> and <c>frozen</c> are the same here.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama4.lora_llama4_maverick_17b_128e")]
    public static TransformerDecoder LoraLlama4Maverick17B_128E(
        LoraConfig lora, string decoderTrainable = "lora", string encoderTrainable = "frozen", string fusionTrainable = "frozen",
        [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeMaverick, TextOnly(lora, decoderTrainable, encoderTrainable, fusionTrainable), Llama4Decoder.Build, weights);

    /// <summary>Llama 4 Maverick with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="decoderTrainable">Must be <c>lora</c>; for all weights choose the plain builder and a full recipe.</param>
    /// <param name="encoderTrainable">Of the image encoder, which is not built: <c>full</c>, <c>lora</c> and <c>frozen</c> are the same here.</param>
    /// <param name="fusionTrainable">Of the layer between both, which is not built: <c>full</c>, <c>lora</c> and <c>frozen</c> are the same here.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.llama4.qlora_llama4_maverick_17b_128e")]
    public static TransformerDecoder QloraLlama4Maverick17B_128E(
        LoraConfig lora, string decoderTrainable = "lora", string encoderTrainable = "frozen", string fusionTrainable = "frozen",
        [Runtime] string? weights = null) =>
        ModelLoader.Build(ShapeMaverick, TextOnly(lora, decoderTrainable, encoderTrainable, fusionTrainable) with { QuantizeBase = true }, Llama4Decoder.Build, weights);

    private static LoraConfig TextOnly(LoraConfig lora, string decoder, string encoder, string fusion)
    {
        foreach ((string key, string value) in ((string, string)[])[("decoder_trainable", decoder), ("encoder_trainable", encoder), ("fusion_trainable", fusion)])
        {
            if (value is not ("full" or "lora" or "frozen"))
            {
                throw new ArgumentException($"{key} is {value}; it must be full, lora or frozen.");
            }
        }

        return decoder == "lora" ? lora : throw new ArgumentException(
            $"decoder_trainable is {decoder}, and a lora_ builder trains adapters. Set it to lora, or choose the plain builder and full_finetune_single_device.");
    }
}
