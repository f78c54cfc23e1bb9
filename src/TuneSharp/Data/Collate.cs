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
        int longest = Math.Max(1, batch.Max(s => s.Tokens.Length));
        int length = (longest + padToMultipleOf - 1) / padToMultipleOf * padToMultipleOf;
        return new Batch
        {
            Tokens = Stack(batch, length, s => s.Tokens, paddingIdx),
            Labels = Stack(batch, length, s => s.Labels, ignoreIdx, from: Sample.IgnoreIndex, to: ignoreIdx),
            NumTargets = batch.Sum(CountTargets),
            NumTokens = batch.Sum(s => (long)s.Tokens.Length - s.Padding),
            MaxTokenId = batch.Max(MaxId),
        };
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
            NumTargets = batch.Sum(CountTargets),
            NumTokens = batch.Sum(s => (long)s.Tokens.Length - s.Padding),
            MaxTokenId = batch.Max(MaxId),
        };
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
        if (!known.Contains(name, StringComparer.Ordinal))
        {
            throw new DatasetException($"collate_fn '{name}' is not known.{NearestName.Hint(name, known)} Known: {string.Join(", ", known)}.");
        }

        return PackedDataset.IsPacked(dataset) || name == known.First(k => k.EndsWith("_packed", StringComparison.Ordinal))
            ? batch => PaddedCollatePacked(batch, ignoreIdx)
            : batch => PaddedCollateSft(batch, paddingIdx, ignoreIdx, padToMultipleOf);
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
        IReadOnlyList<Sample> batch, int length, Func<Sample, int[]> part, int padding, int from = 0, int to = 0)
    {
        Tensor result = empty([batch.Count, length], ScalarType.Int64);
        Span<long> target = MemoryMarshal.Cast<byte, long>(result.bytes);
        for (int row = 0; row < batch.Count; row++)
        {
            int[] values = part(batch[row]);
            Span<long> line = target.Slice(row * length, length);
            Widen(values, line);
            line[values.Length..].Fill(padding);
            if (from != to)
            {
                line[..values.Length].Replace(from, to);
            }
        }

        return result;
    }
}
