namespace TuneSharp.Modules;

/// <summary>What the attention of every layer needs besides the hidden states, made once per forward pass.</summary>
/// <param name="Angles">Rotary cosines and sines, [T or B×T, 1, H/2, 2].</param>
/// <param name="Mask">[B, 1, T, S], true where a query may look; null for plain causal attention.</param>
/// <param name="SeqLens">Lengths of the samples packed into each row; null when rows are one sample.</param>
/// <param name="Cache">Keys and values of earlier tokens; null when there are none.</param>
public sealed record AttentionContext(
    Tensor Angles, Tensor? Mask = null, IReadOnlyList<int[]>? SeqLens = null, KvCache? Cache = null);
