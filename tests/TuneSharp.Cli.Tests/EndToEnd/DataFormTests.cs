using System.Text.Json.Nodes;
using Parquet.Serialization;

namespace TuneSharp.Cli.Tests.EndToEnd;

/// <summary>The kinds of data that a config can name, each through a whole run.</summary>
public class DataFormTests
{
    public sealed class Pair
    {
        public string? input { get; set; }

        public string? output { get; set; }
    }

    [Fact]
    public async Task One_file_in_four_formats_gives_one_run()
    {
        JsonObject[] rows = [.. Enumerable.Range(0, 40).Select(TinyRun.Instruction)];
        using TinyRun jsonl = new();
        Ends.Well(jsonl.Lora());
        double[] losses = jsonl.Losses();
        Assert.Equal(6, losses.Length);

        using TinyRun other = new();
        string folder = other.Root;
        await File.WriteAllTextAsync(Path.Combine(folder, "a.json"), new JsonArray([.. rows.Select(r => r.DeepClone())]).ToJsonString(), TestContext.Current.CancellationToken);
        await File.WriteAllLinesAsync(Path.Combine(folder, "a.csv"), ["input,output", .. rows.Select(r => $"\"{r["input"]}\",{r["output"]}")], TestContext.Current.CancellationToken);
        await ParquetSerializer.SerializeAsync(
            rows.Select(r => new Pair { input = (string?)r["input"], output = (string?)r["output"] }).ToArray(),
            Path.Combine(folder, "a.parquet"), cancellationToken: TestContext.Current.CancellationToken);
        foreach (string format in (string[])["json", "csv", "parquet"])
        {
            other.Out = Path.Combine(folder, "out-" + format);
            Ends.Well(other.Lora($"dataset.source={format}", $"dataset.data_files={Path.Combine(folder, "a." + format)}"));
            Assert.Equal(losses, other.Losses());
        }
    }

    [Theory]
    [InlineData("{_component_: torchtune.datasets.alpaca_cleaned_dataset, source: json, train_on_input: False}")]
    [InlineData("{_component_: torchtune.datasets.instruct_dataset, source: json, packed: True}")]
    [InlineData("{_component_: torchtune.datasets.text_completion_dataset, source: json, column: output}")]
    [InlineData("{_component_: torchtune.datasets.text_completion_dataset, source: json, column: output, packed: True}")]
    public void Data_sets_train(string dataset)
    {
        using TinyRun run = new();
        Ends.Well(run.Lora("tokenizer.max_seq_len=256", "dataset=" + dataset, $"dataset.data_files={run.Data}", "batch_size=1", "epochs=3", "max_steps_per_epoch=5"));
        double[] losses = run.Losses();
        Assert.True(losses.Length >= 3 && losses[^1] < losses[0], string.Join(' ', losses));
    }

    [Theory]
    [InlineData("openai", "messages", "role", "content", "user", "assistant")]
    [InlineData("sharegpt", "conversations", "from", "value", "human", "gpt")]
    public void Chats_train(string style, string column, string who, string what, string user, string assistant)
    {
        using TinyRun run = new();
        File.WriteAllLines(run.Data, Enumerable.Range(0, 40).Select(TinyRun.Instruction).Select(r => new JsonObject
        {
            [column] = new JsonArray(
                new JsonObject { [who] = user, [what] = (string?)r["input"] }, new JsonObject { [who] = assistant, [what] = (string?)r["output"] },
                new JsonObject { [who] = user, [what] = "again" }, new JsonObject { [who] = assistant, [what] = (string?)r["output"] }),
        }.ToJsonString()));
        Ends.Well(run.Lora(
            $"dataset={{_component_: torchtune.datasets.chat_dataset, source: json, conversation_column: {column}, conversation_style: {style}}}",
            $"dataset.data_files={run.Data}"));
        double[] losses = run.Losses();
        Assert.True(losses[^1] < losses[0], string.Join(' ', losses));
    }

    [Fact]
    public void Two_data_sets_are_read_as_one()
    {
        using TinyRun run = new();
        run.Settings.RemoveAll(s => s.StartsWith("dataset", StringComparison.Ordinal));
        string one = $"{{_component_: torchtune.datasets.instruct_dataset, source: json, data_files: {run.Data}}}";
        CliResult result = Cli.Run([.. run.Words("lora_finetune_single_device", "llama3_2/1B_lora_single_device", [])
            .Where(w => !w.StartsWith("dataset.", StringComparison.Ordinal)), $"dataset=[{one}, {one}]"]);
        Ends.Well(result);
        Assert.Contains("80 samples", result.Out, StringComparison.Ordinal);
    }
}
