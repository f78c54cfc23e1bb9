using System.IO.Compression;
using System.Text;
using TuneSharp.Data;

namespace TuneSharp.Tests.Data;

public sealed class RowLoaderTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string[] Texts(IRowSource rows, string column) => [.. Enumerable.Range(0, rows.Count).Select(i => rows[i].Text(column))];

    private static string Message(LoadOptions options) => Assert.Throws<DatasetException>(() => RowLoader.Load(options)).Message;

    [Fact]
    public void A_json_list_gives_its_objects_with_their_lines()
    {
        string path = _folder.Write("a.json", "[\n {\"x\": \"one\", \"n\": 3},\n {\"x\": \"t\\u0077o\", \"n\": null}\n]\n");
        IRowSource rows = RowLoader.Load(path);
        Assert.Equal(["one", "two"], Texts(rows, "x"));
        Assert.Equal(3L, rows[0]["n"]);
        Assert.Null(rows[1]["n"]);
        Assert.Equal("a.json, line 3", rows[1].Place);
    }

    [Fact]
    public void A_field_names_the_list_inside_an_object()
    {
        string path = _folder.Write("a.json", "{\"version\": {\"data\": 1}, \"data\": [{\"x\": \"one\"}, {\"x\": \"two\"}]}");
        Assert.Equal(["one", "two"], Texts(RowLoader.Load(new LoadOptions { Source = path, Field = "data" }), "x"));
        Assert.Contains("Did you mean data?", Message(new LoadOptions { Source = path, Field = "dat" }), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a.jsonl")]
    [InlineData("a.json")]
    public void Jsonl_is_known_by_extension_or_by_its_first_line(string name)
    {
        string path = _folder.Write(name, "\uFEFF{\"x\": \"one\"}\r\n\r\n{\"x\": \"two\", \"y\": [1, {\"z\": true}]}");
        IRowSource rows = RowLoader.Load(path);
        Assert.Equal(["one", "two"], Texts(rows, "x"));
        Assert.Equal(true, Assert.IsType<Row>(rows[1].Items("y")[1])["z"]);
        Assert.Equal($"{name}, line 3", rows[1].Place);
    }

    [Fact]
    public void A_malformed_line_is_named()
    {
        string path = _folder.Write("a.jsonl", "{\"x\": 1}\n{\"x\": 1,}\n");
        string message = Message(path);
        Assert.StartsWith($"{path}, line 2, byte 9: ", message, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_malformed_list_is_named_by_line() =>
        Assert.Contains("a.json, line 3, byte", Message(_folder.Write("a.json", "[\n{\"x\": 1},\n{\"x\" 1}]")), StringComparison.Ordinal);

    [Fact]
    public void A_row_that_is_no_object_is_an_error()
    {
        Assert.Contains("line 2: a row must be an object", Message(_folder.Write("a.json", "[{\"x\": 1},\n 5]")), StringComparison.Ordinal);
        Assert.Contains("line 1, byte 1: a row must be an object", Message(_folder.Write("b.jsonl", "[1]\n")), StringComparison.Ordinal);
    }

    [Fact]
    public void Gzip_is_read_through()
    {
        string path = Path.Combine(_folder.Path, "a.jsonl.gz");
        using (GZipStream gzip = new(File.Create(path), CompressionLevel.Fastest))
        {
            gzip.Write("{\"x\": \"one\"}\n{\"x\": \"two\"}\n"u8);
        }

        Assert.Equal(["one", "two"], Texts(RowLoader.Load(path), "x"));
        Assert.Contains("not a whole gzip file", Message(_folder.Write("b.csv.gz", "x\n1\n")), StringComparison.Ordinal);
    }

    [Fact]
    public void Csv_fields_may_hold_delimiters_quotes_and_line_breaks()
    {
        string path = _folder.Write("a.csv", "\uFEFFinput,output\r\n\"a, \"\"b\"\"\nc\",d\r\n,\"\"\r\ne é,f");
        IRowSource rows = RowLoader.Load(path);
        Assert.Equal(["a, \"b\"\nc", "", "e é"], Texts(rows, "input"));
        Assert.Equal(["d", "", "f"], Texts(rows, "output"));
        Assert.Equal("a.csv, line 5", rows[2].Place);
    }

    [Fact]
    public void Tsv_and_other_delimiters_are_read()
    {
        Assert.Equal(["1,5"], Texts(RowLoader.Load(_folder.Write("a.tsv", "x\ty\n1,5\t2\n")), "x"));
        Assert.Equal(["2"], Texts(RowLoader.Load(new LoadOptions { Source = _folder.Write("a.csv", "x;y\n1;2\n"), Delimiter = ";" }), "y"));
    }

    [Fact]
    public void Csv_mistakes_are_named()
    {
        Assert.Contains("line 3: 3 fields, but the first line names 2 columns (x, y)", Message(_folder.Write("a.csv", "x,y\n1,2\n1,2,3\n")), StringComparison.Ordinal);
        Assert.Contains("line 2: a quoted field is never closed", Message(_folder.Write("b.csv", "x,y\n\"1,2\n3,4\n")), StringComparison.Ordinal);
        Assert.Contains("names the column 'x' twice", Message(_folder.Write("c.csv", "x,x\n1,2\n")), StringComparison.Ordinal);
    }

    [Fact]
    public void Text_gives_a_row_per_line()
    {
        IRowSource rows = RowLoader.Load(_folder.Write("a.txt", "one\r\n\ntwo"));
        Assert.Equal(["one", "", "two"], Texts(rows, "text"));
    }

    [Fact]
    public void Formats_take_data_files_as_a_path_a_list_or_by_split()
    {
        string a = _folder.Write("a.data", "{\"x\": \"a\"}\n");
        string b = _folder.Write("b.data", "{\"x\": \"b\"}\n");
        Assert.Equal(["a"], Texts(RowLoader.Load(new LoadOptions { Source = "json", DataFiles = a }), "x"));
        Assert.Equal(["b", "a"], Texts(RowLoader.Load(new LoadOptions { Source = "json", DataFiles = new List<object?> { b, a } }), "x"));
        LoadOptions bySplit = new() { Source = "json", DataFiles = new Dictionary<string, object?> { ["train"] = a, ["test"] = new[] { b } } };
        Assert.Equal(["b"], Texts(RowLoader.Load(bySplit with { Split = "test" }), "x"));
        Assert.Equal(["b", "a"], Texts(RowLoader.Load(bySplit with { Split = "test+train" }), "x"));
        Assert.Contains("there is no split 'dev' in json. It has: train, test", Message(bySplit with { Split = "dev" }), StringComparison.Ordinal);
        Assert.Contains("data_files or data_dir must name the files", Message("json"), StringComparison.Ordinal);
    }

    [Fact]
    public void Folders_and_patterns_are_read_in_the_order_of_names()
    {
        _folder.Write("d/train-1.jsonl", "{\"x\": \"1\"}\n");
        _folder.Write("d/train-0.jsonl", "{\"x\": \"0\"}\n");
        _folder.Write("d/sub/validation.jsonl", "{\"x\": \"v\"}\n");
        _folder.Write("d/README.md", "# no data");
        string folder = Path.Combine(_folder.Path, "d");
        Assert.Equal(["0", "1"], Texts(RowLoader.Load(folder), "x"));
        Assert.Equal(["v"], Texts(RowLoader.Load(new LoadOptions { Source = folder, Split = "validation" }), "x"));
        Assert.Equal(["0", "1", "v"], Texts(RowLoader.Load(new LoadOptions { Source = folder, Split = "all" }), "x").Order());
        Assert.Equal(["0", "1"], Texts(RowLoader.Load(folder + "/train-?.jsonl"), "x"));
        Assert.Equal(["v", "0", "1"], Texts(RowLoader.Load(folder + "/**/*.jsonl"), "x"));
        Assert.Equal(["1"], Texts(RowLoader.Load(new LoadOptions { Source = folder, DataFiles = "train-1.*" }), "x"));
        Assert.Contains("no file matches", Message(folder + "/*.csv"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_names_the_nearest_one()
    {
        _folder.Write("alpaca.json", "[]");
        string message = Message(Path.Combine(_folder.Path, "alpca.json"));
        Assert.Contains("there is no such file. Did you mean alpaca.json?", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a.json", "[]")]
    [InlineData("a.json", "")]
    [InlineData("a.jsonl", "\n\n")]
    [InlineData("a.csv", "x,y\n")]
    [InlineData("a.txt", "")]
    public void An_empty_file_is_an_error(string name, string text) =>
        Assert.StartsWith("The data set is empty", Message(_folder.Write(name, text)), StringComparison.Ordinal);

    [Theory]
    [InlineData("train[:95%]", 0, 95)]
    [InlineData("train[95%:]", 95, 100)]
    [InlineData("train[10:20]", 10, 20)]
    [InlineData("train[-5:]", 95, 100)]
    [InlineData("train[-10%:-5%]", 90, 95)]
    [InlineData("train[ : 3 ]", 0, 3)]
    [InlineData("train", 0, 100)]
    public void Slices_are_those_of_load_dataset(string split, int from, int to)
    {
        string path = _folder.Write("a.txt", string.Join('\n', Enumerable.Range(0, 100)));
        string[] texts = Texts(RowLoader.Load(new LoadOptions { Source = path, Split = split }), "text");
        Assert.Equal(Enumerable.Range(from, to - from).Select(i => i.ToString()), texts);
    }

    [Fact]
    public void Percentages_round_half_to_even()
    {
        SplitTerm half = Assert.Single(SplitExpression.Parse("train[:50%]"));
        Assert.Equal((0, 2), half.Resolve(5));
        Assert.Equal((0, 4), half.Resolve(7));
    }

    [Theory]
    [InlineData("train[")]
    [InlineData("train[5]")]
    [InlineData("train[a:b]")]
    [InlineData("")]
    [InlineData("train++test")]
    [InlineData("train[:101%]")]
    [InlineData("train[:200]")]
    [InlineData("train[5:5]")]
    public void A_bad_split_is_an_error(string split) =>
        Assert.Contains("split", Message(new LoadOptions { Source = _folder.Write("a.txt", "a\nb\nc\nd\ne\nf"), Split = split }), StringComparison.Ordinal);

    [Fact]
    public void A_missing_column_lists_those_there_are()
    {
        Row row = RowLoader.Load(_folder.Write("a.json", "[{\"instruction\": \"a\", \"outptu\": \"b\"}]"))[0];
        string message = Assert.Throws<DatasetException>(() => row.Text("output")).Message;
        Assert.Equal("a.json, line 1: there is no column 'output'. Columns: instruction, outptu. Did you mean outptu?", message);
    }

    [Fact]
    public void Rows_under_a_key_are_hinted_at()
    {
        Row row = RowLoader.Load(_folder.Write("a.json", "{\"data\": [{\"x\": 1}]}"))[0];
        Assert.Contains("set field=data", Assert.Throws<DatasetException>(() => row.Text("x")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_line_longer_than_the_buffer_is_whole()
    {
        string text = new('x', 3_000_000);
        string path = _folder.Write("a.jsonl", $"{{\"x\": \"{text}\"}}\n{{\"x\": \"end\"}}\n");
        IRowSource rows = RowLoader.Load(path);
        Assert.Equal(text, rows[0].Text("x"));
        Assert.Equal("end", rows[1].Text("x"));
    }

    [Fact]
    public void A_hundred_thousand_rows_load_in_about_a_second()
    {
        StringBuilder text = new();
        for (int i = 0; i < 100_000; i++)
        {
            text.Append("{\"instruction\": \"").Append('i', 100).Append(i).Append("\", \"input\": \"\", \"output\": \"").Append('o', 300).Append("\"}\n");
        }

        string path = _folder.Write("a.jsonl", text.ToString());
        long start = Environment.TickCount64;
        Assert.Equal(100_000, RowLoader.Load(path).Count);
        Assert.True(Environment.TickCount64 - start < 3000, "too slow"); // two cores are shared with others
    }
}
