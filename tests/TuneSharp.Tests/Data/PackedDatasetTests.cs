using FsCheck;
using FsCheck.Xunit;
using TuneSharp.Data;

namespace TuneSharp.Tests.Data;

public sealed class PackedDatasetTests
{
    [Fact]
    public void A_sample_that_does_not_fit_begins_the_next_pack()
    {
        PackedDataset packed = new(new ListDataset([1, 1, 1], [2, 2], [3, 3], [4, 4]), 6, paddingIdx: 9);
        Assert.Equal(2, packed.Count);
        Assert.Equal([1, 1, 1, 2, 2, 9], packed[0].Tokens);
        Assert.Equal([1, 1, -100, 2, -100, -100], packed[0].Labels);
        Assert.Equal([0, 1, 2, 0, 1, 2], packed[0].InputPos!);
        Assert.Equal([3, 2, 1], packed[0].SeqLens!);
        Assert.Equal(1, packed[0].Padding);
        Assert.Equal([0, 1, 0, 1, 2, 3], packed[1].InputPos!);
        Assert.Equal([2, 2, 2], packed[1].SeqLens!);
    }

    [Fact]
    public void A_split_sample_goes_on_where_it_was()
    {
        PackedDataset packed = new(new ListDataset([1, 1, 1], [2, 2, 3, 3, 4], [5]), 4, splitAcrossPack: true);
        Assert.Equal([1, 1, 1, 2], packed[0].Tokens);
        Assert.Equal([3, 1], packed[0].SeqLens!);
        Assert.Equal([2, 3, 3, 4], packed[1].Tokens);
        Assert.Equal([1, 2, 3, 0], packed[1].InputPos!);
        Assert.Equal([3, 3, 4, -100], packed[1].Labels);
        Assert.Equal([5, 0, 0, 0], packed[2].Tokens);
    }

    [Fact]
    public void Too_long_a_sample_is_an_error_unless_split() => Assert.Contains(
        "Sample 2 is too long to pack (5 > 4 tokens). Set split_across_pack=True",
        Assert.Throws<DatasetException>(() => new PackedDataset(new ListDataset([1], [1, 2, 3, 4, 5]), 4)).Message,
        StringComparison.Ordinal);

    [Fact]
    public void Max_packs_ends_the_packing() =>
        Assert.Equal(2, new PackedDataset(new ListDataset([1, 1], [2, 2], [3, 3], [4, 4]), 2, maxPacks: 2).Count);

    [Fact]
    public void A_bad_row_gives_its_own_message()
    {
        using TempFolder folder = new();
        string path = folder.Write("a.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n{\"txt\": \"c\"}\n");
        Assert.StartsWith(
            "a.jsonl, line 2: there is no column 'text'",
            Assert.Throws<DatasetException>(() => Datasets.TextCompletionDataset(new ByteModelTokenizer(8), path, packed: true)).Message,
            StringComparison.Ordinal);
    }

    [Property]
    public bool No_token_is_lost_and_the_order_is_kept(PositiveInt[] lengths, PositiveInt room, bool split)
    {
        (int[][] samples, PackedDataset packed, _) = Pack(lengths, room, split);
        IEnumerable<int> tokens = Enumerable.Range(0, packed.Count).SelectMany(i => packed[i].Tokens.Take(packed[i].Tokens.Length - packed[i].Padding));
        IEnumerable<int> labels = Enumerable.Range(0, packed.Count).SelectMany(i => packed[i].Labels.Take(packed[i].Labels.Length - packed[i].Padding));
        return tokens.SequenceEqual(samples.SelectMany(s => s))
            && labels.SequenceEqual(samples.SelectMany(s => s.Skip(1).Append(Sample.IgnoreIndex)));
    }

    [Property]
    public bool Lengths_add_up_and_positions_restart(PositiveInt[] lengths, PositiveInt room, bool split)
    {
        (_, PackedDataset packed, int size) = Pack(lengths, room, split);
        for (int i = 0; i < packed.Count; i++)
        {
            Sample pack = packed[i];
            if (pack.Tokens.Length != size || pack.InputPos!.Length != size || pack.SeqLens!.Sum() != size)
            {
                return false;
            }

            int at = 0;
            foreach (int length in pack.Padding > 0 ? pack.SeqLens!.SkipLast(1) : pack.SeqLens!)
            {
                // A piece of a split sample goes on; everything else begins at 0. Within a piece positions count up.
                bool begins = pack.Tokens[at] % 1000 == 0;
                if ((begins && pack.InputPos![at] != 0) || (!begins && !split)
                    || Enumerable.Range(1, length - 1).Any(k => pack.InputPos![at + k] != (pack.InputPos![at] + k) % size))
                {
                    return false;
                }

                at += length;
            }
        }

        return true;
    }

    private static (int[][] Samples, PackedDataset Packed, int Size) Pack(PositiveInt[] lengths, PositiveInt room, bool split)
    {
        int longest = lengths.Length == 0 ? 1 : lengths.Max(l => l.Get);
        int size = split ? room.Get : longest + room.Get;
        int[][] samples = [.. lengths.Select((l, n) => Enumerable.Range(n * 1000, l.Get % 1000 == 0 ? 1 : l.Get % 1000).ToArray())];
        return (samples, new PackedDataset(new ListDataset(samples), size, paddingIdx: 7, splitAcrossPack: split), size);
    }
}
