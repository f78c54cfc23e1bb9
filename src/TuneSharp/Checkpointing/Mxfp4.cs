namespace TuneSharp.Checkpointing;

/// <summary>Weights in 4 bits with a scale for each 32, as gpt-oss's files hold its experts: <c>NAME_blocks</c> and <c>NAME_scales</c>.</summary>
/// <remarks>
/// OCP Microscaling Formats 1.0: an element has 1 sign, 2 exponent and 1 fraction bit, a scale is a power of two. Of each byte the low half
/// comes first. Blocks are [E, O, I/32, 16] and scales [E, O, I/32]; the weight is [E, I, O] in bf16, which holds every product exactly.
/// </remarks>
internal static class Mxfp4
{
    private const string Blocks = "_blocks";
    private const string Scales = "_scales";
    private const int ScaleBias = 127;
    private static readonly float[] Values = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6];

    /// <summary>The weights that a file holds so, by their own names.</summary>
    /// <exception cref="CheckpointException">Blocks and scales do not belong together.</exception>
    public static IReadOnlyDictionary<string, TensorInfo> Find(IReadOnlyDictionary<string, TensorInfo> stored)
    {
        Dictionary<string, TensorInfo> found = new(StringComparer.Ordinal);
        foreach ((string name, TensorInfo blocks) in stored)
        {
            if (!name.EndsWith(Blocks, StringComparison.Ordinal) || blocks.Dtype != ScalarType.Byte)
            {
                continue;
            }

            string weight = name[..^Blocks.Length];
            if (!stored.TryGetValue(weight + Scales, out TensorInfo? scales) || blocks.Shape.Length < 3 || blocks.Shape[^1] != 16
                || !scales.Shape.AsSpan().SequenceEqual(blocks.Shape.AsSpan(..^1)))
            {
                throw new CheckpointException(
                    $"{name} is {blocks.ShapeText}, and {weight + Scales} is {scales?.ShapeText ?? "missing"}: MXFP4 needs [..., I/32, 16] and [..., I/32]. " +
                    "Download the checkpoint again.");
            }

            long[] shape = blocks.Shape;
            found[weight] = new TensorInfo(weight, [.. shape[..^3], shape[^2] * 32, shape[^3]], ScalarType.BFloat16);
        }

        return found;
    }

    /// <summary>True for a name that is part of such a weight.</summary>
    public static bool IsPart(string name, IReadOnlyDictionary<string, TensorInfo> weights) =>
        (name.EndsWith(Blocks, StringComparison.Ordinal) && weights.ContainsKey(name[..^Blocks.Length]))
        || (name.EndsWith(Scales, StringComparison.Ordinal) && weights.ContainsKey(name[..^Scales.Length]));

    /// <summary>The weight as numbers.</summary>
    /// <param name="weight">Its name and shape.</param>
    /// <param name="stored">Reads its parts.</param>
    public static Tensor Read(TensorInfo weight, Func<string, Tensor> stored)
    {
        using IDisposable off = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Tensor values = tensor(Values);
        Tensor powers = tensor([.. Enumerable.Range(0, 256).Select(i => MathF.ScaleB(1, i - ScaleBias))]);
        (long inner, long outer) = (weight.Shape[^2], weight.Shape[^1]);
        Tensor blocks_EOB = stored(weight.Name + Blocks).reshape(-1, outer, inner / 2);
        Tensor scales_EOG = stored(weight.Name + Scales).reshape(-1, outer, inner / 32);
        Tensor result_EIO = empty([blocks_EOB.shape[0], inner, outer], ScalarType.BFloat16);
        for (long e = 0; e < result_EIO.shape[0]; e++)
        {
            using DisposeScope expert = NewDisposeScope(); // an expert at a time: indices take sixteen times the weight's own bytes
            Tensor bytes = blocks_EOB[e].to(ScalarType.Int32);
            Tensor halves = stack([bytes.bitwise_and(15), bytes.bitwise_right_shift(4)], -1).flatten();
            Tensor powers_G = powers.index_select(0, scales_EOG[e].to(ScalarType.Int32).flatten());
            Tensor w_OI = values.index_select(0, halves).reshape(-1, 32).mul_(powers_G.unsqueeze(1)).reshape(outer, inner);
            result_EIO[e].copy_(w_OI.t());
        }

        return result_EIO.reshape(weight.Shape).MoveToOuterDisposeScope();
    }
}
