namespace TuneSharp.Kernels;

/// <summary>What queries see, for attention on a GPU: made once for a batch and shared by its layers.</summary>
/// <param name="Starts">[samples + 1], int32, on the device: first token of each sample, counted over all rows, and the end; null where rows are one sample.</param>
/// <param name="Longest">Tokens of the longest sample.</param>
/// <param name="Window">Keys a query sees, itself included; null for all.</param>
internal sealed record AttentionPlan(Tensor? Starts, long Longest, long? Window)
{
    /// <summary>A plan for rows, with the lengths of the samples packed into them.</summary>
    /// <param name="rows">B.</param>
    /// <param name="length">T.</param>
    /// <param name="seqLens">Lengths of the samples packed into each row, or null when a row is one sample.</param>
    /// <param name="window">Keys a query sees, or null.</param>
    /// <param name="device">A GPU.</param>
    public static AttentionPlan Of(long rows, long length, IReadOnlyList<int[]>? seqLens, long? window, Device device)
    {
        long? reach = window is { } w && w < length ? w : null;
        if (seqLens is null && reach is null)
        {
            return new AttentionPlan(null, length, null);
        }

        List<int> starts = [0];
        foreach (int part in seqLens is null ? Enumerable.Repeat((int)length, (int)rows) : seqLens.SelectMany(row => row))
        {
            starts.Add(starts[^1] + part);
        }

        using Tensor onHost = tensor(starts.ToArray(), ScalarType.Int32);
        long longest = seqLens?.Max(row => row.Max()) ?? length;
        return new AttentionPlan(onHost.to(device), longest, reach is { } r && r < longest ? r : null);
    }

    /// <summary>The same with another handle of <see cref="Starts"/>.</summary>
    public AttentionPlan With(Tensor? starts) => this with { Starts = starts };
}
