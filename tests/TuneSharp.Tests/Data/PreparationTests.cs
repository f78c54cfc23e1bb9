using System.Text;
using TuneSharp.Config;
using TuneSharp.Data;

namespace TuneSharp.Tests.Data;

public sealed class PreparationTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly List<string> _warnings = [];
    private readonly List<string> _said = [];

    public void Dispose() => _folder.Dispose();

    private string Cache => Path.Combine(_folder.Path, "cache");

    private DataOptions Options => new() { CacheDir = Cache };

    private DataRun Run(string tokenizer = "t", string component = "c") => new DataRun
    {
        TokenizerFingerprint = tokenizer, Say = _said.Add, Warn = _warnings.Add,
    }.For(new Component<IDataset>(component, new Dictionary<string, object?>(), _ => null));

    private string Rows(int count, string name = "a.jsonl") => _folder.Write(
        name, string.Concat(Enumerable.Range(0, count).Select(i => $"{{\"input\": \"in {i}\", \"output\": \"out {i}\"}}\n")));

    private string Only => Assert.Single(Directory.GetFiles(Cache, "*.tokens"));

    [Fact]
    public void The_second_run_tokenises_nothing_and_gives_the_same()
    {
        string path = Rows(5000);
        ByteModelTokenizer first = new(), second = new();
        IDataset made = Datasets.InstructDataset(first, path, options: Options, run: Run());
        Assert.Equal(5000, made.Count);
        Assert.Contains("tokenised in", Assert.Single(_said), StringComparison.Ordinal);
        IDataset found = Datasets.InstructDataset(second, path, options: Options, run: Run());
        Assert.Equal(0, second.Calls);
        Assert.Contains("found tokenised", _said[1], StringComparison.Ordinal);
        IDataset plain = Datasets.InstructDataset(first, path);
        for (int i = 0; i < 5000; i += 7)
        {
            Assert.Equal(plain[i].Tokens, made[i].Tokens);
            Assert.Equal(plain[i].Tokens, found[i].Tokens);
            Assert.Equal(plain[i].Labels, found[i].Labels);
        }

        Assert.Equal("a.jsonl, line 3", ((IPlacedDataset)found).Place(2));
        Assert.Empty(Directory.GetFiles(Cache, "*.lock").Concat(Directory.GetFiles(Cache, "*.tmp")));
    }

    [Fact]
    public void Whatever_the_tokens_depend_on_makes_them_anew()
    {
        string path = Rows(3);
        ByteModelTokenizer tokenizer = new();
        void Expect(int calls, DataRun run)
        {
            int before = tokenizer.Calls;
            _ = Datasets.InstructDataset(tokenizer, path, options: Options, run: run);
            Assert.Equal(calls, (tokenizer.Calls - before) / 3 > 0 ? 3 : 0);
        }

        Expect(3, Run());
        Expect(0, Run());
        Expect(3, Run(tokenizer: "u"));
        Expect(3, Run(component: "d"));
        string old = File.ReadAllText(path);
        File.WriteAllText(path, old.Replace("in 0", "IN 0", StringComparison.Ordinal)); // same length, perhaps the same second
        Expect(3, Run());
        File.WriteAllText(path, old);
        Expect(0, Run());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.3)]
    [InlineData(0.9)]
    [InlineData(-1)]
    [InlineData(-2)]
    [InlineData(-3)]
    public void A_damaged_file_is_noticed_and_made_anew(double where)
    {
        string path = Rows(50);
        ByteModelTokenizer tokenizer = new();
        int[] wanted = Datasets.InstructDataset(tokenizer, path, options: Options, run: Run())[7].Tokens;
        byte[] bytes = File.ReadAllBytes(Only);
        switch (where)
        {
            case -1:
                bytes = bytes[..(bytes.Length / 2)];
                break;
            case -2:
                bytes = [];
                break;
            case -3:
                bytes[^20] ^= 1;
                break;
            default:
                bytes[(int)(where * bytes.Length)] ^= 1;
                break;
        }

        File.WriteAllBytes(Only, bytes);
        tokenizer.Calls = 0;
        Assert.Equal(wanted, Datasets.InstructDataset(tokenizer, path, options: Options, run: Run())[7].Tokens);
        Assert.NotEqual(0, tokenizer.Calls);
        Assert.Contains("made anew", Assert.Single(_warnings), StringComparison.Ordinal);
        tokenizer.Calls = 0;
        _ = Datasets.InstructDataset(tokenizer, path, options: Options, run: Run());
        Assert.Equal(0, tokenizer.Calls);
    }

    [Fact]
    public void A_run_that_ends_in_the_middle_leaves_nothing_behind()
    {
        string path = _folder.Write("a.jsonl", "{\"input\": \"a\", \"output\": \"b\"}\n{\"input\": \"a\"}\n");
        Assert.StartsWith(
            "a.jsonl, line 2: there is no column 'output'",
            Assert.Throws<DatasetException>(() => Datasets.InstructDataset(new ByteModelTokenizer(), path, options: Options, run: Run())).Message,
            StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Cache));
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_said_and_the_run_goes_on()
    {
        string file = _folder.Write("file", "");
        IDataset dataset = Datasets.InstructDataset(new ByteModelTokenizer(), Rows(3), options: new() { CacheDir = Path.Combine(file, "x") }, run: Run());
        Assert.Equal(3, dataset.Count);
        Assert.Contains("cannot be kept there", Assert.Single(_warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Off_is_off()
    {
        ByteModelTokenizer tokenizer = new();
        string path = Rows(3);
        DataOptions off = Options with { Cache = false };
        Assert.Equal(3, Datasets.InstructDataset(tokenizer, path, options: off, run: Run()).Count);
        Assert.False(Directory.Exists(Cache));
    }

    [Fact]
    public async Task Two_at_once_make_it_once()
    {
        string path = Rows(4000);
        ByteModelTokenizer tokenizer = new();
        DataRun quiet = new DataRun { TokenizerFingerprint = "t" }.For(new Component<IDataset>("c", new Dictionary<string, object?>(), _ => null));
        IDataset[] both = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
            Datasets.InstructDataset(tokenizer, path, options: Options, run: quiet))));
        Assert.Equal(both[0][17].Tokens, both[1][17].Tokens);
        Assert.Equal(4000 * 2 + 4000, tokenizer.Calls * 1); // one call for each sample and one for each of its two messages
    }

    [Fact]
    public void Bad_rows_are_left_out_counted_and_named()
    {
        string path = _folder.Write("a.jsonl", """
            {"input": "a", "output": "b"}
            {"input": "a"}
            {"input": "a", "output": null}
            {"input": ["x"], "output": "b"}
            {"input": "c", "output": "d"}

            """);
        IDataset dataset = Datasets.InstructDataset(new ByteModelTokenizer(), path, options: Options with { OnError = ErrorPolicy.Skip }, run: Run());
        Assert.Equal([[257, 'a', 'b', 258], [257, 'c', 'd', 258]], Enumerable.Range(0, dataset.Count).Select(i => dataset[i].Tokens));
        string warning = Assert.Single(DatasetChecks.Check(dataset));
        Assert.Contains("left out 3 of 5 rows", warning, StringComparison.Ordinal);
        foreach (string place in (string[])["line 2: there is no column 'output'", "line 3: column 'output' is null", "line 4: column 'input' holds a list"])
        {
            Assert.Contains(place, warning, StringComparison.Ordinal);
        }

        Assert.Contains("none of its 1 rows can be used", Assert.Throws<DatasetException>(() => Datasets.InstructDataset(
            new ByteModelTokenizer(), _folder.Write("b.jsonl", "{\"a\": 1}\n"), options: new() { OnError = ErrorPolicy.Skip })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Samples_that_teach_nothing_are_counted_and_named()
    {
        string path = _folder.Write("a.jsonl", "{\"input\": \"a\", \"output\": \"b\"}\n{\"input\": \"abcdef\", \"output\": \"b\"}\n");
        IDataset dataset = Datasets.InstructDataset(new ByteModelTokenizer(5), path, options: Options, run: Run());
        string warning = Assert.Single(DatasetChecks.Check(dataset));
        Assert.StartsWith("1 of 2 samples of the data set have no token to learn: a.jsonl, line 2.", warning, StringComparison.Ordinal);
        Assert.Contains("max_seq_len=5", warning, StringComparison.Ordinal);

        string second = _folder.Write("b.jsonl", "{\"input\": \"abcdef\", \"output\": \"b\"}\n");
        ConcatDataset both = new([dataset, Datasets.InstructDataset(new ByteModelTokenizer(5), second, options: Options, run: Run(component: "e"))]);
        Assert.Contains(
            "all 1 samples of data set 2 of 2", Assert.Throws<DatasetException>(() => DatasetChecks.Check(both)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Cut_samples_are_counted()
    {
        string path = _folder.Write("a.txt", "abc\nabcdefgh\nabcdef\n");
        PreparedDataset dataset = (PreparedDataset)Datasets.TextCompletionDataset(new ByteModelTokenizer(6), path, options: Options, run: Run());
        Assert.Equal(2, dataset.Store.Summary.Truncated);
        Assert.Equal(3, dataset.Store.Summary.Samples);
    }

    [Fact]
    public void Pairs_of_answers_survive_the_file()
    {
        string path = _folder.Write("a.jsonl", "{\"question\": \"q\", \"response_j\": \"good\", \"response_k\": \"bad!\"}\n{\"question\": \"r\", \"response_j\": \"g\", \"response_k\": \"b\"}\n");
        for (int i = 0; i < 2; i++)
        {
            Sample sample = Datasets.StackExchangePairedDataset(new ByteModelTokenizer(), path, options: Options, run: Run())[0];
            Assert.Equal([257, 'q', 'g', 'o', 'o', 'd', 258], sample.Tokens);
            Assert.Equal([-100, -100, 'g', 'o', 'o', 'd', 258], sample.Labels);
            Assert.Equal([257, 'q', 'b', 'a', 'd', '!', 258], sample.Rejected!.Tokens);
        }
    }

    [Fact]
    public void Tokenizer_files_count_by_content()
    {
        string file = _folder.Write("m/tokenizer.json", "{}");
        string folder = Path.GetDirectoryName(file)!;
        Component<IModelTokenizer> Named(string path) => new("tok", new Dictionary<string, object?> { ["path"] = path }, _ => null);
        string first = DataRun.FingerprintOf(Named(folder));
        _folder.Write("m/notes.md", "x");
        Assert.Equal(first, DataRun.FingerprintOf(Named(folder)));
        _folder.Write("m/chat_template.jinja", "x");
        Assert.NotEqual(first, DataRun.FingerprintOf(Named(folder)));
        Assert.NotEqual(DataRun.FingerprintOf(Named(file)), first);
    }

    [Fact]
    public void Invalid_text_names_its_row()
    {
        string path = Path.Combine(_folder.Path, "a.jsonl");
        File.WriteAllBytes(path, [.. Encoding.ASCII.GetBytes("{\"input\": \"a\", \"output\": \"b\"}\n{\"input\": \""), 0xC3, 0x28, .. Encoding.ASCII.GetBytes("\", \"output\": \"b\"}\n")]);
        Assert.Contains("a.jsonl, line 2, byte 1", Assert.Throws<DatasetException>(() => Datasets.InstructDataset(new ByteModelTokenizer(), path, options: Options, run: Run())).Message, StringComparison.Ordinal);
        IDataset dataset = Datasets.InstructDataset(new ByteModelTokenizer(), path, options: Options with { OnError = ErrorPolicy.Skip }, run: Run());
        Assert.Equal(1, dataset.Count);
    }
}
