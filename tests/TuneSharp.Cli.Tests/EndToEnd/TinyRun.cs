using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using TuneSharp.Checkpointing;
using TuneSharp.Tests;
using TuneSharp.Training.Metrics;

[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)] // torch has one generator and one thread pool

namespace TuneSharp.Cli.Tests.EndToEnd;

/// <summary>
/// A model of two small layers with a tokenizer of ASCII characters, a few samples, and a folder for the run: a whole command then
/// takes a second. Everything goes through the configs that users run, changed on the command line as users do.
/// </summary>
internal sealed class TinyRun : IDisposable
{
    private readonly Folder _folder = new();

    internal TinyRun(string golden = "llama3_1")
    {
        Model = Path.Combine(_folder.Path, "model");
        Data = Path.Combine(_folder.Path, "train.jsonl");
        Out = Path.Combine(_folder.Path, "out");
        CopyModel(golden, Model);
        File.WriteAllLines(Data, Enumerable.Range(0, 40).Select(i => Instruction(i).ToJsonString()));
    }

    internal string Root => _folder.Path;

    internal string Model { get; }

    internal string Data { get; }

    internal string Out { get; set; }

    /// <summary>Overrides that come before those of the test.</summary>
    internal List<string> Settings { get; } =
    [
        "model=auto", "device=cpu", "dtype=fp32", "seed=7", "batch_size=4", "gradient_accumulation_steps=1", "max_steps_per_epoch=6",
        "tokenizer.max_seq_len=null", "optimizer.lr=5e-3", "lr_scheduler.num_warmup_steps=2", "log_peak_memory_stats=False",
        "dataset={_component_: torchtune.datasets.instruct_dataset, source: json}",
    ];

    /// <summary>One row in the columns of all the data sets that tests use.</summary>
    internal static JsonObject Instruction(int i)
    {
        string question = string.Create(CultureInfo.InvariantCulture, $"say {(char)('a' + (i % 26))}{i % 7}");
        string answer = new((char)('a' + (i % 26)), 3 + (i % 5));
        return new JsonObject { ["instruction"] = question, ["input"] = question, ["output"] = answer };
    }

    internal CliResult Lora(params string[] overrides) => Lora(CancellationToken.None, overrides);

    internal CliResult Lora(CancellationToken stop, params string[] overrides) =>
        Cli.Run(stop, Words("lora_finetune_single_device", "llama3_2/1B_lora_single_device", ["model.lora_rank=4", "model.lora_alpha=8", .. overrides]));

    internal CliResult Full(params string[] overrides) => Full(CancellationToken.None, overrides);

    internal CliResult Full(CancellationToken stop, params string[] overrides) =>
        Cli.Run(stop, Words("full_finetune_single_device", "llama3_2/1B_full_single_device",
            ["optimizer={_component_: torch.optim.AdamW, lr: 2e-3}", "optimizer_in_bwd=False", .. overrides]));

    /// <summary>The command line of a run.</summary>
    internal string[] Words(string recipe, string config, IEnumerable<string> overrides)
    {
        IEnumerable<string> settings = recipe.StartsWith("full", StringComparison.Ordinal)
            ? Settings.Where(s => !s.StartsWith("lr_scheduler", StringComparison.Ordinal) && !s.StartsWith("optimizer", StringComparison.Ordinal))
            : Settings;
        return
        [
            "run", recipe, "--config", config, $"output_dir={Out}", $"checkpointer.checkpoint_dir={Model}", $"tokenizer.path={Model}",
            .. settings, $"dataset.data_files={Data}", .. overrides,
        ];
    }

    /// <summary>The losses in metrics.jsonl, by step from 1.</summary>
    internal double[] Losses(string metric = "loss") => [.. MetricsFile.Read(Out, metric).Select(m => m.Value)];

    /// <summary>A file of a save.</summary>
    internal string Saved(string save, string file) => Path.Combine(Out, save, file);

    /// <summary>Name and bytes of every file below a folder.</summary>
    internal static IReadOnlyDictionary<string, string> Contents(string folder) => Directory
        .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal)
        .ToDictionary(f => Path.GetRelativePath(folder, f), f => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(f))), StringComparer.Ordinal);

    /// <summary>All saves of a run are exactly alike: weights, adapters and training state.</summary>
    internal static void SameTensors(string expected, string actual)
    {
        using SafetensorsFile a = new(expected);
        using SafetensorsFile b = new(actual);
        Assert.Equal(a.Tensors.Keys.Order(StringComparer.Ordinal), b.Tensors.Keys.Order(StringComparer.Ordinal));
        Assert.NotEmpty(a.Tensors);
        Assert.All(a.Tensors.Keys, name =>
        {
            using TorchSharp.torch.Tensor x = a.Read(name);
            using TorchSharp.torch.Tensor y = b.Read(name);
            Assert.True(x.dtype == y.dtype && x.bytes.SequenceEqual(y.bytes), $"{name} differs by {(x.to(TorchSharp.torch.ScalarType.Float64) - y.to(TorchSharp.torch.ScalarType.Float64)).abs().max().item<double>()}");
        });
    }

    /// <summary>A golden model with a tokenizer of its own vocabulary size.</summary>
    internal static void CopyModel(string golden, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in (string[])["config.json", "generation_config.json", "model.safetensors"])
        {
            File.Copy(Repo.Golden($"{golden}/{file}"), Path.Combine(to, file));
        }

        File.WriteAllText(Path.Combine(to, "tokenizer.json"), Tokenizer().ToJsonString(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>One id for each printable ASCII character, blank and newline, then Llama 3's special tokens.</summary>
    private static JsonObject Tokenizer()
    {
        JsonObject vocab = [];
        foreach (char c in Enumerable.Range('!', '~' - '!' + 1).Select(i => (char)i).Append('Ġ').Append('Ċ'))
        {
            vocab[c.ToString()] = vocab.Count;
        }

        JsonArray added = [];
        foreach (string token in (string[])
            ["<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>"])
        {
            added.Add(new JsonObject
            {
                ["id"] = vocab.Count + added.Count, ["content"] = token, ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false,
                ["normalized"] = false, ["special"] = true,
            });
        }

        static JsonObject ByteLevel() => new() { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true };
        return new JsonObject
        {
            ["version"] = "1.0", ["truncation"] = null, ["padding"] = null, ["added_tokens"] = added, ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(), ["post_processor"] = null, ["decoder"] = ByteLevel(),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE", ["dropout"] = null, ["unk_token"] = null, ["continuing_subword_prefix"] = null, ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false, ["byte_fallback"] = false, ["vocab"] = vocab, ["merges"] = new JsonArray(),
            },
        };
    }
}

/// <summary>How a command should end.</summary>
internal static class Ends
{
    internal static void Well(CliResult result) => Assert.True(result.Code == 0 && !result.Error.Contains("error:", StringComparison.Ordinal), result.Error + result.Out);

    /// <summary>One message, no stack trace, and these words in it.</summary>
    internal static void Badly(CliResult result, int code, params string[] words)
    {
        string error = result.Error.ReplaceLineEndings("\n");
        Assert.True(code == result.Code, $"exit code {result.Code}, wanted {code}\n{error}{result.Out}");
        Assert.Single(error.Split('\n'), l => l.StartsWith("error:", StringComparison.Ordinal));
        foreach (string never in (string[])["   at ", "Exception", "This is a bug", "frame #"])
        {
            Assert.DoesNotContain(never, error, StringComparison.Ordinal);
        }

        Assert.All(words, w => Assert.True(error.Contains(w, StringComparison.Ordinal), $"'{w}' is not in: {error}"));
    }
}
