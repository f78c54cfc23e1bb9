using Parquet.Schema;
using Parquet.Serialization;
using TuneSharp.Data;

namespace TuneSharp.Tests.Data;

public sealed class ParquetTests
{
    public sealed class Turn
    {
        public string? role { get; set; }

        public string? content { get; set; }
    }

    public sealed class Chat
    {
        public long id { get; set; }

        public double? score { get; set; }

        public List<Turn>? messages { get; set; }
    }

    [Fact]
    public async Task Nested_conversations_are_read()
    {
        using TempFolder folder = new();
        string path = Path.Combine(folder.Path, "a.parquet");
        Chat[] chats = [.. Enumerable.Range(0, 3).Select(i => new Chat
        {
            id = i,
            score = i == 1 ? null : i / 2.0,
            messages = [new Turn { role = "user", content = $"q{i}" }, new Turn { role = "assistant", content = $"a{i}" }],
        })];
        await ParquetSerializer.SerializeAsync(chats, path, cancellationToken: TestContext.Current.CancellationToken);

        IRowSource rows = RowLoader.Load(path);
        Assert.Equal(["id", "score", "messages"], rows[0].Columns);
        Assert.Equal(2L, rows[2]["id"]);
        Assert.Equal(1.0, rows[2]["score"]);
        Assert.Null(rows[1]["score"]);
        Assert.Equal("a.parquet, row 2", rows[1].Place);
        Sample sample = Datasets.ChatDataset(new ByteModelTokenizer(), path, "messages", ConversationStyle.Openai)[2];
        Assert.Equal([257, 'q', '2', 'a', '2', 258], sample.Tokens);
    }

    [Fact]
    public async Task Flat_columns_are_read()
    {
        using TempFolder folder = new();
        string path = Path.Combine(folder.Path, "a.parquet");
        ParquetSchema schema = new(new DataField<string>("input"), new DataField<string>("output"), new DataField<int>("n"));
        List<IDictionary<string, object?>> data = [new Dictionary<string, object?>() { ["input"] = "a", ["output"] = "é", ["n"] = 5 }];
        await using (FileStream file = File.Create(path))
        {
            await ParquetSerializer.SerializeUntypedAsync(data, schema, file, cancellationToken: TestContext.Current.CancellationToken);
        }

        Row row = RowLoader.Load(path)[0];
        Assert.Equal("é", row.Text("output"));
        Assert.Equal(5L, row["n"]);
    }

    [Fact]
    public void A_broken_file_is_one_sentence()
    {
        using TempFolder folder = new();
        string message = Assert.Throws<DatasetException>(() => RowLoader.Load(folder.Write("a.parquet", "PAR1 no"))).Message;
        Assert.Contains("a.parquet: this Parquet file cannot be read", message, StringComparison.Ordinal);
    }
}
