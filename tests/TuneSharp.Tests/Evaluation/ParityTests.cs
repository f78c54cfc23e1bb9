using TuneSharp.Evaluation;
using TuneSharp.Tests.Checkpointing;

namespace TuneSharp.Tests.Evaluation;

public sealed class ParityTests
{
    /// <summary>Every folder under tests/golden that holds a model and its reference.</summary>
    public static TheoryData<string> ModelFolders() =>
    [
        .. Directory.EnumerateDirectories(Repo.Golden(""))
            .Where(d => File.Exists(Path.Combine(d, "config.json")) && File.Exists(Path.Combine(d, "io.safetensors")))
            .Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal),
    ];

    /// <summary>Those whose config has an older spelling too.</summary>
    public static TheoryData<string> FoldersWithOlderSpelling() =>
        [.. ModelFolders().Select(row => row.Data).Where(folder => File.Exists(Repo.Golden(folder + "/config.v4.json")))];

    /// <summary>Every folder under tests/golden that holds a base model, an adapter and their reference.</summary>
    public static TheoryData<string> AdapterFolders() =>
    [
        .. Directory.EnumerateDirectories(Repo.Golden(""))
            .Where(d => Directory.Exists(Path.Combine(d, "adapter")) && File.Exists(Path.Combine(d, "io.safetensors")))
            .Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(ModelFolders))]
    public void A_model_computes_what_transformers_computes(string folder) =>
        AllPass(Parity.Compare(Repo.Golden(folder), Repo.Golden(folder + "/io.safetensors")));

    [Theory]
    [MemberData(nameof(FoldersWithOlderSpelling))]
    public void The_older_spelling_of_the_config_gives_the_same_model(string folder)
    {
        using TemporaryFolder copy = new();
        foreach (string file in Directory.EnumerateFiles(Repo.Golden(folder)))
        {
            File.Copy(file, Path.Combine(copy.Path, Path.GetFileName(file)));
        }

        File.Copy(Repo.Golden(folder + "/config.v4.json"), Path.Combine(copy.Path, "config.json"), overwrite: true);
        AllPass(Parity.Compare(copy.Path, Path.Combine(copy.Path, "io.safetensors")));
    }

    [Theory]
    [MemberData(nameof(AdapterFolders))]
    public void An_adapter_computes_what_PEFT_computes(string folder) =>
        AllPass(Parity.Compare(
            Repo.Golden(folder + "/base"), Repo.Golden(folder + "/io.safetensors"), Repo.Golden(folder + "/adapter")));

    /// <summary>Every folder below one with a reference that holds a quantised model.</summary>
    public static TheoryData<string> QuantisedFolders() =>
    [
        .. Directory.EnumerateFiles(Repo.Golden(""), "config.json", SearchOption.AllDirectories)
            .Where(f => File.ReadAllText(f).Contains("quantization_config", StringComparison.Ordinal))
            .Select(f => Path.GetRelativePath(Repo.Golden(""), Path.GetDirectoryName(f)!)).Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(QuantisedFolders))]
    public void A_quantised_model_computes_what_bitsandbytes_computes(string folder) =>
        AllPass(Parity.Compare(Repo.Golden(folder), Path.Combine(Path.GetDirectoryName(Repo.Golden(folder))!, "io.safetensors")));

    private static void AllPass(IReadOnlyList<ParityRow> rows)
    {
        Assert.NotEmpty(rows);
        string[] failed = [.. rows.Where(r => !r.Passed).Select(r => r.ToString())];
        Assert.True(failed.Length == 0, string.Join('\n', failed));
    }
}
