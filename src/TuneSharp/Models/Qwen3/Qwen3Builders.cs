using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Qwen3;

/// <summary>Qwen 3 from 0.6B to 32B: plain, with LoRA adapters, and with LoRA over NF4 weights (QLoRA).</summary>
/// <remarks>Paper: https://arxiv.org/abs/2505.09388. Mirrors <c>torchtune/models/qwen3/_model_builders.py</c>.</remarks>
public static class Qwen3Builders
{
    private static readonly DecoderConfig Shape0_6B = new()
    {
        VocabSize = 151_936, NumLayers = 28, NumHeads = 16, NumKvHeads = 8, HeadDim = 128,
        EmbedDim = 1024, HiddenDim = 3072, MaxSeqLen = 40_960, NormEps = 1e-6, RopeBase = 1_000_000,
        TieWordEmbeddings = true,
    };

    private static readonly DecoderConfig Shape1_7B = Shape0_6B with
    {
        EmbedDim = 2048, HiddenDim = 6144,
    };

    private static readonly DecoderConfig Shape4B = Shape0_6B with
    {
        NumLayers = 36, NumHeads = 32, EmbedDim = 2560, HiddenDim = 9728,
    };

    private static readonly DecoderConfig Shape8B = Shape4B with
    {
        EmbedDim = 4096, HiddenDim = 12_288, TieWordEmbeddings = false,
    };

    private static readonly DecoderConfig Shape14B = Shape8B with
    {
        NumLayers = 40, NumHeads = 40, EmbedDim = 5120, HiddenDim = 17_408,
    };

    private static readonly DecoderConfig Shape32B = Shape8B with
    {
        NumLayers = 64, NumHeads = 64, EmbedDim = 5120, HiddenDim = 25_600,
    };

    /// <summary>Qwen 3 0.6B base.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qwen3_0_6b_base")]
    public static TransformerDecoder Qwen3_0_6B_Base([Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape0_6B), null, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 0.6B base with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.lora_qwen3_0_6b_base")]
    public static TransformerDecoder LoraQwen3_0_6B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape0_6B), lora, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 0.6B base with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qlora_qwen3_0_6b_base")]
    public static TransformerDecoder QloraQwen3_0_6B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape0_6B), lora with { QuantizeBase = true }, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 0.6B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qwen3_0_6b_instruct")]
    public static TransformerDecoder Qwen3_0_6B_Instruct([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape0_6B, null, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 0.6B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.lora_qwen3_0_6b_instruct")]
    public static TransformerDecoder LoraQwen3_0_6B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape0_6B, lora, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 0.6B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qlora_qwen3_0_6b_instruct")]
    public static TransformerDecoder QloraQwen3_0_6B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape0_6B, lora with { QuantizeBase = true }, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 1.7B base.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qwen3_1_7b_base")]
    public static TransformerDecoder Qwen3_1_7B_Base([Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape1_7B), null, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 1.7B base with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.lora_qwen3_1_7b_base")]
    public static TransformerDecoder LoraQwen3_1_7B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape1_7B), lora, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 1.7B base with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qlora_qwen3_1_7b_base")]
    public static TransformerDecoder QloraQwen3_1_7B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape1_7B), lora with { QuantizeBase = true }, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 1.7B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qwen3_1_7b_instruct")]
    public static TransformerDecoder Qwen3_1_7B_Instruct([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_7B, null, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 1.7B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.lora_qwen3_1_7b_instruct")]
    public static TransformerDecoder LoraQwen3_1_7B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_7B, lora, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 1.7B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qlora_qwen3_1_7b_instruct")]
    public static TransformerDecoder QloraQwen3_1_7B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape1_7B, lora with { QuantizeBase = true }, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 4B base.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qwen3_4b_base")]
    public static TransformerDecoder Qwen3_4B_Base([Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape4B), null, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 4B base with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.lora_qwen3_4b_base")]
    public static TransformerDecoder LoraQwen3_4B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape4B), lora, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 4B base with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qlora_qwen3_4b_base")]
    public static TransformerDecoder QloraQwen3_4B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape4B), lora with { QuantizeBase = true }, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 4B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qwen3_4b_instruct")]
    public static TransformerDecoder Qwen3_4B_Instruct([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape4B, null, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 4B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.lora_qwen3_4b_instruct")]
    public static TransformerDecoder LoraQwen3_4B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape4B, lora, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 4B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qlora_qwen3_4b_instruct")]
    public static TransformerDecoder QloraQwen3_4B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape4B, lora with { QuantizeBase = true }, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 8B base.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qwen3_8b_base")]
    public static TransformerDecoder Qwen3_8B_Base([Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape8B), null, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 8B base with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.lora_qwen3_8b_base")]
    public static TransformerDecoder LoraQwen3_8B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape8B), lora, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 8B base with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qlora_qwen3_8b_base")]
    public static TransformerDecoder QloraQwen3_8B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape8B), lora with { QuantizeBase = true }, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 8B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qwen3_8b_instruct")]
    public static TransformerDecoder Qwen3_8B_Instruct([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8B, null, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 8B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.lora_qwen3_8b_instruct")]
    public static TransformerDecoder LoraQwen3_8B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8B, lora, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 8B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qlora_qwen3_8b_instruct")]
    public static TransformerDecoder QloraQwen3_8B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape8B, lora with { QuantizeBase = true }, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 14B base.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qwen3_14b_base")]
    public static TransformerDecoder Qwen3_14B_Base([Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape14B), null, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 14B base with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.lora_qwen3_14b_base")]
    public static TransformerDecoder LoraQwen3_14B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape14B), lora, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 14B base with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qlora_qwen3_14b_base")]
    public static TransformerDecoder QloraQwen3_14B_Base(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Base(Shape14B), lora with { QuantizeBase = true }, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 14B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qwen3_14b_instruct")]
    public static TransformerDecoder Qwen3_14B_Instruct([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape14B, null, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 14B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.lora_qwen3_14b_instruct")]
    public static TransformerDecoder LoraQwen3_14B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape14B, lora, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 14B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qlora_qwen3_14b_instruct")]
    public static TransformerDecoder QloraQwen3_14B_Instruct(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape14B, lora with { QuantizeBase = true }, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 32B.</summary>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qwen3_32b")]
    public static TransformerDecoder Qwen3_32B([Runtime] string? weights = null) =>
        ModelLoader.Build(Shape32B, null, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 32B with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.lora_qwen3_32b")]
    public static TransformerDecoder LoraQwen3_32B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape32B, lora, Qwen3Decoder.Build, weights);

    /// <summary>Qwen 3 32B with LoRA adapters over 4-bit weights.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="weights">A Hugging Face folder to load, or null for random weights.</param>
    [Component("torchtune.models.qwen3.qlora_qwen3_32b")]
    public static TransformerDecoder QloraQwen3_32B(LoraConfig lora, [Runtime] string? weights = null) =>
        ModelLoader.Build(Shape32B, lora with { QuantizeBase = true }, Qwen3Decoder.Build, weights);

    /// <summary>The base models' length.</summary>
    private static DecoderConfig Base(DecoderConfig shape) => shape with { MaxSeqLen = 32_768 };

    /// <summary>A Qwen 3 decoder of any size.</summary>
    /// <param name="vocabSize">Rows of the embedding table.</param>
    /// <param name="numLayers">Layers.</param>
    /// <param name="numHeads">Query heads.</param>
    /// <param name="numKvHeads">Key/value heads.</param>
    /// <param name="headDim">Width of a head.</param>
    /// <param name="embedDim">Width.</param>
    /// <param name="intermediateDim">Width inside the feed-forward blocks.</param>
    /// <param name="maxSeqLen">Longest sequence, in tokens.</param>
    /// <param name="attnDropout">Dropout rate on attention weights.</param>
    /// <param name="normEps">Added to the mean square in norms.</param>
    /// <param name="ropeBase">Base of the rotary frequencies.</param>
    /// <param name="tieWordEmbeddings">The head is the embedding table.</param>
    [Component("torchtune.models.qwen3.qwen3")]
    public static TransformerDecoder Qwen3(
        long vocabSize, int numLayers, int numHeads, int numKvHeads, long headDim, long embedDim, long intermediateDim, long maxSeqLen,
        double attnDropout = 0, double normEps = 1e-6, double ropeBase = 1_000_000, bool tieWordEmbeddings = false) =>
        Qwen3Decoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, HeadDim = headDim, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
                TieWordEmbeddings = tieWordEmbeddings,
            },
            null);

    /// <summary>A Qwen 3 decoder of any size, with LoRA adapters.</summary>
    /// <param name="lora">Where adapters sit and how large they are.</param>
    /// <param name="vocabSize">Rows of the embedding table.</param>
    /// <param name="numLayers">Layers.</param>
    /// <param name="numHeads">Query heads.</param>
    /// <param name="numKvHeads">Key/value heads.</param>
    /// <param name="headDim">Width of a head.</param>
    /// <param name="embedDim">Width.</param>
    /// <param name="intermediateDim">Width inside the feed-forward blocks.</param>
    /// <param name="maxSeqLen">Longest sequence, in tokens.</param>
    /// <param name="attnDropout">Dropout rate on attention weights.</param>
    /// <param name="normEps">Added to the mean square in norms.</param>
    /// <param name="ropeBase">Base of the rotary frequencies.</param>
    /// <param name="tieWordEmbeddings">The head is the embedding table.</param>
    [Component("torchtune.models.qwen3.lora_qwen3")]
    public static TransformerDecoder LoraQwen3(
        LoraConfig lora, long vocabSize, int numLayers, int numHeads, int numKvHeads, long headDim, long embedDim, long intermediateDim,
        long maxSeqLen, double attnDropout = 0, double normEps = 1e-6, double ropeBase = 1_000_000, bool tieWordEmbeddings = false) =>
        Qwen3Decoder.Build(
            new DecoderConfig
            {
                VocabSize = vocabSize, NumLayers = numLayers, NumHeads = numHeads, NumKvHeads = numKvHeads, HeadDim = headDim, EmbedDim = embedDim,
                HiddenDim = intermediateDim, MaxSeqLen = maxSeqLen, AttnDropout = attnDropout, NormEps = normEps, RopeBase = ropeBase,
                TieWordEmbeddings = tieWordEmbeddings,
            },
            lora);
}
