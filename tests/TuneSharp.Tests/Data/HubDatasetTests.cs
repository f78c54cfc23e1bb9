using System.Text;
using TuneSharp.Data;
using TuneSharp.Tests.Hub;

namespace TuneSharp.Tests.Data;

/// <summary>Data sets of a hub, through HF_ENDPOINT as a user has it.</summary>
public sealed class HubDatasetTests : IDisposable
{
    private readonly FakeHub _hub = new();
    private readonly TempFolder _folder = new();
    private readonly Dictionary<string, string?> _before = [];

    public HubDatasetTests()
    {
        Set("HF_ENDPOINT", _hub.Endpoint);
        Set("HF_HOME", _folder.Path);
        Set("HF_HUB_CACHE", null);
        Set("HF_TOKEN", null);
        Set("HF_HUB_OFFLINE", null);
    }

    public void Dispose()
    {
        foreach ((string name, string? value) in _before)
        {
            Environment.SetEnvironmentVariable(name, value);
        }

        _hub.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("data/train-00000-of-00002.csv,data/train-00001-of-00002.csv,data/extra-00000-of-00001.csv,more/test.csv", "train", "0 1")]
    [InlineData("data/train-00000-of-00002.csv,data/train-00001-of-00002.csv,data/extra-00000-of-00001.csv,more/test.csv", "extra", "2")]
    [InlineData("train.csv,test.csv,other.csv", "train", "0")]
    [InlineData("a/my_train_1.csv,b/dev-2.csv", "validation", "1")]
    [InlineData("train/a.csv,train/b.csv,eval/c.csv,test.csv", "train", "0 1")]
    [InlineData("train/a.csv,train/b.csv,eval/c.csv,test.csv", "test", "2")]
    [InlineData("a.csv,sub/b.csv,LICENSE.txt", "train", "0 1")]
    [InlineData("contest.csv,training2.csv", "train", "1")]
    [InlineData("a.csv,.hidden/b.csv,__pycache__/c.csv", "train", "0")]
    public void Files_become_splits_as_in_python(string files, string split, string expected)
    {
        string[] names = files.Split(',');
        for (int i = 0; i < names.Length; i++)
        {
            Put(names[i], $"x\n{i}\n");
        }

        Assert.Equal(expected, Read(new LoadOptions { Source = "o/n", Split = split }));
        foreach (string name in names)
        {
            _folder.Write("local/" + name, Encoding.UTF8.GetString(_hub.Files[name]));
        }

        Assert.Equal(expected, Read(new LoadOptions { Source = Path.Combine(_folder.Path, "local"), Split = split }));
    }

    [Fact]
    public void Only_the_files_of_the_split_are_fetched_and_once()
    {
        Put("train.csv", "x\n1\n");
        Put("test.csv", "x\n2\n");
        Assert.Equal("1", Read("o/n"));
        Assert.Equal("1", Read("o/n"));
        Assert.Single(_hub.Requests, r => r.Contains("/resolve/"));
        Assert.True(File.Exists(Path.Combine(_folder.Path, $"hub/datasets--o--n/snapshots/{FakeHub.Commit}/train.csv")));
        Set("HF_HUB_OFFLINE", "1");
        int before = _hub.Requests.Count;
        Assert.Equal("1", Read("o/n"));
        Assert.Equal(before, _hub.Requests.Count);
        Assert.Contains("not in the cache", Assert.Throws<DatasetException>(() => Read("o/other")).Message);
    }

    [Fact]
    public void The_readme_says_configurations()
    {
        Put("README.md", """
            ---
            license: mit
            configs:
            - config_name: first
              data_files:
              - split: train
                path: "a/*.csv"
              - split: held_out
                path:
                - b/x.csv
                - b/y.csv
            - config_name: second
              default: true
              data_files: semi.csv
              sep: ";"
            - config_name: third
              data_dir: c
            ---
            # A data set
            """);
        Put("a/1.csv", "x\na1\n");
        Put("b/x.csv", "x\nbx\n");
        Put("b/y.csv", "x\nby\n");
        Put("c/train.csv", "x\nc\n");
        Put("semi.csv", "y;x\n1;semi\n");
        Assert.Equal("semi", Read("o/n"));
        Assert.Equal("a1", Read(new LoadOptions { Source = "o/n", Name = "first" }));
        Assert.Equal("by a1", Read(new LoadOptions { Source = "o/n", Subset = "first", Split = "held_out[1:]+train" }));
        Assert.Equal("c", Read(new LoadOptions { Source = "o/n", Subset = "third" }));
        Assert.Equal("c", Read(new LoadOptions { Source = "o/n", DataDir = "c" }));
        Assert.Equal("bx", Read(new LoadOptions { Source = "o/n", DataFiles = "b/x.csv" }));
        Assert.Equal("bx by", Read(new LoadOptions { Source = "o/n", DataFiles = new Dictionary<string, object?> { ["test"] = "b/*.csv" }, Split = "test" }));
        Assert.Equal("bx", Read(new LoadOptions { Source = "hf://datasets/o/n/b/x.csv" }));
        Assert.Equal("by", Read(new LoadOptions { Source = "csv", DataFiles = "hf://datasets/o/n/b/y.csv" }));
        Assert.Contains("first, second, third", Assert.Throws<DatasetException>(() => Read(new LoadOptions { Source = "o/n", Name = "forth" })).Message);
        Assert.Contains("no such file", Assert.Throws<DatasetException>(() => Read(new LoadOptions { Source = "o/n", DataFiles = "b/z.csv" })).Message);
    }

    [Fact]
    public void A_script_is_not_run_but_its_parquet_copy_is_read()
    {
        Put("n.py", "raise");
        Put("data.csv", "x\nwrong\n");
        _hub.Branches["refs/convert/parquet"] = [];
        DatasetException none = Assert.Throws<DatasetException>(() => Read(new LoadOptions { Source = "o/n", Name = "b" }));
        Assert.Contains("has no configuration 'b'", none.Message);
        _hub.Branches["refs/convert/parquet"] = new()
        {
            ["a/train/0000.parquet"] = Parquet("a"),
            ["b/partial-train/0000.parquet"] = Parquet("b"),
            ["b/test/0000.parquet"] = Parquet("bt"),
        };
        Assert.Equal("b", Read(new LoadOptions { Source = "o/n", Name = "b" }));
        Assert.Equal("bt", Read(new LoadOptions { Source = "o/n", Name = "b", Split = "test" }));
        Assert.Contains("several configurations: a, b", Assert.Throws<DatasetException>(() => Read("o/n")).Message);
    }

    [Fact]
    public void Addresses_of_the_web_are_read()
    {
        Put("deep/train.jsonl", "{\"x\": \"web\"}\n");
        string url = $"{_hub.Cdn}/signed/deep/train.jsonl?token=abc";
        Assert.Equal("web", Read(url));
        Assert.Equal("web", Read(new LoadOptions { Source = "json", DataFiles = url }));
        Assert.Single(_hub.Requests, r => r.StartsWith("CDN GET", StringComparison.Ordinal));
    }

    [Fact]
    public void A_missing_data_set_is_one_sentence()
    {
        _hub.Troubles.Enqueue(401);
        string message = Assert.Throws<DatasetException>(() => Read("yahma/alpaca-cleaned")).Message;
        Assert.Contains("source yahma/alpaca-cleaned is a data set on the hub", message);
        Assert.Contains("HF_TOKEN", message);
        Assert.Contains("source=data.jsonl", message);
    }

    [Fact]
    public void Saved_data_sets_are_read_in_their_own_order()
    {
        _folder.Write("saved/dataset_dict.json", "{\"splits\": [\"train\", \"test\"]}");
        _folder.Write("saved/train/state.json", "{\"_data_files\": [{\"filename\": \"b.arrow\"}, {\"filename\": \"a.arrow\"}], \"_split\": \"train\"}");
        _folder.Write("saved/test/state.json", "{\"_data_files\": [{\"filename\": \"t.arrow\"}]}");
        foreach (string name in new[] { "train/a", "train/b", "test/t" })
        {
            File.WriteAllBytes(Path.Combine(_folder.Path, "saved", name + ".arrow"), Arrow(name));
        }

        string folder = Path.Combine(_folder.Path, "saved");
        Assert.Equal("train/b train/a", Read(folder));
        Assert.Equal("test/t", Read(new LoadOptions { Source = folder, Split = "test" }));
        Assert.Equal("train/b train/a", Read(Path.Combine(folder, "train")));
    }

    private static string Read(LoadOptions options)
    {
        IRowSource rows = RowLoader.Load(options);
        string text = string.Join(' ', Enumerable.Range(0, rows.Count).Select(i => rows[i].Text("x")));
        Assert.Equal(text, string.Join(' ', RowLoader.Stream(options).Read().Select(r => r.Row.Text("x"))));
        return text;
    }

    private void Put(string name, string text) => _hub.Files[name] = Encoding.UTF8.GetBytes(text);

    private void Set(string name, string? value)
    {
        _before.TryAdd(name, Environment.GetEnvironmentVariable(name));
        Environment.SetEnvironmentVariable(name, value);
    }

    private static byte[] Parquet(string x)
    {
        using MemoryStream file = new();
        global::Parquet.Schema.ParquetSchema schema = new(new global::Parquet.Schema.DataField<string>("x"));
        IDictionary<string, object?>[] rows = [new Dictionary<string, object?> { ["x"] = x }];
        global::Parquet.Serialization.ParquetSerializer.SerializeUntypedAsync(rows, schema, file, cancellationToken: TestContext.Current.CancellationToken).GetAwaiter().GetResult();
        return file.ToArray();
    }

    private static byte[] Arrow(string x)
    {
        using MemoryStream bytes = new();
        Apache.Arrow.Schema schema = new([new Apache.Arrow.Field("x", Apache.Arrow.Types.StringType.Default, true)], null);
        using (Apache.Arrow.Ipc.ArrowStreamWriter writer = new(bytes, schema, leaveOpen: true))
        {
            writer.WriteRecordBatch(new Apache.Arrow.RecordBatch(schema, [new Apache.Arrow.StringArray.Builder().Append(x).Build()], 1));
            writer.WriteEnd();
        }

        return bytes.ToArray();
    }
}
