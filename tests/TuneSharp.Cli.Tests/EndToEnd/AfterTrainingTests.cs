using TuneSharp.Checkpointing;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Tests;
using static TorchSharp.torch;

namespace TuneSharp.Cli.Tests.EndToEnd;

/// <summary><c>tune export</c>, <c>tune parity</c> and <c>tune run generate</c>.</summary>
public class AfterTrainingTests
{
    /// <summary>Every folder of tests/golden with a causal model and its reference, and the adapter on it.</summary>
    public static TheoryData<string, string, string?> Golden { get; } = new(Directory
        .GetFiles(Path.Combine(Repo.Root, "tests", "golden"), "io.safetensors", SearchOption.AllDirectories)
        .Select(io => Path.GetDirectoryName(io)!)
        .Where(d => File.Exists(Path.Combine(d, "model.safetensors")) || Directory.Exists(Path.Combine(d, "base")))
        .Order(StringComparer.Ordinal)
        .Select(d => (Path.GetFileName(d), Directory.Exists(Path.Combine(d, "base")) ? Path.Combine(d, "base") : d, Directory.Exists(Path.Combine(d, "adapter")) ? Path.Combine(d, "adapter") : null)));

    [Theory]
    [MemberData(nameof(Golden))]
    public void Parity_passes_on_every_golden_model(string name, string model, string? adapter)
    {
        string[] words = ["parity", model, Repo.Golden($"{name}/io.safetensors"), .. adapter is null ? Array.Empty<string>() : ["--adapter", adapter]];
        CliResult result = Cli.Run(words);
        Ends.Well(result);
        Assert.Contains("logits", result.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("FAIL", result.Out, StringComparison.Ordinal);
        Assert.Equal(1, Cli.Run([.. words, "--tolerance", "1e-12"]).Code);
        Assert.Equal(0, Cli.Run([.. words, "--tolerance", "1e-2"]).Code);
    }

    [Fact]
    public void Parity_fails_when_one_weight_is_another()
    {
        using TinyRun run = new();
        string file = Path.Combine(run.Model, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(file);
        (bytes[^2], bytes[^1]) = (0x20, 0x41); // the last number of the file becomes about 10
        File.WriteAllBytes(file, bytes);
        CliResult result = Cli.Run("parity", run.Model, Repo.Golden("llama3_1/io.safetensors"));
        Assert.Equal((1, ""), (result.Code, result.Error));
        Assert.Contains("FAIL", result.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("lora")]
    [InlineData("full")]
    public void A_run_is_exported_and_computes_what_was_trained(string recipe)
    {
        using TinyRun run = new();
        Ends.Well(recipe == "lora" ? run.Lora("model.use_dora=True") : run.Full());
        string config = Path.Combine(run.Out, "torchtune_config.yaml");
        string name = recipe + "_finetune_single_device";
        CliResult inside = Cli.Run("export", name, "--output_dir", run.Out);
        Ends.Well(inside);
        Assert.Contains("The export is good.", inside.Out, StringComparison.Ordinal);
        string outside = Path.Combine(run.Root, "exported");
        Ends.Well(Cli.Run("export", name, "--config", config, "--output_dir", outside));
        foreach (string file in (string[])["model.safetensors", "config.json", "tokenizer.json", "generation_config.json", "README.md"])
        {
            Assert.True(File.Exists(Path.Combine(outside, file)), file + " is missing");
        }

        TinyRun.SameTensors(Path.Combine(outside, "model.safetensors"), Path.Combine(run.Out, "export", "model.safetensors"));
        using Tensor exported = Logits(() => AutoModel.Load(outside));
        using Tensor trained = Logits(() => recipe == "lora"
            ? AdapterModel.Load(run.Model, Path.Combine(run.Out, "epoch_0")) : AutoModel.Load(Path.Combine(run.Out, "epoch_0")));
        using Tensor start = Logits(() => AutoModel.Load(run.Model));
        Assert.True((exported - trained).abs().max().item<float>() < 1e-4);
        Assert.True((exported - start).abs().max().item<float>() > 1e-2);
    }

    [Fact]
    public void An_adapter_and_its_base_are_exported_but_never_over_something()
    {
        using TinyRun run = new();
        Ends.Well(run.Lora());
        string to = Path.Combine(run.Root, "exported");
        string[] words = ["export", "--adapter", Path.Combine(run.Out, "epoch_0"), "--model", run.Model, "--output_dir", to];
        Ends.Well(Cli.Run(words));
        TinyRun.SameTensors(Path.Combine(to, "model.safetensors"), run.Saved("epoch_0", "model.safetensors"));
        IReadOnlyDictionary<string, string> before = TinyRun.Contents(to);
        Ends.Badly(Cli.Run(words), 1, to, "empty");
        Assert.Equal(before, TinyRun.Contents(to));
        Ends.Well(Cli.Run([.. words[..^1], to + "-bf16", "--dtype", "bf16"]));
        using SafetensorsFile half = new(Path.Combine(to + "-bf16", "model.safetensors"));
        Assert.All(half.Tensors.Values, t => Assert.Equal(ScalarType.BFloat16, t.Dtype));
    }

    [Fact]
    public void What_cannot_be_exported_says_why()
    {
        using TinyRun run = new();
        string to = Path.Combine(run.Root, "exported");
        Ends.Badly(Cli.Run("export", "--output_dir", to), 2, "--model");
        Ends.Badly(Cli.Run("export", "--model", Path.Combine(run.Root, "nowhere"), "--output_dir", to), 1, "nowhere");
        Ends.Badly(Cli.Run("export", "--model", run.Model, "--adapter", run.Model, "--output_dir", to), 1, "adapter_config.json");
        Assert.False(Directory.Exists(to) && Directory.EnumerateFileSystemEntries(to).Any());
    }

    [Fact]
    public void One_seed_gives_one_answer()
    {
        using TinyRun run = new();
        Ends.Well(run.Full("max_steps_per_epoch=10"));
        string model = Path.Combine(run.Out, "epoch_0");
        string[] words =
        [
            "run", "generate", "--config", "generation", "model=auto", "tokenizer={_component_: torchtune.models.llama3.llama3_tokenizer}", $"tokenizer.path={model}",
            $"checkpointer.checkpoint_dir={model}", "~checkpointer.checkpoint_files", $"output_dir={Path.Combine(run.Root, "g")}", "device=cpu", "dtype=fp32",
            "prompt.user=say a1", "max_new_tokens=60", "temperature=1.0",
        ];
        string[] answers = [.. ((string[])["seed=1", "seed=1", "seed=2", "enable_kv_cache=False"]).Select(s =>
        {
            CliResult result = Cli.Run([.. words, "seed=1", s]);
            Ends.Well(result);
            return result.Out[result.Out.IndexOf("say a1", result.Out.IndexOf("top_p", StringComparison.Ordinal), StringComparison.Ordinal)..result.Out.IndexOf("Time for inference", StringComparison.Ordinal)];
        })];
        Assert.Equal(answers[0], answers[1]);
        Assert.NotEqual(answers[0], answers[2]);
        Assert.Equal(answers[0], answers[3]);
        Assert.True(answers[0].Trim().Length > "say a1".Length);
    }

    private static Tensor Logits(Func<TransformerDecoder> load)
    {
        using IDisposable off = no_grad();
        using BuildScope build = new(CPU, ScalarType.Float32);
        using TransformerDecoder model = load();
        model.eval();
        using Tensor tokens = arange(1, 33, ScalarType.Int64).unsqueeze(0);
        return model.Logits(tokens);
    }
}
