using System.Text.Json.Nodes;
using TuneSharp.Config;
using TuneSharp.Data;

namespace TuneSharp.Tests.Data;

public sealed class StreamTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Text(int count, string name = "a.txt", char first = 'a') => _folder.Write(
        name, string.Concat(Enumerable.Range(0, count).Select(i => $"{first}{i}{new string('x', i % 9)}\n")));

    private static StreamDataset Open(string path, int window, bool packed = false, DataOptions? options = null, int? maxSeqLen = 24) =>
        (StreamDataset)Datasets.TextCompletionDataset(
            new ByteModelTokenizer(maxSeqLen), path, packed: packed, options: (options ?? new()) with { Streaming = true, ShuffleBuffer = window });

    /// <summary>Texts of one pass, or of so many samples.</summary>
    private static List<string> Take(ISampleStream stream, int count = int.MaxValue)
    {
        List<string> texts = [];
        while (texts.Count < count && stream.Next() is { } sample)
        {
            texts.Add(string.Join(' ', sample.Tokens) + "|" + string.Join(' ', sample.Labels) + "|" + string.Join(' ', sample.SeqLens ?? []));
        }

        return texts;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(50)]
    [InlineData(1000)]
    public void A_pass_shows_every_row_once_in_an_order_of_its_own(int window)
    {
        string path = Text(100);
        using ISampleStream plain = Open(path, window).Open(shuffle: false, 1, null);
        List<string> inOrder = Take(plain);
        Assert.Equal(100, inOrder.Distinct().Count());
        Assert.Equal(inOrder, Take(plain));

        using ISampleStream shuffled = Open(path, window).Open(shuffle: true, 1, null);
        List<string> first = Take(shuffled), second = Take(shuffled);
        Assert.Equal(inOrder.Order(), first.Order());
        Assert.Equal(inOrder.Order(), second.Order());
        if (window > 1)
        {
            Assert.NotEqual(inOrder, first);
            Assert.NotEqual(first, second);
        }

        // Nobody moves further than the window reaches.
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal(inOrder.IndexOf(first[i]) / window, i / window);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Going_on_anywhere_gives_what_would_have_come(bool packed)
    {
        StreamDataset dataset = Open(Text(60), 16, packed);
        using ISampleStream whole = dataset.Open(shuffle: true, 5, null);
        List<string> all = [];
        List<JsonObject> states = [whole.State];
        while (all.Count < 150)
        {
            if (whole.Next() is { } sample)
            {
                all.Add(string.Join(' ', sample.Tokens));
                states.Add((JsonObject)JsonNode.Parse(whole.State.ToJsonString())!);
            }
        }

        for (int k = 0; k < 130; k += 3)
        {
            using ISampleStream resumed = dataset.Open(shuffle: true, 5, states[k]);
            for (int i = k; i < k + 20;)
            {
                if (resumed.Next() is { } sample)
                {
                    Assert.Equal(all[i++], string.Join(' ', sample.Tokens));
                }
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Several_streams_go_on_too(bool mixed)
    {
        StreamGroup both = new([Open(Text(20), 6), Open(Text(9, "b.txt", 'b'), 4)], mixed ? [2, 1] : null);
        using ISampleStream whole = both.Open(shuffle: true, 5, null);
        List<string> all = [];
        List<JsonObject> states = [whole.State];
        while (all.Count < 80)
        {
            if (whole.Next() is { } sample)
            {
                all.Add(new string([.. sample.Tokens.Skip(1).Select(t => (char)t)]));
                states.Add(whole.State);
            }
        }

        if (mixed)
        {
            for (int n = 3; n <= 60; n += 3)
            {
                Assert.Equal(n * 2 / 3, all.Take(n).Count(t => t[0] == 'a'));
            }
        }
        else
        {
            Assert.Equal(new string('a', 20) + new string('b', 9) + new string('a', 20), new string([.. all.Take(49).Select(t => t[0])]));
        }

        foreach (int k in (int[])[0, 5, 19, 20, 28, 29, 30, 50])
        {
            using ISampleStream resumed = both.Open(shuffle: true, 5, states[k]);
            for (int i = k; i < k + 25;)
            {
                if (resumed.Next() is { } sample)
                {
                    Assert.Equal(all[i++], new string([.. sample.Tokens.Skip(1).Select(t => (char)t)]));
                }
            }
        }
    }

    [Fact]
    public void Packs_of_a_stream_hold_every_token_of_a_window()
    {
        StreamDataset dataset = Open(Text(200), 100, options: new() { Packing = PackingStrategy.BestFit, SplitAcrossPack = false });
        using ISampleStream stream = dataset.Open(shuffle: true, 1, null);
        long real = 0, packs = 0;
        while (stream.Next() is { } pack)
        {
            Assert.Equal(24, pack.Tokens.Length);
            real += pack.Tokens.Length - pack.Padding;
            packs++;
        }

        Assert.True(PackedDataset.IsPacked(dataset));
        Assert.Equal(Enumerable.Range(0, 200).Sum(i => 3 + i.ToString(System.Globalization.CultureInfo.InvariantCulture).Length + (i % 9)), real);
        Assert.InRange(real / (24.0 * packs), 0.9, 1);
    }

    [Fact]
    public void Ranks_share_the_stream_and_stand_at_one_place()
    {
        StreamDataset dataset = Open(Text(60), 16);
        List<(string Text, string State)> Batches(int rank, int world)
        {
            using StreamLoader loader = new(dataset, 2, b => Collate.PaddedCollateSft(b), shuffle: true, seed: 1, rank, world);
            List<(string, string)> texts = [];
            foreach (Batch batch in loader.Batches(null, CancellationToken.None).Take(10))
            {
                using (batch)
                {
                    texts.Add((string.Join(' ', batch.Tokens.data<long>().ToArray().Where(t => t is > 0 and < 257)), batch.StreamState!.ToJsonString()));
                }
            }

            return texts;
        }

        List<(string Text, string State)> alone = Batches(0, 1), first = Batches(0, 2), second = Batches(1, 2);
        Assert.Equal(first.Select(b => b.State), second.Select(b => b.State));
        Assert.Equal(alone[1].State, first[0].State);
        Assert.Equal(
            (alone[0].Text + " " + alone[1].Text).Split(' ').Order(), (first[0].Text + " " + second[0].Text).Split(' ').Order());
    }

    [Fact]
    public void Bad_rows_end_a_stream_or_are_left_out()
    {
        string path = _folder.Write("a.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n{\"text\": \"c\"}\n{\"text\n{\"text\": \"d\"}\n");
        string missing = _folder.Write("b.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n");
        using ISampleStream stops = Open(missing, 10).Open(shuffle: false, 1, null);
        Assert.StartsWith("b.jsonl, line 2: there is no column 'text'", Assert.Throws<DatasetException>(stops.Next).Message, StringComparison.Ordinal);

        List<string> warnings = [];
        StreamDataset skipping = (StreamDataset)Datasets.TextCompletionDataset(
            new ByteModelTokenizer(), path, options: new() { Streaming = true, OnError = ErrorPolicy.Skip }, run: new DataRun { Warn = warnings.Add });
        using ISampleStream skips = skipping.Open(shuffle: false, 1, null);
        Assert.Equal(3, Take(skips).Count);
        Assert.Contains(warnings, w => w.Contains("line 2", StringComparison.Ordinal));
        Assert.Contains(warnings, w => w.Contains("line 4", StringComparison.Ordinal));
    }

    [Fact]
    public void A_stream_that_teaches_nothing_or_is_empty_says_so()
    {
        string path = _folder.Write("a.jsonl", "{\"input\": \"abcdef\", \"output\": \"b\"}\n");
        StreamDataset masked = (StreamDataset)Datasets.InstructDataset(new ByteModelTokenizer(4), path, options: new() { Streaming = true });
        using ISampleStream stream = masked.Open(shuffle: false, 1, null);
        Assert.Contains("All labels are masked in the first 1 samples", Assert.Throws<DatasetException>(stream.Next).Message, StringComparison.Ordinal);

        Component<IRowFilter> none = new("none", new Dictionary<string, object?>(), _ => RowFilters.TextLength("text", min: 100));
        using ISampleStream empty = Open(Text(5), 3, options: new() { FilterFn = none }).Open(shuffle: false, 1, null);
        Assert.Contains("empty", Assert.Throws<DatasetException>(empty.Next).Message, StringComparison.Ordinal);
        Assert.Contains("no length", Assert.Throws<DatasetException>(() => Open(Text(5), 3).Count).Message, StringComparison.Ordinal);
    }
}
