using System.Text;
using TuneSharp.Tests;
using TuneSharp.Tests.Hub;

namespace TuneSharp.Cli.Tests.EndToEnd;

/// <summary>The program against a hub on this machine, found through HF_ENDPOINT as a user would have it.</summary>
public sealed class HubCommandTests : IDisposable
{
    private readonly FakeHub _hub = new();
    private readonly Folder _folder = new();

    public HubCommandTests()
    {
        _hub.Files["config.json"] = "{\"model_type\": \"llama\"}"u8.ToArray();
        _hub.Files["model.safetensors"] = [.. Enumerable.Range(0, 200_000).Select(i => (byte)(i * 13))];
        _hub.Files["pytorch_model.bin"] = [1, 2, 3];
        _hub.Lfs.Add("model.safetensors");
    }

    public void Dispose()
    {
        _hub.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void A_model_comes_into_a_folder()
    {
        _hub.CdnTroubles.Enqueue(0);
        _hub.Troubles.Enqueue(503);
        string target = Path.Combine(_folder.Path, "out");
        CliResult result = Run("download", "o/n", "--output-dir", target, "--ignore-patterns", "*.bin", "--hf-token", "hf_secret");
        Ends.Well(result);
        Assert.Equal(_hub.Files["model.safetensors"], File.ReadAllBytes(Path.Combine(target, "model.safetensors")));
        Assert.False(File.Exists(Path.Combine(target, "pytorch_model.bin")));
        Assert.Contains("o/n", File.ReadAllText(Path.Combine(target, "original_repo_id.json")));
        Assert.Contains(Path.Combine(target, "config.json"), result.Out);
        Assert.DoesNotContain("hf_secret", result.Out + result.Error);
        Assert.DoesNotContain(_hub.Requests, r => r.StartsWith("CDN", StringComparison.Ordinal) && r.Contains("hf_secret"));
        Assert.Contains(_hub.Requests, r => r.StartsWith("GET", StringComparison.Ordinal) && r.EndsWith("Bearer hf_secret", StringComparison.Ordinal));
    }

    [Fact]
    public void Without_a_folder_it_comes_into_the_cache_that_python_shares()
    {
        CliResult result = Run("download", "o/n", "--include", "*.json", "*.safetensors");
        Ends.Well(result);
        string link = Path.Combine(_folder.Path, "tmp", "n", "model.safetensors");
        Assert.Equal(_hub.Files["model.safetensors"], File.ReadAllBytes(link));
        string snapshot = Path.Combine(_folder.Path, "home/hub/models--o--n/snapshots", FakeHub.Commit);
        Assert.Equal(_hub.Files["model.safetensors"], File.ReadAllBytes(Path.Combine(snapshot, "model.safetensors")));
        Assert.False(File.Exists(Path.Combine(snapshot, "pytorch_model.bin")));
    }

    [Fact]
    public void A_data_set_comes_into_the_cache_and_a_config_reads_it()
    {
        using TinyRun run = new();
        _hub.Files.Clear();
        _hub.Files["data/train-00000-of-00001.jsonl"] = File.ReadAllBytes(run.Data);
        string[] preview =
        [
            "data", "preview", "--config", "llama3_2/1B_lora_single_device", $"tokenizer.path={run.Model}", "tokenizer.max_seq_len=64", "-n", "1",
            "dataset={_component_: torchtune.datasets.instruct_dataset, source: o/n, trust_remote_code: True, num_proc: 4}",
        ];
        CliResult online = Run(preview);
        Ends.Well(online);
        Assert.Contains("sample 1 of 40", online.Out);
        Ends.Well(Run("download", "o/n", "--repo-type", "dataset"));
        Assert.Single(_hub.Requests, r => r.Contains("/datasets/o/n/resolve/"));
    }

    [Fact]
    public void A_model_of_the_cache_is_found_by_its_name()
    {
        _hub.Files.Clear();
        foreach (string file in new[] { "config.json", "model.safetensors" })
        {
            _hub.Files[file] = File.ReadAllBytes(Repo.Golden($"llama3_1/{file}"));
        }

        string[] parity = ["parity", "o/n", Repo.Golden("llama3_1/io.safetensors")];
        CliResult before = Run(parity);
        Assert.Equal(1, before.Code);
        Assert.Contains("tune download o/n", before.Error);
        Ends.Well(Run("download", "o/n"));
        _hub.Dispose();
        CliResult after = Run([("HF_HUB_OFFLINE", "1")], parity);
        Ends.Well(after);
        Assert.DoesNotContain("FAIL", after.Out);
    }

    [Theory]
    [InlineData(404, "RepoNotFound", "does not exist")]
    [InlineData(403, "GatedRepo", "Accept its terms")]
    [InlineData(404, "RevisionNotFound", "--revision")]
    public void A_refusal_is_one_sentence(int status, string code, string words)
    {
        _hub.TroubleHeaders["X-Error-Code"] = code;
        _hub.Troubles.Enqueue(status);
        CliResult result = Run("download", "o/n", "--output-dir", Path.Combine(_folder.Path, "out"));
        Assert.Equal(2, result.Code);
        Assert.StartsWith("error: o/n", result.Error);
        Assert.Contains(words, result.Error);
        Assert.Single(result.Error.Trim().Split('\n'));
    }

    [Fact]
    public void A_hostile_name_writes_nothing()
    {
        _hub.Files["../evil"] = [1];
        string target = Path.Combine(_folder.Path, "out");
        CliResult result = Run("download", "o/n", "--output-dir", target, "--include", "*evil");
        Assert.Equal(2, result.Code);
        Assert.Contains("outside", result.Error);
        Assert.False(File.Exists(Path.Combine(_folder.Path, "evil")));
    }

    [Fact]
    public void An_export_goes_to_the_hub()
    {
        using TinyRun run = new();
        _hub.Files.Clear();
        _hub.Lfs.Clear();
        _hub.CdnTroubles.Enqueue(0);
        string output = Path.Combine(_folder.Path, "exported");
        CliResult none = Run("export", "--model", run.Model, "--output_dir", output, "--push-to-hub", "me/x");
        Assert.Equal(2, none.Code);
        Assert.Contains("HF_TOKEN", none.Error);
        Assert.False(Directory.Exists(output));
        CliResult result = Run(
            [("HF_TOKEN", "hf_write")], "export", "--model", run.Model, "--output_dir", output, "--push-to-hub", "me/x", "--private", "--commit-message", "Mine");
        Ends.Well(result);
        Assert.Contains("files uploaded", result.Out);
        Assert.DoesNotContain("hf_write", result.Out + result.Error);
        Assert.Equal(File.ReadAllBytes(Path.Combine(output, "model.safetensors")), _hub.Files["model.safetensors"]);
        Assert.Equal(File.ReadAllText(Path.Combine(output, "config.json")), Encoding.UTF8.GetString(_hub.Files["config.json"]));
        Assert.True((bool)_hub.Created!["private"]!);

        // And back again.
        string back = Path.Combine(_folder.Path, "back");
        Ends.Well(Run("download", "me/x", "--output-dir", back));
        Assert.Equal(File.ReadAllBytes(Path.Combine(output, "model.safetensors")), File.ReadAllBytes(Path.Combine(back, "model.safetensors")));
    }

    private CliResult Run(params string[] words) => Run([], words);

    private CliResult Run((string Name, string Value)[] more, params string[] words)
    {
        Directory.CreateDirectory(Path.Combine(_folder.Path, "tmp"));
        Dictionary<string, string> environment = new(StringComparer.Ordinal)
        {
            ["HF_ENDPOINT"] = _hub.Endpoint,
            ["HF_HOME"] = Path.Combine(_folder.Path, "home"),
            ["HF_HUB_CACHE"] = "",
            ["HF_TOKEN"] = "",
            ["HF_HUB_OFFLINE"] = "",
            ["TMPDIR"] = Path.Combine(_folder.Path, "tmp"),
        };
        foreach ((string name, string value) in more)
        {
            environment[name] = value;
        }

        return Cli.RunProgram(environment, words);
    }
}
