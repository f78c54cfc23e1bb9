namespace TuneSharp.Modules;

/// <summary>What of a layer is computed a second time in the backward pass instead of being kept.</summary>
public enum RecomputedPart
{
    /// <summary>Nothing: fastest, most memory.</summary>
    None,

    /// <summary>The attention with its norm.</summary>
    Attn,

    /// <summary>The attention with its norm, and the feed-forward block with its norm: each keeps its input.</summary>
    AttnMlp,

    /// <summary>The whole layer: only its input is kept.</summary>
    Full,
}

/// <summary>How a model trades time for the memory of its activations. None of it changes a result.</summary>
/// <remarks>Papers: checkpointing https://arxiv.org/abs/1604.06174, tiles https://arxiv.org/abs/2506.13996.</remarks>
public sealed record ActivationPolicy
{
    /// <summary>What is computed again. Default: nothing.</summary>
    public RecomputedPart Recompute { get; init; }

    /// <summary>Only in every n-th layer. Default: 1, in all.</summary>
    public int EveryNth { get; init; } = 1;

    /// <summary>Inputs of layers that are computed again wait in pinned host memory; on a GPU only. Default: false.</summary>
    public bool Offload { get; init; }

    /// <summary>Tokens that a feed-forward block takes at a time, each tile computed again in its backward pass; 0 for all. Default: 0.</summary>
    public long TileTokens { get; init; }

    /// <summary>Computes whole layers again.</summary>
    public static ActivationPolicy Full { get; } = new() { Recompute = RecomputedPart.Full };

    /// <summary>What is computed again in one layer.</summary>
    /// <param name="layer">Its number, from 0.</param>
    public RecomputedPart In(int layer) => (layer + 1) % EveryNth == 0 ? Recompute : RecomputedPart.None;
}
