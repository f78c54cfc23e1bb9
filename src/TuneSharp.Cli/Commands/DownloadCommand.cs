using System.CommandLine;
using System.Globalization;
using System.IO.Enumeration;
using System.Text.Json;
using TuneSharp.Hub;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune download</c>: a repository from the hub into a folder or into the cache that Python's tools share.</summary>
internal static class DownloadCommand
{
    private const int Parallel = 4; // files at once, each in several ranges if it is large

    public static Command Create(Terminal terminal, CancellationToken stop)
    {
        Argument<string> repo = new("repo_id") { Description = "The repository, as in meta-llama/Llama-3.2-1B-Instruct." };
        Option<string?> output = new("--output-dir", "--output_dir")
        { Description = "Where to. By default a model goes into Hugging Face's cache, and /tmp/NAME (the system's temporary folder) leads to it; a data set goes into the cache." };
        Option<string?> token = new("--hf-token", "--hf_token") { Description = "Access token for gated repositories; by default $HF_TOKEN, or the one you logged in with." };
        Option<string[]> ignore = new("--ignore-patterns", "--ignore_patterns") { Description = "Leave out files that match, as in \"*.bin\".", AllowMultipleArgumentsPerToken = true };
        Option<string[]> include = new("--include") { Description = "Take only files that match.", AllowMultipleArgumentsPerToken = true };
        Option<string> revision = new("--revision") { Description = "Branch, tag or commit.", DefaultValueFactory = _ => "main" };
        Option<string> type = new("--repo-type", "--repo_type") { Description = "model or dataset.", DefaultValueFactory = _ => "model" };
        Option<string> source = new("--source") { Description = "huggingface.", DefaultValueFactory = _ => "huggingface" };
        Command command = new("download", "Download a model or data set from the Hugging Face hub; goes on where an earlier try ended.")
        { repo, output, token, ignore, include, revision, type, source };
        command.SetAction(result =>
        {
            if (result.GetValue(source) != "huggingface")
            {
                throw new UsageException($"--source {result.GetValue(source)} is not available in this version. Download from huggingface.");
            }

            HubRepositoryType kind = result.GetRequiredValue(type) switch
            {
                "model" => HubRepositoryType.Model,
                "dataset" => HubRepositoryType.Dataset,
                string other => throw new UsageException($"--repo-type {other} must be model or dataset."),
            };
            string[] ignored = result.GetValue(ignore) ?? [];
            string[] included = result.GetValue(include) ?? [];
            if (ignored.Length > 0)
            {
                terminal.Out.WriteLine($"Ignoring files matching the following patterns: {string.Join(", ", ignored)}");
            }

            bool Wanted(HubFile f) => !ignored.Any(p => Matches(p, f.Path)) && (included.Length == 0 || included.Any(p => Matches(p, f.Path)));
            try
            {
                HubSettings settings = new();
                settings = result.GetValue(token)?.Trim() is { Length: > 0 } given ? settings with { Token = given } : settings;
                using HubClient hub = new(settings);
                DownloadAsync(hub, result.GetRequiredValue(repo), result.GetRequiredValue(revision), kind, result.GetValue(output), Wanted, terminal, stop)
                    .GetAwaiter().GetResult();
            }
            catch (HubException e) when (e.IsRefusal)
            {
                throw new UsageException(e.Message);
            }

            return Failure.Ok;
        });
        return command;
    }

    /// <summary>As Python's fnmatch on the whole path: a star crosses slashes, and <c>folder/</c> means all in it.</summary>
    private static bool Matches(string pattern, string path) =>
        FileSystemName.MatchesSimpleExpression(pattern.EndsWith('/') ? pattern + "*" : pattern, path, ignoreCase: false);

    private static async Task DownloadAsync(
        HubClient hub, string name, string revision, HubRepositoryType type, string? output, Func<HubFile, bool> wanted, Terminal terminal, CancellationToken stop)
    {
        HubRepository repository = await hub.ListAsync(name, revision, type, stop);
        HubFile[] files = [.. repository.Files.Where(wanted)];
        if (files.Length == 0)
        {
            throw new HubException($"{name}: none of its {repository.Files.Count} files is left to download. Check --include and --ignore-patterns.", isRefusal: true);
        }

        // A folder of one's own gets real files; otherwise they go where other tools find them too.
        string? links = output is null && type == HubRepositoryType.Model ? Path.Combine(Path.GetTempPath(), name.Split('/')[^1]) : null;
        long all = files.Sum(f => f.Size ?? 0);
        terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{files.Length} files, {all / 1e9:0.00} GB, into {output ?? hub.Settings.Cache}"));
        string[] paths = new string[files.Length];
        using (TransferProgress progress = new(terminal, all, TimeProvider.System))
        {
            await System.Threading.Tasks.Parallel.ForEachAsync(
                Enumerable.Range(0, files.Length),
                new ParallelOptions { MaxDegreeOfParallelism = Parallel, CancellationToken = stop },
                async (i, cancel) => paths[i] = output is not null
                    ? await hub.DownloadAsync(repository, files[i], output, progress.Add, cancel)
                    : await hub.CacheAsync(repository, files[i], progress.Add, cancel));
        }

        if (links is not null)
        {
            paths = [.. files.Select((f, i) => HubClient.LinkInto(links, f, paths[i]))];
        }

        if (type == HubRepositoryType.Model)
        {
            // torchtune's record of where the folder came from; adapters name their base by it.
            File.WriteAllText(
                Path.Combine(output ?? links!, "original_repo_id.json"),
                JsonSerializer.Serialize(new Dictionary<string, string>(StringComparer.Ordinal) { ["repo_id"] = name }));
        }

        terminal.Out.WriteLine($"Successfully downloaded {(type == HubRepositoryType.Model ? "model" : "data set")} repo and wrote to the following locations:");
        foreach (string path in paths.Order(StringComparer.Ordinal))
        {
            terminal.Out.WriteLine(path);
        }
    }
}
