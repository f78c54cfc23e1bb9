using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Qwen3;

/// <summary>Qwen 3: Llama's structure with a norm on each query and key head.</summary>
/// <remarks>Paper: https://arxiv.org/abs/2505.09388.</remarks>
internal static class Qwen3Decoder
{
    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora)
    {
        RmsNorm HeadNorm() => new(shape.HeadDim, shape.NormEps);
        return DecoderParts.Decoder(shape, lora, Map(shape), (i, kind, linear) => new(
            kind,
            DecoderParts.Attention(i, shape, linear, HeadNorm(), HeadNorm()),
            DecoderParts.FeedForward(shape, linear),
            saNorm: new RmsNorm(shape.EmbedDim, shape.NormEps),
            mlpNorm: new RmsNorm(shape.EmbedDim, shape.NormEps)));
    }

    /// <summary>Hugging Face's weight names, and ours.</summary>
    public static WeightMap Map(DecoderConfig s) => new(
        [.. HfNames.Ends(s), .. HfNames.Attention(s), .. HfNames.HeadNorms(s), .. HfNames.FeedForward(), .. HfNames.PreNorms()]);

    /// <summary>Reads a <c>config.json</c>. Windows are off unless <c>use_sliding_window</c>.</summary>
    public static DecoderConfig Shape(HfConfig c)
    {
        DecoderConfig s = HfDecoder.Read(c);
        bool on = c.Flag("use_sliding_window", false);
        long? window = HfDecoder.Window(c, absent: 4096);
        int first = c.Int("max_window_layers", 28);
        return s with
        {
            HeadDim = c.Int("head_dim", 128),
            SlidingWindow = on ? window : null,
            SlidingLayers = HfDecoder.SlidingLayers(c) ?? [.. Enumerable.Range(0, s.NumLayers).Where(i => i >= first)],
        };
    }
}
