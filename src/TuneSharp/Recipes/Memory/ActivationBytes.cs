using TuneSharp.Modules;

namespace TuneSharp.Recipes;

/// <summary>What forward passes keep for backward passes, counted in elements for each token of the modules' own code.</summary>
internal static class ActivationBytes
{
    /// <summary>All layers together, until their backward passes begin.</summary>
    public static long Kept(MemoryInputs i)
    {
        DecoderConfig s = i.Shape;

        // Offloaded inputs leave two on the device: the one that is copied and the one that is used.
        long whole = s.NumLayers / i.Activations.EveryNth;
        long inputs = i.Offloading ? Math.Min(2, whole) : whole;
        long others = i.Activations.Recompute switch
        {
            RecomputedPart.Full => 0,
            RecomputedPart.AttnMlp => 2 * s.EmbedDim,
            RecomputedPart.Attn => s.EmbedDim + Mlp(i),
            _ => Attention(i) + Mlp(i),
        };
        long recomputed = i.Activations.Recompute == RecomputedPart.Full ? inputs * s.EmbedDim : whole * others;
        return i.Tokens * (recomputed + ((s.NumLayers - whole) * (Attention(i) + Mlp(i)))) * i.Element;
    }

    /// <summary>What a layer's backward pass holds besides: what it computes again, and the gradients on their way.</summary>
    public static long OneLayer(MemoryInputs i)
    {
        DecoderConfig s = i.Shape;
        long tile = i.Activations.TileTokens > 0 ? Math.Min(i.Tokens, i.Activations.TileTokens) : i.Tokens;

        // Gradients of gate and up and of their product; of the layer's input, middle and output.
        long again = i.Activations.Recompute switch
        {
            RecomputedPart.Full => (i.Tokens * Attention(i)) + (tile * Mlp(i)),
            RecomputedPart.AttnMlp => Math.Max(i.Tokens * Attention(i), tile * Mlp(i)),
            RecomputedPart.Attn => i.Tokens * Attention(i),
            _ => 0,
        };
        return (again + (tile * 3 * s.HiddenDim) + (i.Tokens * 3 * s.EmbedDim)) * i.Element;
    }

    /// <summary>The loss: dX of all tokens, and one piece of logits, in fp32 and in the weights' type where no kernel joins the two.</summary>
    public static long Loss(MemoryInputs i)
    {
        const int Chunks = 8; // the loss's default
        long piece = (i.Tokens + Chunks - 1) / Chunks;
        long logit = i.IsGpu ? 8 + (2 * i.Element) : i.Element;
        return (i.Tokens * i.Shape.EmbedDim * i.Element * 2) + (piece * i.Shape.VocabSize * logit);
    }

    /// <summary>The norm's input and result, q, k, v and the attention's result, and half of the r numbers of each adapter.</summary>
    private static long Attention(MemoryInputs i)
    {
        DecoderConfig s = i.Shape;
        return (2 * s.EmbedDim) + (2 * s.NumHeads * s.HeadDim) + (2 * s.NumKvHeads * s.HeadDim) + (i.RankSum / 2);
    }

    /// <summary>The norm's input and result, gate, up and their product, and half of the r numbers of each adapter.</summary>
    private static long Mlp(MemoryInputs i) => (2 * i.Shape.EmbedDim) + (3 * i.Shape.HiddenDim) + (i.RankSum / 2);
}
