using FsCheck;
using FsCheck.Xunit;
using TuneSharp.Config;
using TuneSharp.Data;

namespace TuneSharp.Tests.Data;

public sealed class MixTests
{
    /// <summary>Samples of one token: 1000 times the set, plus the number.</summary>
    private static ListDataset Set(int which, int count) => new([.. Enumerable.Range(0, count).Select(i => new[] { (which * 1000) + i })]);

    private static int[] Epoch(InterleavedDataset mix, int epoch) => [.. Enumerable.Range(0, mix.Count).Select(i => mix.Get(epoch, i).Tokens[0])];

    [Fact]
    public void An_epoch_ends_with_the_first_set_that_ends_and_the_next_goes_on()
    {
        InterleavedDataset mix = new([Set(1, 10), Set(2, 4)], [0.5, 0.5]);
        Assert.Equal([4, 4], mix.Counts);
        Assert.Equal([1000, 2000, 1001, 2001, 1002, 2002, 1003, 2003], Epoch(mix, 0));
        Assert.Equal([1004, 2000, 1005, 2001, 1006, 2002, 1007, 2003], Epoch(mix, 1));
        Assert.Equal([1008, 2000, 1009, 2001, 1000, 2002, 1001, 2003], Epoch(mix, 2));
        Assert.Equal(Epoch(mix, 0), Enumerable.Range(0, mix.Count).Select(i => mix[i].Tokens[0]));
    }

    [Fact]
    public void An_epoch_of_all_repeats_the_shorter()
    {
        InterleavedDataset mix = new([Set(1, 6), Set(2, 2)], [1, 1], MixStop.AllExhausted);
        Assert.Equal([6, 6], mix.Counts);
        Assert.Equal([2000, 2001, 2000, 2001, 2000, 2001], Epoch(mix, 0).Where(t => t >= 2000));
        Assert.Equal(Enumerable.Range(1000, 6), Epoch(mix, 0).Where(t => t < 2000));
    }

    [Fact]
    public void Without_weights_all_sets_end_together()
    {
        InterleavedDataset mix = new([Set(1, 6), Set(2, 3)]);
        Assert.Equal([6, 3], mix.Counts);
        Assert.Equal(9, Epoch(mix, 0).Distinct().Count());
    }

    [Property]
    public bool Every_beginning_has_its_shares(PositiveInt a, PositiveInt b, PositiveInt c)
    {
        int[] weights = [a.Get, b.Get, c.Get];
        InterleavedDataset mix = new([Set(1, 300), Set(2, 300), Set(3, 300)], [.. weights.Select(w => (double)w)]);
        int[] seen = new int[3];
        int[] epoch = Epoch(mix, 0);
        for (int i = 0; i < epoch.Length; i++)
        {
            seen[(epoch[i] / 1000) - 1]++;
            for (int k = 0; k < 3; k++)
            {
                double share = mix.Counts[k] / (double)mix.Count;
                if (Math.Abs(seen[k] - ((i + 1) * share)) > 1.5)
                {
                    return false;
                }
            }
        }

        return Enumerable.Range(0, 3).All(k => Math.Abs((mix.Counts[k] / (double)mix.Count) - (weights[k] / (double)weights.Sum())) < 0.51 / mix.Count * 3);
    }

    [Fact]
    public void What_does_not_fit_is_said()
    {
        Assert.Contains("2 data sets and 1 weights", Assert.Throws<DatasetException>(() => new InterleavedDataset([Set(1, 1), Set(2, 1)], [1])).Message, StringComparison.Ordinal);
        Assert.Contains("above 0", Assert.Throws<DatasetException>(() => new InterleavedDataset([Set(1, 1), Set(2, 1)], [1, -1])).Message, StringComparison.Ordinal);
        Component<IDataset> Named(double? weight) => new("d", new Dictionary<string, object?> { ["weight"] = weight }, _ => null);
        Assert.Contains("1 of the 2 data sets have a weight", Assert.Throws<DatasetException>(() => DatasetMix.WeightsOf([Named(1), Named(null)])).Message, StringComparison.Ordinal);
        Assert.Null(DatasetMix.WeightsOf([Named(null), Named(null)]));
        Assert.Equal([1, 3], DatasetMix.WeightsOf([Named(1), Named(3)])!);
    }

    [Fact]
    public void A_loader_shows_each_epoch_its_part()
    {
        InterleavedDataset mix = new([new ListDataset([.. Enumerable.Range(0, 8).Select(i => new[] { i, i })]), new ListDataset([90, 90], [91, 91])], [1, 1]);
        using BatchLoader loader = new(mix, 4, b => Collate.PaddedCollateSft(b), shuffle: true, seed: 3);
        HashSet<long> Seen(int epoch)
        {
            HashSet<long> seen = [];
            foreach (Batch batch in loader.Epoch(epoch))
            {
                using (batch)
                {
                    seen.UnionWith(batch.Tokens.data<long>().ToArray());
                }
            }

            return seen;
        }

        Assert.Equal([0, 1, 90, 91], Seen(0).Order());
        Assert.Equal([2, 3, 90, 91], Seen(1).Order());
        Assert.Equal([0, 1, 90, 91], Seen(4).Order());
    }
}
