using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using TuneSharp.Tests;

namespace TuneSharp.Cli.Tests.EndToEnd;

/// <summary>What goes wrong ends as one sentence with the remedy, and the last good save is what it was.</summary>
public class BadInputTests
{
    [Fact]
    public void A_missing_data_file() => After_a_good_run(1, run => File.Delete(run.Data), [], run => [run.Data]);

    [Fact]
    public void An_empty_data_set() => After_a_good_run(1, run => File.WriteAllText(run.Data, ""), [], run => ["empty", run.Data]);

    [Fact]
    public void A_broken_row() => After_a_good_run(
        1, run => File.AppendAllText(run.Data, "{\"input\": \"a\", \"output\": \n"), [], run => [run.Data, "41"]);

    [Fact]
    public void A_missing_column() => After_a_good_run(
        1, _ => { }, ["dataset.column_map={input: question, output: output}"], _ => ["question", "instruction, input, output"]);

    [Fact]
    public void All_labels_masked() => After_a_good_run(
        1, _ => { }, ["tokenizer.max_seq_len=8"], _ => ["All labels are masked", "tokenizer.max_seq_len=8", "Raise it"]);

    [Fact]
    public void A_missing_checkpoint_folder() => After_a_good_run(
        1, run => Directory.Delete(run.Model, recursive: true), ["tokenizer.path=quickstart/model"], run => [run.Model]);

    [Fact]
    public void A_missing_tokenizer() => After_a_good_run(
        2, run => File.Delete(Path.Combine(run.Model, "tokenizer.json")), [], run => ["tokenizer", run.Model]);

    [Fact]
    public void Weights_of_another_size() => After_a_good_run(
        1, run => Edit(run, c => c["intermediate_size"] = 128), [], _ => ["model.layers.0.mlp", "the model wants"]);

    [Fact]
    public void Weights_of_another_family() => After_a_good_run(
        1, _ => { }, ["model._component_=torchtune.models.llama3_2.lora_llama3_2_1b"], _ => ["layers", "the model 16"]);

    [Fact]
    public void A_family_that_is_not_known() => After_a_good_run(
        1, run => Edit(run, c => c["model_type"] = "mamba"), [], _ => ["model_type mamba", "llama"]);

    [Fact]
    public void Truncated_weights() => After_a_good_run(1, run =>
    {
        string file = Path.Combine(run.Model, "model.safetensors");
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..^1000]);
    }, [], run => [Path.Combine(run.Model, "model.safetensors")]);

    [Fact]
    public void Overlapping_tensors() => After_a_good_run(1, run =>
    {
        string file = Path.Combine(run.Model, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(file);
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        JsonObject header = JsonNode.Parse(bytes.AsSpan(8, length))!.AsObject();
        string[] norms = [.. header.Select(h => h.Key).Where(k => k.EndsWith("layernorm.weight", StringComparison.Ordinal))];
        header[norms[1]]!["data_offsets"] = header[norms[0]]!["data_offsets"]!.DeepClone();
        byte[] text = Encoding.UTF8.GetBytes(header.ToJsonString());
        Assert.True(text.Length <= length + 64);
        byte[] head = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(head, text.Length);
        File.WriteAllBytes(file, [.. head, .. text, .. bytes[(8 + length)..]]);
    }, [], run => ["model.safetensors", "layernorm.weight (bytes ", "over"]);

    [Fact]
    public void A_token_id_beyond_the_vocabulary() => After_a_good_run(1, run =>
    {
        string file = Path.Combine(run.Model, "tokenizer.json");
        JsonObject json = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        json["model"]!["vocab"]!["a"] = 500;
        File.WriteAllText(file, json.ToJsonString());
    }, [], _ => ["Token id 500", "vocabulary of 192"]);

    [Fact]
    public void A_loss_that_is_no_number() => After_a_good_run(
        1, _ => { }, ["optimizer.lr=1e30", "~lr_scheduler"], _ => ["Step 2", "NaN", "optimizer.lr"]);

    [Fact]
    public void A_quantised_head_over_a_plain_base() => After_a_good_run(
        1, _ => { }, ["model.quantize_output=True"], _ => ["quantize_output", "quantize_base=True"]);

    [Fact]
    public void A_device_that_is_not_there()
    {
        if (!TorchSharp.torch.cuda.is_available())
        {
            After_a_good_run(1, _ => { }, ["device=cuda"], _ => ["cuda", "device=cpu"]);
        }

        After_a_good_run(1, _ => { }, ["device=tpu"], _ => ["tpu", "cpu"]);
    }

    [Fact]
    public void A_rank_of_nothing() => After_a_good_run(1, _ => { }, ["model.lora_rank=0"], _ => ["lora_rank is 0"]);

    [Fact]
    public void Unknown_keys_are_all_listed_before_anything_is_read()
    {
        using TinyRun run = new();
        string config = Path.Combine(run.Root, "c.yaml");
        File.WriteAllText(config, TuneSharp.Config.ConfigCatalog.Open("llama3_2/1B_lora_single_device").Text
            .Replace("lora_rank", "lora_rnk", StringComparison.Ordinal)
            .Replace("batch_size", "batchsize", StringComparison.Ordinal)
            .Replace("weight_decay", "weight_decya", StringComparison.Ordinal));
        Ends.Badly(Cli.Run("run", "lora_finetune_single_device", "--config", config), 2,
            "3 mistakes", $"{config}:", "lora_rnk", "lora_rank", "batchsize", "batch_size", "weight_decya", "weight_decay");
    }

    [Fact]
    public void A_mistake_in_the_YAML_has_line_and_column()
    {
        using TinyRun run = new();
        string config = Path.Combine(run.Root, "c.yaml");
        File.WriteAllText(config, "output_dir: out\nmodel:\n  _component_: auto\n lora_rank: [1, 2\n");
        CliResult result = Cli.Run("run", "lora_finetune_single_device", "--config", config);
        Ends.Badly(result, 2, config + ":4");
    }

    [Fact]
    public void A_disk_that_fills_up_while_saving()
    {
        if (OperatingSystem.IsWindows())
        {
            return; // no `ulimit` there
        }

        // A limit on the size of a file stops the write as a full disk does, and needs no rights.
        using TinyRun run = new();
        run.Settings.Add("save_every_n_steps=2");
        string[] words = run.Words("lora_finetune_single_device", "llama3_2/1B_lora_single_device", ["model.lora_rank=4", "max_steps_per_epoch=2"]);
        Ends.Well(Cli.Run(words));
        IReadOnlyDictionary<string, string> before = TinyRun.Contents(Path.Combine(run.Out, "step_2"));
        CliResult result = RunWithSmallFiles([.. words, "max_steps_per_epoch=4", "resume_from_checkpoint=True"]);
        Ends.Badly(result, 1, "step_4", "could not be saved", "ulimit -f");
        Assert.Equal(before, TinyRun.Contents(Path.Combine(run.Out, "step_2")));
        Assert.False(Directory.Exists(Path.Combine(run.Out, "step_4")));
    }

    /// <summary>The real program, where no file may become longer than 40 KB: less than the model, more than the log.</summary>
    private static CliResult RunWithSmallFiles(string[] words)
    {
        ProcessStartInfo start = new(
            "bash",
            ["-c", "trap '' XFSZ; ulimit -f 40; exec dotnet \"$@\"", "bash", Path.Combine(AppContext.BaseDirectory, "tune.dll"), .. words])
        { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, WorkingDirectory = Repo.Root };
        // The runtime's own shared memory file would meet the limit too.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new(process.ExitCode, output, error.Result);
    }

    /// <summary>Trains and saves; then a mistake; then the same command again, which must fail and leave the save alone.</summary>
    private static void After_a_good_run(int code, Action<TinyRun> spoil, string[] overrides, Func<TinyRun, string[]> words)
    {
        using TinyRun run = new();
        Ends.Well(run.Lora("max_steps_per_epoch=2"));
        IReadOnlyDictionary<string, string> before = TinyRun.Contents(Path.Combine(run.Out, "epoch_0"));
        spoil(run);
        Ends.Badly(run.Lora(["max_steps_per_epoch=4", .. overrides]), code, words(run));
        Assert.Equal(before, TinyRun.Contents(Path.Combine(run.Out, "epoch_0")));
    }

    private static void Edit(TinyRun run, Action<JsonObject> change)
    {
        string file = Path.Combine(run.Model, "config.json");
        JsonObject config = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        change(config);
        File.WriteAllText(file, config.ToJsonString());
    }
}
