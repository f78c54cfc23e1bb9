using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Mistral;

/// <summary>Mistral, Mistral Small and Ministral: pre-norm, shared key heads, SwiGLU, in some releases a sliding window.</summary>
/// <remarks>Paper: https://arxiv.org/abs/2310.06825.</remarks>
internal static class MistralDecoder
{
    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora) => Build(shape, lora, whole: false);

    /// <summary>Builds the model, perhaps out of a checkpoint that also sees.</summary>
    /// <param name="shape">Its numbers.</param>
    /// <param name="lora">Adapters, or null.</param>
    /// <param name="whole">The files hold it inside a larger model.</param>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora, bool whole) =>
        DecoderParts.Decoder(shape, lora, whole ? WholeModel.Inside(Map(shape)) : Map(shape), (i, kind, linear) => new(
            kind,
            DecoderParts.Attention(i, shape, linear),
            DecoderParts.FeedForward(shape, linear),
            saNorm: new RmsNorm(shape.EmbedDim, shape.NormEps),
            mlpNorm: new RmsNorm(shape.EmbedDim, shape.NormEps)));

    /// <summary>Hugging Face's weight names, and ours.</summary>
    public static WeightMap Map(DecoderConfig s) =>
        new([.. HfNames.Ends(s), .. HfNames.Attention(s), .. HfNames.FeedForward(), .. HfNames.PreNorms()]);

    /// <summary>Reads a <c>config.json</c> of model type mistral: the window holds for all layers.</summary>
    public static DecoderConfig Shape(HfConfig c) => HfDecoder.Read(c) with { SlidingWindow = HfDecoder.Window(c, absent: 4096) };

    /// <summary>Reads model type ministral: the file says which layers slide.</summary>
    public static DecoderConfig MinistralShape(HfConfig c) => HfDecoder.Read(c) with
    {
        SlidingWindow = HfDecoder.Window(c, absent: 4096),
        SlidingLayers = HfDecoder.SlidingLayers(c),
    };

    /// <summary>Reads model type ministral3: YaRN, and queries that grow with their position.</summary>
    public static DecoderConfig Ministral3Shape(HfConfig c)
    {
        RopeSettings rope = c.Rope();
        double beta = rope.Number("llama_4_scaling_beta", 0);
        return HfDecoder.Read(c) with
        {
            SlidingWindow = HfDecoder.Window(c),
            Temperature = beta == 0 ? null : new QueryTemperature(beta, rope.Number("original_max_position_embeddings"), Shift: 0),
        };
    }
}
