using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Qwen2;

/// <summary>Qwen 2 and 2.5: Llama's structure with biases on queries, keys and values.</summary>
/// <remarks>Papers: https://arxiv.org/abs/2407.10671 (Qwen 2), https://arxiv.org/abs/2412.15115 (Qwen 2.5).</remarks>
internal static class Qwen2Decoder
{
    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora)
    {
        DecoderConfig s = shape with { AttentionBias = true, AttentionOutputBias = false };
        return DecoderParts.Decoder(s, lora, Map(s), (i, kind, linear) => new(
            kind,
            DecoderParts.Attention(i, s, linear),
            DecoderParts.FeedForward(s, linear),
            saNorm: new RmsNorm(s.EmbedDim, s.NormEps),
            mlpNorm: new RmsNorm(s.EmbedDim, s.NormEps)));
    }

    /// <summary>Hugging Face's weight names, and ours.</summary>
    public static WeightMap Map(DecoderConfig s) =>
        new([.. HfNames.Ends(s), .. HfNames.Attention(s), .. HfNames.FeedForward(), .. HfNames.PreNorms()]);

    /// <summary>Reads a <c>config.json</c>.</summary>
    public static DecoderConfig Shape(HfConfig c) => Windows(c, HfDecoder.Read(c));

    /// <summary>Qwen's windows: off unless <c>use_sliding_window</c>; then in the layers that <c>layer_types</c> names, or from <c>max_window_layers</c> on.</summary>
    private static DecoderConfig Windows(HfConfig c, DecoderConfig s)
    {
        bool on = c.Flag("use_sliding_window", false);
        long? window = HfDecoder.Window(c, absent: 4096);
        int first = c.Int("max_window_layers", 28);
        IReadOnlyList<int> layers = HfDecoder.SlidingLayers(c) ?? [.. Enumerable.Range(0, s.NumLayers).Where(i => i >= first)];
        return s with { SlidingWindow = on ? window : null, SlidingLayers = layers };
    }
}
