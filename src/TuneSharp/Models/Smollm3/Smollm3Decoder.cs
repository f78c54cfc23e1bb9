using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models.Smollm3;

/// <summary>SmolLM3: Llama's structure, where each fourth layer has no rotary positions (NoPE).</summary>
/// <remarks>Description: https://huggingface.co/blog/smollm3. NoPE: https://arxiv.org/abs/2501.18795.</remarks>
internal static class Smollm3Decoder
{
    private const int Interval = 4; // layers from one without positions to the next

    /// <summary>Builds the model under the current <see cref="BuildScope"/>.</summary>
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora) =>
        DecoderParts.Decoder(shape, lora, Map(shape), (i, kind, linear) => new(
            kind,
            DecoderParts.Attention(i, shape, linear),
            DecoderParts.FeedForward(shape, linear),
            saNorm: new RmsNorm(shape.EmbedDim, shape.NormEps),
            mlpNorm: new RmsNorm(shape.EmbedDim, shape.NormEps)));

    /// <summary>Hugging Face's weight names, and ours.</summary>
    public static WeightMap Map(DecoderConfig s) =>
        new([.. HfNames.Ends(s), .. HfNames.Attention(s), .. HfNames.FeedForward(), .. HfNames.PreNorms()]);

    /// <summary>Layers without rotary positions.</summary>
    public static IReadOnlyList<int> NoRopeLayers(int layers, int interval = Interval) =>
        [.. Enumerable.Range(0, layers).Where(i => (i + 1) % interval == 0)];

    /// <summary>Reads a <c>config.json</c>.</summary>
    public static DecoderConfig Shape(HfConfig c)
    {
        DecoderConfig s = HfDecoder.Read(c, tied: true, theta: 2_000_000);
        IReadOnlyList<int> rope = c.Ints("no_rope_layers"); // 1 where there are positions, whatever the name says
        int interval = c.Int("no_rope_layer_interval", Interval);
        bool on = c.Flag("use_sliding_window", false);
        long? window = HfDecoder.Window(c);
        if (rope.Count > 0 && rope.Count != s.NumLayers)
        {
            throw new CheckpointException($"{c.File}: no_rope_layers has {rope.Count} entries for {s.NumLayers} layers. Each layer needs one.");
        }

        return s with
        {
            MlpBias = c.Flag("mlp_bias", false),
            NoRopeLayers = rope.Count > 0 ? [.. Enumerable.Range(0, rope.Count).Where(i => rope[i] == 0)] : NoRopeLayers(s.NumLayers, interval),
            SlidingWindow = on ? window : null,
            SlidingLayers = HfDecoder.SlidingLayers(c) ?? [],
        };
    }
}
