using System.Globalization;
using System.Text.Json.Nodes;

namespace TuneSharp.Cli.Tests.EndToEnd;

/// <summary>What a user does about data: look at it, run twice, mix, stream, leave bad rows out.</summary>
public class DataCommandTests
{
    private static string[] Preview(TinyRun run, params string[] more) =>
    [
        "data", "preview", "--config", "llama3_2/1B_lora_single_device", $"tokenizer.path={run.Model}", "tokenizer.max_seq_len=64",
        "dataset={_component_: torchtune.datasets.instruct_dataset, source: json}", $"dataset.data_files={run.Data}", .. more,
    ];

    [Fact]
    public void Preview_shows_samples_what_is_learned_and_numbers()
    {
        using TinyRun run = new();
        CliResult result = Cli.Run(Preview(run, "-n", "2"));
        Ends.Well(result);
        Assert.Contains("--- sample 1 of 40  train.jsonl, line 1  ", result.Out, StringComparison.Ordinal);
        Assert.Contains("--- sample 2 of 40  train.jsonl, line 2  ", result.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("sample 3 of 40", result.Out, StringComparison.Ordinal);
        Assert.Contains("say a0", result.Out, StringComparison.Ordinal);
        Assert.Matches(@"\[\[[^\]]*aaa<\|eot_id\|>\]\]", result.Out);
        Assert.Matches(@"length +min \d+, median \d+, p95 \d+, max \d+", result.Out);
        Assert.Matches(@"tokens +[\d,]+, learned [\d,]+ \(\d+\.\d %\)", result.Out);
        Assert.Matches(@"truncated +0 \(0\.0 %\), max_seq_len 64", result.Out);
        Assert.Matches(@"nothing to learn +0 \(0\.0 %\)", result.Out);
        Assert.DoesNotContain("\e[", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Preview_colours_a_terminal()
    {
        using TinyRun run = new();
        StringWriter output = new();
        Terminal terminal = new(output, TextWriter.Null, true, true, () => 80) { HasColours = true };
        Assert.Equal(0, new CommandLine(terminal).Run(Preview(run, "-n", "1"), CancellationToken.None));
        Assert.Contains("aaa<|eot_id|>\e[0m", output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("[[", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Preview_shows_packs_their_fill_and_the_limits_between_samples()
    {
        using TinyRun run = new();
        CliResult result = Cli.Run(Preview(run, "-n", "1", "tokenizer.max_seq_len=256", "dataset.packing=best_fit"));
        Ends.Well(result);
        Assert.Matches(@"--- pack 1 of \d+  train\.jsonl, line \d+; train\.jsonl, line \d+", result.Out);
        Assert.Contains("- - -", result.Out, StringComparison.Ordinal);
        Assert.Matches(@"packs +\d+ of 256 tokens, \d+\.\d % full", result.Out);
    }

    [Fact]
    public void Preview_names_samples_that_teach_nothing_and_fails_when_none_does()
    {
        using TinyRun run = new();
        File.AppendAllText(run.Data, new JsonObject { ["input"] = new string('q', 100), ["output"] = "x" }.ToJsonString() + "\n");
        CliResult some = Cli.Run(Preview(run, "-n", "0"));
        Ends.Well(some);
        Assert.Matches(@"nothing to learn +1 \(2\.4 %\): train\.jsonl, line 41", some.Out);
        Assert.Matches(@"truncated +1 \(2\.4 %\)", some.Out);
        Assert.Contains("warning: 1 of 41 samples", some.Error, StringComparison.Ordinal);
        Ends.Badly(Cli.Run(Preview(run, "tokenizer.max_seq_len=8")), 1, "All labels are masked", "train.jsonl, line 1", "Raise it");
    }

    [Fact]
    public void Preview_looks_at_validation_streams_and_any_config()
    {
        using TinyRun run = new();
        string second = Path.Combine(run.Root, "val.jsonl");
        File.WriteAllLines(second, Enumerable.Range(0, 3).Select(i => TinyRun.Instruction(i + 10).ToJsonString()));
        CliResult val = Cli.Run(Preview(run, "--val", $"dataset_val={{_component_: torchtune.datasets.instruct_dataset, source: {second}}}"));
        Ends.Well(val);
        Assert.Contains("sample 1 of 3  val.jsonl, line 1", val.Out, StringComparison.Ordinal);
        Ends.Badly(Cli.Run(Preview(run, "--val")), 1, "no dataset_val");
        CliResult stream = Cli.Run(Preview(run, "-n", "1", "dataset.streaming=True"));
        Ends.Well(stream);
        Assert.Matches(@"stream +the first 40 samples", stream.Out);
        Ends.Badly(Cli.Run("data", "preview", "--config", "generation"), 2, "dataset is missing");
    }

    [Fact]
    public void The_second_run_finds_its_tokens()
    {
        using TinyRun run = new();
        string cache = Path.Combine(run.Root, "cache");
        CliResult first = run.Lora($"dataset.cache_dir={cache}");
        Ends.Well(first);
        Assert.Contains("Data: 40 samples", first.Out, StringComparison.Ordinal);
        Assert.Contains("tokenised in", first.Out, StringComparison.Ordinal);
        double[] losses = run.Losses();
        run.Out += "2";
        CliResult second = run.Lora($"dataset.cache_dir={cache}", "dataset.packed=False");
        Ends.Well(second);
        Assert.Contains($"found tokenised in {cache}", second.Out, StringComparison.Ordinal);
        Assert.Equal(losses, run.Losses());
        run.Out += "3";
        CliResult off = run.Lora("dataset.cache=False");
        Ends.Well(off);
        Assert.Contains("tokenised, in memory", off.Out, StringComparison.Ordinal);
        Assert.Equal(losses, run.Losses());
    }

    [Fact]
    public void Data_sets_are_mixed_by_weight_and_a_mixed_run_resumes()
    {
        using TinyRun whole = new();
        using TinyRun parts = new();
        string[] Mixed(TinyRun run, params string[] more)
        {
            string second = Path.Combine(run.Root, "b.jsonl");
            File.WriteAllLines(second, Enumerable.Range(0, 8).Select(i => TinyRun.Instruction(i + 3).ToJsonString()));
            string One(string path, int weight) => string.Create(
                CultureInfo.InvariantCulture, $"{{_component_: torchtune.datasets.instruct_dataset, source: json, data_files: {path}, weight: {weight}}}");
            return [.. run.Words("lora_finetune_single_device", "llama3_2/1B_lora_single_device", [])
                .Where(w => !w.StartsWith("dataset", StringComparison.Ordinal)), $"dataset=[{One(run.Data, 3)}, {One(second, 1)}]",
                "batch_size=2", "max_steps_per_epoch=4", "epochs=2", "save_every_n_steps=4", "model.lora_rank=4", .. more];
        }

        CliResult result = Cli.Run(Mixed(whole));
        Ends.Well(result);
        Assert.Contains("Mixed in an epoch: 24 of 40 of data set 1, 8 of 8 of data set 2.", result.Out, StringComparison.Ordinal);
        Assert.Contains("32 samples", result.Out, StringComparison.Ordinal);
        Ends.Well(Cli.Run(Mixed(parts)));
        Directory.Delete(Path.Combine(parts.Out, "step_8"), recursive: true);
        Ends.Well(Cli.Run(Mixed(parts, "resume_from_checkpoint=True")));
        Assert.Equal(whole.Losses(), parts.Losses());
    }

    /// <summary>Windows of 8 rows and batches of 3: a save falls into a window, and a pass ends in the middle of a step.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("dataset.packed=True")]
    public void A_streamed_run_that_was_stopped_goes_on_to_the_last_bit(string packed)
    {
        string[] settings =
        [
            "dataset.streaming=True", "dataset.shuffle_buffer=8", "batch_size=3", "gradient_accumulation_steps=2", "max_steps_per_epoch=12",
            "save_every_n_steps=5", "clip_grad_norm=1.0", "tokenizer.max_seq_len=128", .. packed.Length > 0 ? [packed, "batch_size=1"] : Array.Empty<string>(),
        ];
        using TinyRun whole = new();
        using TinyRun parts = new();
        CliResult result = whole.Lora(settings);
        Ends.Well(result);
        Assert.Contains("a stream", result.Out, StringComparison.Ordinal);
        Assert.Equal(12, whole.Losses().Length);
        Ends.Well(parts.Lora(settings));
        foreach (string folder in (string[])["step_10", "step_12"])
        {
            Directory.Delete(Path.Combine(parts.Out, folder), recursive: true);
        }

        Ends.Well(parts.Lora([.. settings, "resume_from_checkpoint=True"]));
        Assert.Equal(whole.Losses()[5..], parts.Losses()[^7..]);
        foreach (string file in Directory.GetFiles(Path.Combine(whole.Out, "step_12"), "*.safetensors"))
        {
            TinyRun.SameTensors(file, parts.Saved("step_12", Path.GetFileName(file)));
        }
    }

    [Fact]
    public void A_stream_needs_a_length_for_its_epochs()
    {
        using TinyRun run = new();
        Ends.Badly(run.Lora("dataset.streaming=True", "max_steps_per_epoch=null"), 1, "streaming", "max_steps_per_epoch");
    }

    [Fact]
    public void Bad_rows_end_a_run_or_are_left_out_and_counted()
    {
        using TinyRun run = new();
        File.AppendAllText(run.Data, "{\"input\": \"a\"}\n{\"input\": 1, \"output\": {\"a\": 1}}\n{\"input\": \n");
        Ends.Badly(run.Lora(), 1, "train.jsonl, line 43");
        CliResult skipped = run.Lora("dataset.on_error=skip");
        Ends.Well(skipped);
        Assert.Contains("left out 3 of 43 rows", skipped.Out, StringComparison.Ordinal);
        Assert.Contains("train.jsonl, line 43", skipped.Out, StringComparison.Ordinal);
        Assert.Contains("line 42: column 'output' holds an object", skipped.Out, StringComparison.Ordinal);
        Assert.Contains("40 samples", skipped.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_filter_and_a_second_packing_run_to_the_end()
    {
        using TinyRun run = new();
        CliResult result = run.Lora(
            "dataset.filter_fn={_component_: tunesharp.filters.text_length, column: output, min: 4}", "dataset.packing=best_fit", "tokenizer.max_seq_len=128",
            "batch_size=1");
        Ends.Well(result);
        Assert.Contains("Data: 32 samples", result.Out, StringComparison.Ordinal);
    }
}
