using System.Text.Json.Nodes;

namespace TuneSharp.Data;

/// <summary>Samples as tensors, on the CPU until moved. Whoever takes it disposes it.</summary>
public sealed class Batch : IDisposable
{
    /// <summary>Token ids, [B, T], int64. Preference batches have 2B rows: the preferred answers, then the others.</summary>
    public required Tensor Tokens { get; init; }

    /// <summary>
    /// Targets, [B, T], int64, shifted already; −100 where nothing is learned. In a preference batch they are not shifted
    /// (<see cref="LabelsAreShifted"/>).
    /// </summary>
    public required Tensor Labels { get; init; }

    /// <summary>False in a preference batch, whose labels stand at the tokens that they repeat, as in torchtune.</summary>
    public bool LabelsAreShifted { get; init; } = true;

    /// <summary>Positions, [B, T], int64; null for 0 to T−1.</summary>
    public Tensor? InputPos { get; init; }

    /// <summary>Lengths of the packed samples of each row, which add up to T; null when unpacked.</summary>
    public IReadOnlyList<int[]>? SeqLens { get; init; }

    /// <summary>
    /// Where the packed samples begin and end in the batch laid out as one row of B·T tokens: [samples + 1], int32, from 0 to B·T,
    /// made once for the batch. Null when unpacked.
    /// </summary>
    public Tensor? CuSeqLens { get; init; }

    /// <summary>Length of the longest packed sample; 0 when unpacked.</summary>
    public int MaxSampleLength { get; init; }

    /// <summary>How many labels are learned: not −100.</summary>
    public required long NumTargets { get; init; }

    /// <summary>How many tokens are real: neither padding nor filler.</summary>
    public required long NumTokens { get; init; }

    /// <summary>Tokens of each row without the padding after them; null when packed.</summary>
    public IReadOnlyList<int>? RowLengths { get; init; }

    /// <summary>The largest label.</summary>
    public int MaxLabel { get; init; }

    /// <summary>
    /// Lengths as a model takes them whose tokens see later ones: padding is a sample by itself, which no token of the text sees.
    /// </summary>
    public IReadOnlyList<int[]>? SeqLensWithPadding => SeqLens ?? RowLengths?.Select(n => Tokens.shape[1] == n ? (int[])[n] : [n, (int)Tokens.shape[1] - n]).ToList();

    /// <summary>The largest token id in it: must be below the size of the model's vocabulary.</summary>
    public int MaxTokenId { get; init; }

    /// <summary>Where a stream goes on after this batch; null for data sets with a length.</summary>
    public JsonObject? StreamState { get; internal set; }

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
            LabelsAreShifted = LabelsAreShifted,
            InputPos = InputPos?.to(device),
            SeqLens = SeqLens,
            CuSeqLens = CuSeqLens?.to(device),
            MaxSampleLength = MaxSampleLength,
            NumTargets = NumTargets,
            NumTokens = NumTokens,
            MaxTokenId = MaxTokenId,
            RowLengths = RowLengths,
            MaxLabel = MaxLabel,
            StreamState = StreamState,
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
        CuSeqLens?.Dispose();
    }
}
