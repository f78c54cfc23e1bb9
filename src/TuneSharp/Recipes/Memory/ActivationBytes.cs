using TuneSharp.Modules;

namespace TuneSharp.Recipes;

/// <summary>What forward passes keep for backward passes, counted in elements for each token of the modules' own code.</summary>
internal static class ActivationBytes
{
    /// <summary>All layers together, until their backward passes begin.</summary>
    public static long Kept(MemoryInputs i)
    {
        DecoderConfig s = i.Shape;
        if (!i.Checkpointing)
        {
            return s.NumLayers * i.Tokens * LayerElements(i) * i.Element;
        }

        // Offloaded inputs leave two on the device: the one that is copied and the one that is used.
        long inputs = i.Offloading ? Math.Min(2, s.NumLayers) : s.NumLayers;
        return inputs * i.Tokens * s.EmbedDim * i.Element;
    }

    /// <summary>What a layer's backward pass holds besides: with checkpointing all that the layer keeps, and the gradients on their way.</summary>
    public static long OneLayer(MemoryInputs i)
    {
        DecoderConfig s = i.Shape;

        // Gradients of gate and up, of their product, of the layer's input and output.
        long onTheWay = (3 * s.HiddenDim) + (3 * s.EmbedDim);
        long again = i.Checkpointing ? LayerElements(i) : 0;
        return i.Tokens * (again + onTheWay) * i.Element;
    }

    /// <summary>The loss: dX of all tokens, and one piece of logits, in fp32 and in the weights' type where no kernel joins the two.</summary>
    public static long Loss(MemoryInputs i)
    {
        const int Chunks = 8; // the loss's default
        long piece = (i.Tokens + Chunks - 1) / Chunks;
        long logit = i.IsGpu ? 8 + (2 * i.Element) : i.Element;
        return (i.Tokens * i.Shape.EmbedDim * i.Element * 2) + (piece * i.Shape.VocabSize * logit);
    }

    /// <summary>
    /// Input of both norms and their results (4 D), q, k, v and the attention's result, gate, up and their product, and r numbers for
    /// each adapter.
    /// </summary>
    private static long LayerElements(MemoryInputs i)
    {
        DecoderConfig s = i.Shape;
        return (4 * s.EmbedDim) + (2 * s.NumHeads * s.HeadDim) + (2 * s.NumKvHeads * s.HeadDim) + (3 * s.HiddenDim) + i.RankSum;
    }
}
