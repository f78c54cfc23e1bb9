using System.Globalization;
using System.Text.RegularExpressions;
using TuneSharp.Checkpointing;

namespace TuneSharp.Cli.Tests.EndToEnd;

/// <summary><c>tune run lora_finetune_single_device</c>, whole.</summary>
public class LoraRunTests
{
    [Fact]
    public void A_run_learns_and_leaves_what_torchtune_leaves()
    {
        using TinyRun run = new();
        CliResult result = run.Lora("max_steps_per_epoch=10", "checkpointer.model_type=LLAMA3_2", "log_peak_memory_stats=True");
        Ends.Well(result);

        double[] losses = run.Losses();
        Assert.Equal(10, losses.Length);
        Assert.True(losses[^1] < losses[0] - 0.2, string.Join(' ', losses));
        foreach (string file in (string[])["adapter_config.json", "adapter_model.safetensors", "model.safetensors", "config.json", "tokenizer.json", "recipe_state.safetensors"])
        {
            Assert.True(File.Exists(run.Saved("epoch_0", file)), file + " is missing");
        }

        string log = Assert.Single(Directory.GetFiles(Path.Combine(run.Out, "logs"), "log_*.txt"));
        string[] lines = File.ReadAllLines(log);
        Assert.Equal(10, lines.Length);
        Assert.All(lines, (line, i) => Assert.Matches(
            new Regex($@"^Step {i + 1} \| loss:\d\S* lr:\d\S* tokens_per_second_per_gpu:\d\S* (\w+:\d\S* )*$", RegexOptions.None, TimeSpan.FromSeconds(5)), line));
        byte[] png = File.ReadAllBytes(Path.Combine(run.Out, "loss.png"));
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], png[..4]);
        Assert.Contains($"output_dir: {run.Out}", File.ReadAllText(Path.Combine(run.Out, "torchtune_config.yaml")), StringComparison.Ordinal);
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(run.Out, "*", SearchOption.AllDirectories), p => p.EndsWith(".tmp", StringComparison.Ordinal));
    }

    [Fact]
    public void A_config_copied_and_edited_runs_as_one_with_overrides()
    {
        using TinyRun run = new();
        string path = Path.Combine(run.Root, "mine.yaml");
        Ends.Well(Cli.Run("cp", "llama3_2/1B_lora_single_device", path));
        string yaml = File.ReadAllText(path)
            .Replace("/tmp/torchtune/llama3_2_1B/lora_single_device", run.Out, StringComparison.Ordinal)
            .Replace("/tmp/Llama-3.2-1B-Instruct/original/tokenizer.model", run.Model, StringComparison.Ordinal)
            .Replace("/tmp/Llama-3.2-1B-Instruct/", run.Model, StringComparison.Ordinal)
            .Replace("torchtune.models.llama3_2.lora_llama3_2_1b", "auto", StringComparison.Ordinal)
            .Replace("max_steps_per_epoch: null", "max_steps_per_epoch: 2", StringComparison.Ordinal)
            .Replace("device: cuda", "device: cpu", StringComparison.Ordinal)
            .Replace("packed: False", $"packed: False\n  source: json\n  data_files: {run.Data}", StringComparison.Ordinal);
        File.WriteAllText(path, yaml);
        Ends.Well(Cli.Run("run", "lora_finetune_single_device", "--config", path));
        Assert.Single(run.Losses()); // 40 samples are one step of 4 x 8
        using SafetensorsFile adapter = new(run.Saved("epoch_0", "adapter_model.safetensors"));
        Assert.All(adapter.Tensors.Values, t => Assert.Contains(64, t.Shape));
    }

    [Theory]
    [InlineData("llama2")]
    [InlineData("llama3_1")]
    [InlineData("llama3_2_tied")]
    public void Every_family_trains(string golden)
    {
        using TinyRun run = new(golden);
        Ends.Well(run.Lora());
        double[] losses = run.Losses();
        Assert.True(losses[^1] < losses[0], string.Join(' ', losses));
    }

    [Theory]
    [InlineData("model.use_dora=True", "\"use_dora\": true")]
    [InlineData("model.use_rslora=True", "\"use_rslora\": true")]
    [InlineData("model.lora_dropout=0.1", "\"lora_dropout\": 0.1")]
    public void Kinds_of_adapters_train_and_are_named_in_the_adapters_config(string setting, string written)
    {
        using TinyRun run = new();
        Ends.Well(run.Lora(setting));
        double[] losses = run.Losses();
        Assert.True(losses[^1] < losses[0], string.Join(' ', losses));
        Assert.Contains(written, File.ReadAllText(run.Saved("epoch_0", "adapter_config.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void Activation_checkpointing_changes_no_bit()
    {
        using TinyRun plain = new();
        using TinyRun saving = new();
        Ends.Well(plain.Lora());
        Ends.Well(saving.Lora("enable_activation_checkpointing=True"));
        Assert.Equal(plain.Losses(), saving.Losses());
        TinyRun.SameTensors(plain.Saved("epoch_0", "adapter_model.safetensors"), saving.Saved("epoch_0", "adapter_model.safetensors"));
    }

    [Fact]
    public void Bf16_trains()
    {
        using TinyRun run = new();
        Ends.Well(run.Lora("dtype=bf16"));
        double[] losses = run.Losses();
        Assert.True(losses[^1] < losses[0], string.Join(' ', losses));
        using SafetensorsFile adapter = new(run.Saved("epoch_0", "adapter_model.safetensors"));
        Assert.All(adapter.Tensors.Values, t => Assert.Equal(TorchSharp.torch.ScalarType.BFloat16, t.Dtype));
    }

    [Fact]
    public void Accumulation_does_not_change_the_losses()
    {
        double[][] losses = [.. new (int Batch, int Accumulation)[] { (4, 1), (2, 2), (1, 4) }.Select(s =>
        {
            using TinyRun run = new();
            Ends.Well(run.Lora(Number("batch_size", s.Batch), Number("gradient_accumulation_steps", s.Accumulation), "clip_grad_norm=1.0"));
            return run.Losses();
        })];
        Assert.Equal(6, losses[0].Length);
        Assert.All(losses[1..], other => Assert.All(losses[0].Zip(other), pair => Assert.Equal(pair.First, pair.Second, 1e-5)));
    }

    [Fact]
    public void Validation_is_logged_and_falls()
    {
        using TinyRun run = new();
        CliResult result = run.Lora(
            $"dataset_val={{_component_: torchtune.datasets.instruct_dataset, source: json, data_files: {run.Data}}}", "run_val_every_n_steps=3", "batch_size_val=16");
        Ends.Well(result);
        double[] losses = run.Losses("val_loss");
        Assert.Equal(2, losses.Length);
        Assert.True(losses[1] < losses[0]);
        Assert.Contains("step 3: val_loss", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Saves_are_made_every_n_steps_and_old_ones_go()
    {
        using TinyRun run = new();
        Ends.Well(run.Lora("save_every_n_steps=2", "checkpointer.keep_last_n_checkpoints=2"));
        Assert.Equal(["step_4", "step_6"], Directory.GetDirectories(run.Out, "step_*").Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Empty(Directory.GetDirectories(run.Out, "epoch_*"));
    }

    [Fact]
    public void Adapters_can_be_saved_alone()
    {
        using TinyRun run = new();
        Ends.Well(run.Lora("save_adapter_weights_only=True", "max_steps_per_epoch=2"));
        Assert.True(File.Exists(run.Saved("epoch_0", "adapter_model.safetensors")));
        Assert.False(File.Exists(run.Saved("epoch_0", "model.safetensors")));
    }

    [Fact]
    public void One_seed_gives_one_run_and_another_another()
    {
        double[][] losses = [.. ((string[])["seed=7", "seed=7", "seed=8"]).Select(seed =>
        {
            using TinyRun run = new();
            Ends.Well(run.Lora(seed));
            return run.Losses();
        })];
        Assert.Equal(losses[0], losses[1]);
        Assert.NotEqual(losses[0], losses[2]);
    }

    [Fact]
    public void A_dry_run_tells_sizes_steps_and_memory_and_writes_nothing()
    {
        using TinyRun run = new();
        CliResult result = run.Lora("--dry-run");
        Ends.Well(result);
        Assert.Contains("steps        6 an epoch x 1 = 6", result.Out, StringComparison.Ordinal);
        Assert.Matches(new Regex(@"parameters   [\d,]+, trained [\d,]+ \(", RegexOptions.None, TimeSpan.FromSeconds(5)), result.Out);
        Assert.Contains("memory       about", result.Out, StringComparison.Ordinal);
        Assert.False(Directory.Exists(run.Out));
    }

    private static string Number(string key, int value) => string.Create(CultureInfo.InvariantCulture, $"{key}={value}");
}
