namespace TuneSharp.Data;

/// <summary>Samples as tensors, on the CPU until moved. Whoever takes it disposes it.</summary>
public sealed class Batch : IDisposable
{
    /// <summary>Token ids, [B, T], int64.</summary>
    public required Tensor Tokens { get; init; }

    /// <summary>Targets, [B, T], int64, shifted already; −100 where nothing is learned.</summary>
    public required Tensor Labels { get; init; }

    /// <summary>Positions, [B, T], int64; null for 0 to T−1.</summary>
    public Tensor? InputPos { get; init; }

    /// <summary>Lengths of the packed samples of each row, which add up to T; null when unpacked.</summary>
    public IReadOnlyList<int[]>? SeqLens { get; init; }

    /// <summary>How many labels are learned: not −100.</summary>
    public required long NumTargets { get; init; }

    /// <summary>How many tokens are real: neither padding nor filler.</summary>
    public required long NumTokens { get; init; }

    /// <summary>The largest token id in it: must be below the size of the model's vocabulary.</summary>
    public int MaxTokenId { get; init; }

    /// <summary>The same batch on another device; this one is disposed if it had to be copied.</summary>
    /// <param name="device">Where to.</param>
    public Batch To(Device device)
    {
        if (Tokens.device_type == device.type)
        {
            return this;
        }

        Batch moved = new()
        {
            Tokens = Tokens.to(device),
            Labels = Labels.to(device),
            InputPos = InputPos?.to(device),
            SeqLens = SeqLens,
            NumTargets = NumTargets,
            NumTokens = NumTokens,
            MaxTokenId = MaxTokenId,
        };
        Dispose();
        return moved;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Tokens.Dispose();
        Labels.Dispose();
        InputPos?.Dispose();
    }
}
