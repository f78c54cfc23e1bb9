using System.CommandLine;
using System.Globalization;
using System.IO.Enumeration;
using System.Text.Json;
using TuneSharp.Hub;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune download</c>: a model repository from the hub into a folder.</summary>
internal static class DownloadCommand
{
    private const int Parallel = 4; // files at once: fills most connections without troubling the hub

    public static Command Create(Terminal terminal, CancellationToken stop)
    {
        Argument<string> repo = new("repo_id") { Description = "The repository, as in meta-llama/Llama-3.2-1B-Instruct." };
        Option<string?> output = new("--output-dir", "--output_dir") { Description = "Where to; by default /tmp/NAME (the system's temporary folder)." };
        Option<string?> token = new("--hf-token", "--hf_token") { Description = "Access token for gated repositories; by default $HF_TOKEN." };
        Option<string[]> ignore = new("--ignore-patterns", "--ignore_patterns") { Description = "Leave out files that match, as in \"*.bin\".", AllowMultipleArgumentsPerToken = true };
        Option<string[]> include = new("--include") { Description = "Take only files that match.", AllowMultipleArgumentsPerToken = true };
        Option<string> revision = new("--revision") { Description = "Branch, tag or commit.", DefaultValueFactory = _ => "main" };
        Option<string> source = new("--source") { Description = "huggingface.", DefaultValueFactory = _ => "huggingface" };
        Command command = new("download", "Download a model from the Hugging Face hub; goes on where an earlier try ended.")
        { repo, output, token, ignore, include, revision, source };
        command.SetAction(result =>
        {
            if (result.GetValue(source) != "huggingface")
            {
                throw new UsageException($"--source {result.GetValue(source)} is not available in this version. Download from huggingface.");
            }

            string name = result.GetRequiredValue(repo);
            string folder = result.GetValue(output) ?? Path.Combine(Path.GetTempPath(), name.Split('/')[^1]);
            string[] ignored = result.GetValue(ignore) ?? [];
            if (ignored.Length > 0)
            {
                terminal.Out.WriteLine($"Ignoring files matching the following patterns: {string.Join(", ", ignored)}");
            }

            try
            {
                using HubClient hub = new(token: result.GetValue(token));
                bool Wanted(HubFile f) => !ignored.Any(p => FileSystemName.MatchesSimpleExpression(p, f.Path))
                    && (result.GetValue(include) is not { Length: > 0 } some || some.Any(p => FileSystemName.MatchesSimpleExpression(p, f.Path)));
                DownloadAsync(hub, name, result.GetRequiredValue(revision), folder, Wanted, terminal, stop).GetAwaiter().GetResult();
            }
            catch (HubException e) when (e.IsRefusal)
            {
                throw new UsageException(e.Message);
            }

            return Failure.Ok;
        });
        return command;
    }

    private static async Task DownloadAsync(
        HubClient hub, string name, string revision, string folder, Func<HubFile, bool> wanted, Terminal terminal, CancellationToken stop)
    {
        HubRepository repository = await hub.ListAsync(name, revision, stop);
        HubFile[] files = [.. repository.Files.Where(wanted)];
        long all = files.Sum(f => f.Size ?? 0);
        terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{files.Length} files, {all / 1e9:0.00} GB, into {folder}"));
        Lock gate = new();
        (long done, int percent) = (0, 0);
        void Count(long bytes)
        {
            lock (gate)
            {
                done += bytes;
                int now = all == 0 ? 100 : (int)(100 * done / all);
                if (now / 10 > percent / 10)
                {
                    terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Math.Min(now, 100)} %"));
                    percent = now;
                }
            }
        }

        string[] paths = new string[files.Length];
        await System.Threading.Tasks.Parallel.ForEachAsync(
            Enumerable.Range(0, files.Length),
            new ParallelOptions { MaxDegreeOfParallelism = Parallel, CancellationToken = stop },
            async (i, cancel) => paths[i] = await hub.DownloadAsync(repository, files[i], folder, Count, cancel));
        // torchtune's record of where the folder came from; adapters name their base by it.
        File.WriteAllText(Path.Combine(folder, "original_repo_id.json"), JsonSerializer.Serialize(new Dictionary<string, string>(StringComparer.Ordinal) { ["repo_id"] = name }));
        terminal.Out.WriteLine("Successfully downloaded model repo and wrote to the following locations:");
        foreach (string path in paths.Order(StringComparer.Ordinal))
        {
            terminal.Out.WriteLine(path);
        }
    }
}
