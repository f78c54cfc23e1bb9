using TuneSharp.Data;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Data;

public sealed class BatchLoaderTests
{
    private static Batch Sft(IReadOnlyList<Sample> samples) => Collate.PaddedCollateSft(samples, 9);

    private static IEnumerable<Batch> Epoch(BatchLoader loader, int epoch, long skip = 0) =>
        loader.Epoch(epoch, skip, TestContext.Current.CancellationToken);

    private static ListDataset Numbers(int count) => new([.. Enumerable.Range(0, count).Select(i => new[] { i, i })]);

    private static List<long[]> Rows(IEnumerable<Batch> batches)
    {
        List<long[]> rows = [];
        foreach (Batch batch in batches)
        {
            rows.Add([.. batch.Tokens.data<long>().Where((_, i) => i % 2 == 0)]);
            batch.Dispose();
        }

        return rows;
    }

    [Fact]
    public void Samples_are_padded_on_the_right()
    {
        using Batch batch = Collate.PaddedCollateSft([new([1, 2, 3], [2, 3, -100]), new([4], [-100])], paddingIdx: 9, ignoreIdx: -1);
        Assert.Equal([2L, 3L], batch.Tokens.shape);
        Assert.Equal([1L, 2, 3, 4, 9, 9], batch.Tokens.data<long>());
        Assert.Equal([2L, 3, -1, -1, -1, -1], batch.Labels.data<long>());
        Assert.Equal((2, 4, 4), (batch.NumTargets, batch.NumTokens, batch.MaxTokenId));
    }

    [Theory]
    [InlineData(3, 4, 4)]
    [InlineData(4, 4, 4)]
    [InlineData(5, 4, 8)]
    public void Lengths_become_a_multiple_and_no_more(int length, int multiple, int expected)
    {
        using Batch batch = Collate.PaddedCollateSft([new(new int[length], new int[length])], padToMultipleOf: multiple);
        Assert.Equal(expected, batch.Tokens.shape[1]);
        Assert.Equal(expected, batch.Labels.shape[1]);
    }

    [Fact]
    public void Packs_are_stacked_with_positions_and_lengths()
    {
        PackedDataset packed = new(new ListDataset([1, 2, 3], [4, 5], [6, 7, 8, 9]), 6);
        using Batch batch = Collate.PaddedCollatePacked([packed[0], packed[1]]);
        Assert.Equal([1L, 2, 3, 4, 5, 0, 6, 7, 8, 9, 0, 0], batch.Tokens.data<long>());
        Assert.Equal([0L, 1, 2, 0, 1, 2, 0, 1, 2, 3, 4, 5], batch.InputPos!.data<long>());
        Assert.Equal([3, 2, 1], batch.SeqLens![0]);
        Assert.Equal((6, 9, 9), (batch.NumTargets, batch.NumTokens, batch.MaxTokenId));
        Assert.Throws<DatasetException>(() => Collate.PaddedCollatePacked([new([1], [1])]));
    }

    [Fact]
    public void Prompts_are_padded_on_the_left()
    {
        using Tensor padded = Collate.LeftPadSequence([[1, 2, 3], [4]], 7);
        Assert.Equal([1L, 2, 3, 7, 7, 4], padded.data<long>());
    }

    [Fact]
    public void Collations_are_found_by_wire_name()
    {
        using Batch batch = Collate.Find("torchtune.data.padded_collate_sft", Numbers(1), paddingIdx: 5)([new([1], [1]), new([1, 2], [2, 3])]);
        Assert.Equal([1L, 5, 1, 2], batch.Tokens.data<long>());
        PackedDataset packed = new(new ListDataset([1, 2]), 3);
        using Batch stacked = Collate.Find("torchtune.data.padded_collate_sft", packed, paddingIdx: 5)([packed[0]]);
        Assert.NotNull(stacked.SeqLens);
        Assert.Contains(
            "Did you mean",
            Assert.Throws<DatasetException>(() => Collate.Find("torchtune.data.padded_colate_sft", packed, 0)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void The_order_is_a_permutation_that_seed_and_epoch_choose()
    {
        int[] order = Permutation.Of(1000, 42, 0);
        Assert.Equal(Enumerable.Range(0, 1000), order.Order());
        Assert.Equal(order, Permutation.Of(1000, 42, 0));
        Assert.NotEqual(order, Permutation.Of(1000, 42, 1));
        Assert.NotEqual(order, Permutation.Of(1000, 43, 0));
        Assert.Equal(PinnedOrder, Permutation.Of(10, 42, 3)); // the same on every machine and in every version
    }

    private static readonly int[] PinnedOrder = [8, 1, 5, 7, 2, 4, 6, 3, 0, 9];

    [Fact]
    public void Every_position_gets_every_sample_about_equally_often()
    {
        int[] hits = new int[25];
        for (int seed = 0; seed < 5000; seed++)
        {
            int[] order = Permutation.Of(5, seed, 0);
            for (int i = 0; i < 5; i++)
            {
                hits[(i * 5) + order[i]]++;
            }
        }

        Assert.All(hits, h => Assert.InRange(h, 850, 1150)); // 1000 expected, standard deviation 28
    }

    [Fact]
    public void An_epoch_shows_each_sample_once_and_leaves_out_the_rest()
    {
        using BatchLoader loader = new(Numbers(10), 3, Sft, shuffle: true, seed: 1);
        Assert.Equal(3, loader.BatchesPerEpoch);
        List<long[]> first = Rows(Epoch(loader, 0));
        Assert.Equal(3, first.Count);
        Assert.Equal(9, first.SelectMany(r => r).Distinct().Count());
        Assert.Equal(first, Rows(Epoch(loader, 0)));
        Assert.NotEqual(first, Rows(Epoch(loader, 1)));
        using BatchLoader all = new(Numbers(10), 3, Sft, shuffle: false, seed: 1, dropLast: false);
        Assert.Equal(Enumerable.Range(0, 10).Select(i => (long)i), Rows(Epoch(all, 0)).SelectMany(r => r));
    }

    [Fact]
    public void Training_resumes_in_mid_epoch()
    {
        using BatchLoader loader = new(Numbers(20), 2, Sft, shuffle: true, seed: 5);
        Assert.Equal(Rows(Epoch(loader, 3)).Skip(4), Rows(Epoch(loader, 3, 4)));
        Assert.Empty(Rows(Epoch(loader, 3, 10)));
    }

    [Fact]
    public void Ranks_see_disjoint_samples_equally_many()
    {
        List<List<long>> seen = [];
        for (int rank = 0; rank < 3; rank++)
        {
            using BatchLoader loader = new(Numbers(20), 2, Sft, shuffle: true, seed: 5, rank, worldSize: 3);
            Assert.Equal(3, loader.BatchesPerEpoch);
            seen.Add([.. Rows(Epoch(loader, 2)).SelectMany(r => r)]);
        }

        Assert.All(seen, s => Assert.Equal(6, s.Count));
        Assert.Equal(18, seen.SelectMany(s => s).Distinct().Count());
    }

    [Fact]
    public void An_exception_on_the_thread_arrives_with_its_message()
    {
        using TempFolder folder = new();
        string path = folder.Write("a.jsonl", string.Concat(Enumerable.Range(0, 199).Select(_ => "{\"text\": \"a\"}\n")) + "{\"txt\": \"b\"}\n");
        using BatchLoader loader = new(Datasets.TextCompletionDataset(new ByteModelTokenizer(), path), 1, Sft, shuffle: false, seed: 0);
        int batches = 0;
        DatasetException e = Assert.Throws<DatasetException>(() =>
        {
            foreach (Batch batch in Epoch(loader, 0))
            {
                batches++;
                batch.Dispose();
            }
        });
        Assert.Equal(199, batches);
        Assert.StartsWith("a.jsonl, line 200: there is no column 'text'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Stopping_early_leaves_no_tensor_behind()
    {
        using BatchLoader loader = new(Numbers(100), 1, Sft, shuffle: false, seed: 0);
        foreach (Batch batch in Epoch(loader, 0)) // makes the first tensors of this type
        {
            batch.Dispose();
            break;
        }

        long before = LiveTensors.Now;
        for (int k = 0; k < 20; k++)
        {
            foreach (Batch batch in Epoch(loader, k))
            {
                batch.Dispose();
                break;
            }
        }

        using CancellationTokenSource stop = new();
        foreach (Batch batch in loader.Epoch(0, stop: stop.Token))
        {
            batch.Dispose();
            stop.Cancel();
        }

        LiveTensors.DidNotGrow(before);
    }

    [Fact]
    public void A_batch_survives_the_scope_of_the_loop()
    {
        using BatchLoader loader = new(Numbers(4), 2, Sft, shuffle: false, seed: 0);
        List<Batch> batches = [];
        using (NewDisposeScope())
        {
            batches.AddRange(Epoch(loader, 0));
        }

        Assert.Equal([0L, 1, 2, 3], Rows(batches).SelectMany(r => r));
    }

    [Fact]
    public void Too_few_samples_are_an_error()
    {
        Assert.Contains(
            "The data set has 3 samples: fewer than batch_size=4",
            Assert.Throws<DatasetException>(() => new BatchLoader(Numbers(3), 4, Sft, shuffle: true, seed: 0)).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "2 for each of 2 processes",
            Assert.Throws<DatasetException>(() => new BatchLoader(Numbers(5), 4, Sft, shuffle: true, seed: 0, rank: 1, worldSize: 2)).Message,
            StringComparison.Ordinal);
        Assert.Throws<DatasetException>(() => new BatchLoader(Numbers(0), 1, Sft, shuffle: true, seed: 0));
        Assert.Throws<DatasetException>(() => new BatchLoader(Numbers(5), 0, Sft, shuffle: true, seed: 0));
    }
}
