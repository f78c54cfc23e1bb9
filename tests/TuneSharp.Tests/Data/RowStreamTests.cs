using System.IO.Compression;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using ICSharpCode.SharpZipLib.BZip2;
using Parquet.Schema;
using Parquet.Serialization;
using TuneSharp.Data;

namespace TuneSharp.Tests.Data;

public sealed class RowStreamTests : IDisposable
{
    private const int Rows = 57;
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Formats() =>
    [
        "a.jsonl", "a.json", "field.json", "a.csv", "a.tsv", "a.txt", "a.parquet", "stream.arrow", "file.arrow",
        "a.jsonl.gz", "a.json.zst", "a.csv.bz2", "a.tsv.zst", "a.txt.gz", "stream.arrow.zst",
    ];

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task Every_format_gives_the_same_rows_streamed_indexed_and_resumed(string name)
    {
        LoadOptions options = await Make(name);
        IRowSource indexed = RowLoader.Load(options);
        IRowSequence stream = RowLoader.Stream(options);
        string[] expected = [.. Enumerable.Range(0, Rows).Select(Text)];
        Assert.Equal(expected, Enumerable.Range(0, indexed.Count).Select(i => indexed[i].Text("text")));
        StreamedRow[] all = [.. stream.Read()];
        Assert.Equal(expected, all.Select(r => r.Row.Text("text")));
        Assert.Equal(Enumerable.Range(0, Rows).Select(i => indexed[i].Place), all.Select(r => r.Row.Place));
        Assert.Equal(Rows, stream.CountRows());
        foreach (int cut in new[] { 1, 20, 31, Rows - 1 })
        {
            StreamedRow[] rest = [.. stream.Read(all[cut - 1].Next)];
            Assert.Equal(expected[cut..], rest.Select(r => r.Row.Text("text")));
            Assert.Equal(all[cut..].Select(r => (r.Row.Place, r.Next)), rest.Select(r => (r.Row.Place, r.Next)));
            Assert.Equal(expected[cut..], stream.Read(new RowPosition(0, cut)).Select(r => r.Row.Text("text"))); // without the byte
        }

        Assert.Empty(stream.Read(all[^1].Next));
    }

    [Theory]
    [InlineData("train[10:20]")]
    [InlineData("train[:-10]+test[5%:10%]")]
    [InlineData("train[50%:]+train[:50%]")]
    [InlineData("test+train")]
    [InlineData("train[-1:]")]
    [InlineData("train[:7%](pct1_dropremainder)")]
    public void A_slice_over_many_files_is_that_of_the_random_source(string split)
    {
        for (int file = 0; file < 4; file++)
        {
            _folder.Write($"d/train-{file}.jsonl", string.Concat(Enumerable.Range(0, 30 + file).Select(i => $"{{\"text\": \"{file}.{i}\"}}\n")));
        }

        _folder.Write("d/test.csv", "text\n" + string.Concat(Enumerable.Range(0, 40).Select(i => $"t{i}\n")));
        LoadOptions options = new() { Source = Path.Combine(_folder.Path, "d"), Split = split };
        IRowSource indexed = RowLoader.Load(options);
        IRowSequence stream = RowLoader.Stream(options);
        string[] expected = [.. Enumerable.Range(0, indexed.Count).Select(i => indexed[i].Text("text"))];
        StreamedRow[] all = [.. stream.Read()];
        Assert.Equal(expected, all.Select(r => r.Row.Text("text")));
        Assert.Equal(expected.Length, stream.CountRows());
        for (int cut = 1; cut < all.Length; cut++)
        {
            Assert.Equal(expected[cut..], stream.Read(all[cut - 1].Next).Select(r => r.Row.Text("text")));
        }

        Assert.Equal(expected, stream.Parts.SelectMany((_, p) => stream.ReadPart(new RowPosition(p, 0))).Select(r => r.Row.Text("text")));
    }

    [Theory]
    [InlineData("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \n{\"text\": \"b\"}\n[1]\n", "line 2, byte", "line 4, byte 1: a row must be an object")]
    [InlineData("a.csv", "text,n\na,1\nx\nb,2\n\"y,3", "line 3: 1 fields", "line 5: a quoted field is never closed")]
    [InlineData("a.json", "[{\"text\": \"a\"},\n5,\n{\"text\": \"b\"},\n{\"text\": tru}]", "line 2: a row must be an object", "line 4, byte")]
    public void Bad_rows_are_named_or_left_out(string name, string text, string first, string second)
    {
        string path = _folder.Write(name, text);
        List<string> told = [];
        IRowSequence stream = RowLoader.Stream(path);
        StreamedRow[] rows = [.. stream.Read(default, e => told.Add(e.Message))];
        Assert.Equal(["a", "b"], rows.Select(r => r.Row.Text("text")));
        Assert.Collection(told, m => Assert.Contains($"{path}, {first}", m), m => Assert.Contains($"{path}, {second}", m));
        Assert.Equal(3, rows[1].Next.Row); // the bad one counts, so that places do not depend on what is left out
        Assert.Contains(first, Assert.Throws<DatasetException>(() => stream.Read().Count()).Message);
        List<string> indexed = [];
        IRowSource source = RowLoader.Load(path, e => indexed.Add(e.Message));
        Assert.Equal(told, indexed);
        Assert.Equal(["a", "b"], [source[0].Text("text"), source[1].Text("text")]);
    }

    [Theory]
    [InlineData("a.jsonl", "{\"x\": 1, \"text\": \"caf\u00ff\"}\n", "column 'text' holds invalid UTF-8")]
    [InlineData("a.csv", "x,text\n1,caf\u00ff\n", "column 'text' holds invalid UTF-8 at its byte 4")]
    [InlineData("a.txt", "caf\u00ff\n", "line 1: invalid UTF-8 at its byte 4")]
    [InlineData("b.jsonl", "{\"x\": \"\\ud83d\"}\n", "column 'x' holds half a character")]
    public void Broken_text_names_file_row_and_field(string name, string latin, string message)
    {
        string path = Path.Combine(_folder.Path, name);
        File.WriteAllBytes(path, Encoding.Latin1.GetBytes(latin));
        Assert.Contains(message, Assert.Throws<DatasetException>(() => RowLoader.Load(path)).Message);
        string streamed = Assert.Throws<DatasetException>(() => RowLoader.Stream(path).Read().Count()).Message;
        Assert.Contains(message, streamed);
        Assert.Contains(name, streamed);
    }

    [Theory]
    [InlineData("paragraph", "a\nb|c|d")]
    [InlineData("document", "a\nb\n\n\nc\n\nd\n")]
    public void Text_can_be_cut_otherwise(string sampleBy, string expected)
    {
        LoadOptions options = new() { Source = _folder.Write("a.txt", "a\nb\n\n\nc\n\nd\n"), SampleBy = sampleBy };
        Assert.Equal(expected, string.Join('|', RowLoader.Stream(options).Read().Select(r => r.Row.Text("text"))));
    }

    [Fact]
    public void A_csv_without_names_is_given_them()
    {
        LoadOptions options = new() { Source = _folder.Write("a.csv", "1;2\n3;4\n"), Sep = ";", ColumnNames = ["x", "y"] };
        Assert.Equal("2 4", string.Join(' ', RowLoader.Stream(options).Read().Select(r => r.Row.Text("y"))));
    }

    [Theory]
    [InlineData("a.json", "[{\"x\": 1}, {\"x\": 2}", "the file ends inside the list")]
    [InlineData("a.json", "[{\"x\": 1} {\"x\": 2}]", "where a comma or the end of the list belongs")]
    [InlineData("a.json", "[{\"x\": \"1}]", "never closed")]
    [InlineData("a.parquet", "PAR1 no", "cannot be read")]
    [InlineData("a.arrow", "ARROW1 no", "cannot be read")]
    [InlineData("a.jsonl.zst", "no", "not a whole zstd file")]
    [InlineData("a.jsonl.bz2", "no", "not a whole bzip2 file")]
    public void A_broken_file_is_one_sentence_in_both_ways(string name, string text, string message)
    {
        string path = _folder.Write(name, text);
        Assert.Contains(message, Assert.Throws<DatasetException>(() => RowLoader.Load(path)).Message);
        Assert.Contains(message, Assert.Throws<DatasetException>(() => RowLoader.Stream(path).Read().Count()).Message);
    }

    [Fact]
    public void Gzip_files_one_after_another_are_one()
    {
        string path = Path.Combine(_folder.Path, "a.jsonl.gz");
        foreach (string row in new[] { "{\"x\": 1}\n", "{\"x\": 2}\n" })
        {
            using FileStream file = new(path, FileMode.Append);
            using GZipStream gzip = new(file, CompressionLevel.Fastest);
            gzip.Write(Utf8(row));
        }

        Assert.Equal("1 2", string.Join(' ', RowLoader.Stream(path).Read().Select(r => r.Row.Text("x"))));
    }

    [Theory]
    [InlineData("a.jsonl.gz", "gzip")]
    [InlineData("a.csv.zst", "zstd")]
    public async Task A_file_that_was_cut_off_is_no_shorter_data_set(string name, string kind)
    {
        LoadOptions options = await Make(name);
        byte[] whole = File.ReadAllBytes(options.Source!);
        File.WriteAllBytes(options.Source!, whole[..(whole.Length / 2)]);
        Assert.Contains($"not a whole {kind} file", Assert.Throws<DatasetException>(() => RowLoader.Load(options)).Message);
        Assert.Contains($"not a whole {kind} file", Assert.Throws<DatasetException>(() => RowLoader.Stream(options).Read().Count()).Message);
    }

    [Fact]
    public void Streaming_a_large_file_takes_little_memory()
    {
        string path = Path.Combine(_folder.Path, "large.jsonl");
        using (StreamWriter writer = new(path))
        {
            for (int i = 0; i < 200_000; i++)
            {
                writer.WriteLine($"{{\"text\": \"{new string('x', 200)}{i}\"}}");
            }
        }

        long before = GC.GetTotalMemory(forceFullCollection: true);
        long peak = 0;
        long n = 0;
        foreach (StreamedRow row in RowLoader.Stream(path).Read())
        {
            if (++n % 20_000 == 0)
            {
                peak = Math.Max(peak, GC.GetTotalMemory(forceFullCollection: true) - before);
            }
        }

        Assert.Equal(200_000, n);
        Assert.InRange(peak, 0, 8 << 20); // the file has 45 MB
    }

    private static string Text(int i) => i % 7 == 3 ? "" : $"row {i}, \"quoted\" é 😀";

    private static string Json(int i) => $"{{\"n\": {i}, \"text\": {System.Text.Json.JsonSerializer.Serialize(Text(i))}}}";

    private async Task<LoadOptions> Make(string name)
    {
        string path = Path.Combine(_folder.Path, name);
        string bare = name.EndsWith(".gz", StringComparison.Ordinal) || name.EndsWith(".zst", StringComparison.Ordinal) || name.EndsWith(".bz2", StringComparison.Ordinal) ? Path.GetFileNameWithoutExtension(name) : name;
        IEnumerable<int> numbers = Enumerable.Range(0, Rows);
        string Delimited(char d) => $"n{d}text\n" + string.Concat(numbers.Select(i => $"{i}{d}\"{Text(i).Replace("\"", "\"\"")}\"\r\n"));
        byte[] bytes = bare switch
        {
            "a.jsonl" => Utf8(string.Concat(numbers.Select(i => Json(i) + "\n"))),
            "a.json" => Utf8("[" + string.Join(",\n ", numbers.Select(Json)) + "]\n"),
            "field.json" => Utf8("{\"info\": [1, {\"data\": 2}], \"data\": [" + string.Join(",\n ", numbers.Select(Json)) + "], \"more\": {}}"),
            "a.csv" => Utf8(Delimited(',')),
            "a.tsv" => Utf8(Delimited('\t')),
            "a.txt" => Utf8(string.Concat(numbers.Select(i => Text(i) + "\n"))),
            "a.parquet" => await Parquet(),
            _ => Arrow(isFile: bare == "file.arrow"),
        };
        using MemoryStream packed = new();
        using (Stream packer = Path.GetExtension(name) switch
        {
            ".gz" => new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            ".zst" => new ZstdSharp.CompressionStream(packed, leaveOpen: true),
            ".bz2" => new BZip2OutputStream(packed) { IsStreamOwner = false },
            _ => new BufferedStream(packed),
        })
        {
            packer.Write(bytes);
            packer.Flush();
            if (packer is BufferedStream)
            {
                File.WriteAllBytes(path, packed.ToArray());
                return Options();
            }
        }

        File.WriteAllBytes(path, packed.ToArray());
        return Options();

        LoadOptions Options() => new() { Source = path, Field = bare == "field.json" ? "data" : null };
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    private static async Task<byte[]> Parquet()
    {
        ParquetSchema schema = new(new DataField<int>("n"), new DataField<string>("text"));
        IDictionary<string, object?>[] rows = [.. Enumerable.Range(0, Rows).Select(i => new Dictionary<string, object?> { ["n"] = i, ["text"] = Text(i) })];
        using MemoryStream file = new();
        await ParquetSerializer.SerializeUntypedAsync(rows, schema, file, new global::Parquet.ParquetOptions { RowGroupSize = 20 }, cancellationToken: TestContext.Current.CancellationToken);
        return file.ToArray();
    }

    private static byte[] Arrow(bool isFile)
    {
        using MemoryStream bytes = new();
        Schema schema = new([new Apache.Arrow.Field("n", Apache.Arrow.Types.Int32Type.Default, false), new Apache.Arrow.Field("text", Apache.Arrow.Types.StringType.Default, true)], null);
        using (ArrowStreamWriter writer = isFile ? new ArrowFileWriter(bytes, schema, leaveOpen: true) : new ArrowStreamWriter(bytes, schema, leaveOpen: true))
        {
            for (int at = 0; at < Rows; at += 20)
            {
                int[] part = [.. Enumerable.Range(at, Math.Min(20, Rows - at))];
                writer.WriteRecordBatch(new RecordBatch(
                    schema,
                    [new Int32Array.Builder().AppendRange(part).Build(), new StringArray.Builder().AppendRange(part.Select(Text)).Build()],
                    part.Length));
            }

            writer.WriteEnd();
        }

        return bytes.ToArray();
    }
}
