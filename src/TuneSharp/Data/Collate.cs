using System.Reflection;
using System.Runtime.InteropServices;
using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>Samples to batches.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/data/_collate.py</c>.</remarks>
public static class Collate
{
    /// <summary>Pads samples on the right to the longest of them.</summary>
    /// <param name="batch">The samples, at least one.</param>
    /// <param name="paddingIdx">The id that fills tokens up.</param>
    /// <param name="ignoreIdx">The label that the loss skips; −100 in the samples becomes this.</param>
    /// <param name="padToMultipleOf">The length becomes a multiple of it. (torchtune adds a whole multiple even when it is one already.)</param>
    /// <returns>Tokens and labels, [B, T].</returns>
    [Component("torchtune.data.padded_collate_sft")]
    public static Batch PaddedCollateSft(
        IReadOnlyList<Sample> batch, int paddingIdx = 0, int ignoreIdx = Sample.IgnoreIndex, int padToMultipleOf = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(padToMultipleOf, 1);
        RequireSamples(batch);
        return Pad(batch, left: false, paddingIdx, ignoreIdx, padToMultipleOf);
    }

    /// <summary>Stacks packs, which have one length already.</summary>
    /// <param name="batch">The packs, at least one.</param>
    /// <param name="ignoreIdx">The label that the loss skips; −100 in the packs becomes this.</param>
    /// <returns>Tokens, labels and positions, [B, T], and the lengths of the samples in each row.</returns>
    [Component("torchtune.data.padded_collate_packed")]
    public static Batch PaddedCollatePacked(IReadOnlyList<Sample> batch, int ignoreIdx = Sample.IgnoreIndex)
    {
        RequireSamples(batch);
        int length = batch[0].Tokens.Length;
        if (batch.Any(s => s.InputPos is null || s.SeqLens is null || s.Tokens.Length != length))
        {
            throw new DatasetException(
                "padded_collate_packed needs packs of one length. Set packed=True in the data set, or collate_fn to torchtune.data.padded_collate_sft.");
        }

        return new Batch
        {
            Tokens = Stack(batch, length, s => s.Tokens, 0),
            Labels = Stack(batch, length, s => s.Labels, ignoreIdx, from: Sample.IgnoreIndex, to: ignoreIdx),
            InputPos = Stack(batch, length, s => s.InputPos!, 0),
            SeqLens = [.. batch.Select(s => s.SeqLens!)],
            CuSeqLens = Boundaries(batch),
            MaxSampleLength = batch.Max(s => s.SeqLens!.Max()),
            NumTargets = batch.Sum(CountTargets),
            NumTokens = batch.Sum(s => (long)s.Tokens.Length - s.Padding),
            MaxTokenId = batch.Max(MaxId),
        };
    }

    /// <summary>Pads the two answers of each preference sample on the right: the preferred ones first, then the others.</summary>
    /// <param name="batch">The samples, at least one.</param>
    /// <param name="paddingIdx">The id that fills tokens up.</param>
    /// <param name="ignoreIdx">The label that the loss skips; −100 in the samples becomes this.</param>
    /// <returns>Tokens and labels, [2B, T]; the labels are not shifted.</returns>
    [Component("torchtune.data.padded_collate_dpo")]
    public static Batch PaddedCollateDpo(IReadOnlyList<Sample> batch, int paddingIdx = 0, int ignoreIdx = Sample.IgnoreIndex)
    {
        RequireSamples(batch);
        Sample[] rejected = [.. batch.Select(s => s.Rejected ?? throw new DatasetException(
            "padded_collate_dpo needs pairs of answers. Use a preference data set (preference_dataset, stack_exchange_paired_dataset …), or another collate_fn."))];
        return Pad([.. batch, .. rejected], left: false, paddingIdx, ignoreIdx, 1, isShifted: false);
    }

    /// <summary>Pads samples on either side to the longest of them.</summary>
    /// <param name="batch">The samples, at least one.</param>
    /// <param name="padDirection"><c>left</c> or <c>right</c>.</param>
    /// <param name="keysToPad">Of <c>tokens</c> and <c>labels</c>; both, as they must fit each other.</param>
    /// <param name="paddingIdx">The id that fills tokens up; labels are filled with −100.</param>
    /// <returns>Tokens and labels, [B, T].</returns>
    [Component("torchtune.data.padded_collate")]
    public static Batch PaddedCollate(
        IReadOnlyList<Sample> batch, string padDirection = "right", IReadOnlyList<string>? keysToPad = null, int paddingIdx = 0)
    {
        RequireSamples(batch);
        if (padDirection is not ("left" or "right"))
        {
            throw new DatasetException($"pad_direction should be one of 'left' or 'right' but found {padDirection}.");
        }

        if (keysToPad?.FirstOrDefault(k => k is not ("tokens" or "labels")) is { } unknown)
        {
            throw new DatasetException($"keys_to_pad names {unknown}. Samples hold tokens and labels.");
        }

        return Pad(batch, padDirection == "left", paddingIdx, Sample.IgnoreIndex, 1);
    }

    /// <summary>Puts token lists into one tensor, padded on the left: prompts for generation end together.</summary>
    /// <param name="sequences">The lists, at least one.</param>
    /// <param name="paddingValue">The id that fills the left.</param>
    /// <returns>[B, T] with the longest list's length, int64.</returns>
    public static Tensor LeftPadSequence(IReadOnlyList<int[]> sequences, int paddingValue = 0)
    {
        int length = sequences.Count == 0
            ? throw new ArgumentException("There is no sequence to pad.", nameof(sequences))
            : sequences.Max(s => s.Length);
        Tensor result = empty([sequences.Count, length], ScalarType.Int64);
        Span<long> target = MemoryMarshal.Cast<byte, long>(result.bytes);
        for (int row = 0; row < sequences.Count; row++)
        {
            Span<long> line = target.Slice(row * length, length);
            int padding = length - sequences[row].Length;
            line[..padding].Fill(paddingValue);
            Widen(sequences[row], line[padding..]);
        }

        return result;
    }

    /// <summary>The collation that a config's <c>collate_fn</c> names, for a data set.</summary>
    /// <param name="name">Wire name; packed data sets are stacked whatever it says, as in torchtune.</param>
    /// <param name="dataset">The data set.</param>
    /// <param name="paddingIdx">The id that fills tokens up.</param>
    /// <param name="ignoreIdx">The label that the loss skips.</param>
    /// <param name="padToMultipleOf">Lengths become multiples of it.</param>
    /// <exception cref="DatasetException">No collation is called so.</exception>
    public static Func<IReadOnlyList<Sample>, Batch> Find(
        string name, IDataset dataset, int paddingIdx, int ignoreIdx = Sample.IgnoreIndex, int padToMultipleOf = 1)
    {
        string[] known = [.. typeof(Collate).GetMethods().SelectMany(m => m.GetCustomAttributes<ComponentAttribute>()).Select(a => a.Name)];
        string last = name[(name.LastIndexOf('.') + 1)..];
        if (last.Contains("left_pad_sequence", StringComparison.Ordinal))
        {
            throw new DatasetException($"collate_fn {name} pads prompts for generation; a batch to train on has labels. Use torchtune.data.padded_collate_sft.");
        }

        if (last is "padded_collate_tiled_images_and_mask" or "padded_collate_rl" or "padded_collate_traj")
        {
            throw new DatasetException($"collate_fn {name} needs {(last.EndsWith("mask", StringComparison.Ordinal) ? "images" : "trajectories")}, and the data sets here hold text. Use torchtune.data.padded_collate_sft.");
        }

        string full = known.FirstOrDefault(k => k == name || k.EndsWith("." + name, StringComparison.Ordinal))
            ?? throw new DatasetException($"collate_fn '{name}' is not known.{NearestName.Hint(name, known)} Known: {string.Join(", ", known)}.");
        bool isPreference = dataset is not StreamDataset && DatasetList.Summaries(dataset)?.Any(s => s.IsPreference) == true;
        return full[(full.LastIndexOf('.') + 1)..] switch
        {
            _ when PackedDataset.IsPacked(dataset) => batch => PaddedCollatePacked(batch, ignoreIdx),
            "padded_collate_packed" => batch => PaddedCollatePacked(batch, ignoreIdx),
            "padded_collate_dpo" => batch => PaddedCollateDpo(batch, paddingIdx, ignoreIdx),
            _ when isPreference => throw new DatasetException(
                $"The data set holds pairs of answers, and collate_fn {full} makes no pairs. Use another data set, or torchtune.data.padded_collate_dpo in a recipe for preferences."),
            "padded_collate" => batch => PaddedCollate(batch, paddingIdx: paddingIdx),
            _ => batch => PaddedCollateSft(batch, paddingIdx, ignoreIdx, padToMultipleOf),
        };
    }

    private static Batch Pad(IReadOnlyList<Sample> batch, bool left, int paddingIdx, int ignoreIdx, int multiple, bool isShifted = true)
    {
        int longest = Math.Max(1, batch.Max(s => s.Tokens.Length));
        int length = (longest + multiple - 1) / multiple * multiple;
        return new Batch
        {
            Tokens = Stack(batch, length, s => s.Tokens, paddingIdx, left: left),
            Labels = Stack(batch, length, s => s.Labels, ignoreIdx, from: Sample.IgnoreIndex, to: ignoreIdx, left: left),
            LabelsAreShifted = isShifted,
            NumTargets = batch.Sum(CountTargets),
            NumTokens = batch.Sum(s => (long)s.Tokens.Length - s.Padding),
            MaxTokenId = batch.Max(MaxId),
            RowLengths = left ? null : [.. batch.Select(x => x.Tokens.Length - x.Padding)],
            MaxLabel = batch.Max(x => x.Labels.Length == 0 ? 0 : x.Labels.Max()),
        };
    }

    /// <summary>Begins and ends of all packed samples in the batch as one row, [samples + 1], int32.</summary>
    private static Tensor Boundaries(IReadOnlyList<Sample> packs)
    {
        Tensor result = empty([packs.Sum(p => p.SeqLens!.Length) + 1], ScalarType.Int32);
        Span<int> target = MemoryMarshal.Cast<byte, int>(result.bytes);
        (int at, target[0]) = (0, 0);
        foreach (int length in packs.SelectMany(p => p.SeqLens!))
        {
            target[at + 1] = target[at] + length;
            at++;
        }

        return result;
    }

    private static void RequireSamples(IReadOnlyList<Sample> batch)
    {
        if (batch.Count == 0)
        {
            throw new ArgumentException("A batch needs at least one sample.", nameof(batch));
        }
    }

    private static long CountTargets(Sample sample) => sample.Labels.Length - sample.Labels.AsSpan().Count(Sample.IgnoreIndex);

    private static int MaxId(Sample sample)
    {
        int max = 0;
        foreach (int id in sample.Tokens)
        {
            max = Math.Max(max, id);
        }

        return max;
    }

    private static void Widen(ReadOnlySpan<int> from, Span<long> to)
    {
        for (int i = 0; i < from.Length; i++)
        {
            to[i] = from[i];
        }
    }

    /// <summary>Writes straight into the tensor's memory: no managed copy of a batch is ever made.</summary>
    private static Tensor Stack(
        IReadOnlyList<Sample> batch, int length, Func<Sample, int[]> part, int padding, int from = 0, int to = 0, bool left = false)
    {
        Tensor result = empty([batch.Count, length], ScalarType.Int64);
        Span<long> target = MemoryMarshal.Cast<byte, long>(result.bytes);
        for (int row = 0; row < batch.Count; row++)
        {
            int[] values = part(batch[row]);
            Span<long> line = target.Slice(row * length, length);
            int start = left ? length - values.Length : 0;
            Span<long> real = line.Slice(start, values.Length);
            line[..start].Fill(padding);
            line[(start + values.Length)..].Fill(padding);
            Widen(values, real);
            if (from != to)
            {
                real.Replace(from, to);
            }
        }

        return result;
    }
}
