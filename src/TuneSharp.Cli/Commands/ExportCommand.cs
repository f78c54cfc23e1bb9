using System.CommandLine;
using System.Globalization;
using TuneSharp.Config;
using TuneSharp.Hub;
using TuneSharp.Recipes;
using TuneSharp.Training;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune export</c>: a model folder that any tool loads, from a run or from a base and an adapter.</summary>
internal static class ExportCommand
{
    private const string Help =
        "Merge adapters into their base model and write a folder that any tool loads.\n\n" +
        "  tune export RECIPE --output_dir DIR [--config CONFIG]   the newest save of a run\n" +
        "  tune export --adapter DIR --model DIR --output_dir DIR  any PEFT adapter and its base\n" +
        "  tune export --model DIR --output_dir DIR --dtype bf16   a model in another dtype\n" +
        "  tune export … --push-to-hub OWNER/NAME                  and then into a repository of the hub\n\n" +
        "With RECIPE, the run is DIR itself if DIR is a run's output_dir (the export goes to DIR/export), else the one that\n" +
        "CONFIG (by default the quickstart's) wrote.";

    public static Command Create(Terminal terminal, CancellationToken stop)
    {
        Argument<string?> recipe = new("recipe") { Description = "A recipe whose run is exported.", Arity = ArgumentArity.ZeroOrOne };
        Option<string> output = new("--output_dir", "--output-dir") { Description = "A new or empty folder; or the run's own.", Required = true };
        Option<string?> config = new("--config") { Description = "The config of the run; its output_dir holds the saves." };
        Option<string?> model = new("--model") { Description = "A Hugging Face folder." };
        Option<string?> adapter = new("--adapter") { Description = "A PEFT folder." };
        Option<string?> dtype = new("--dtype") { Description = "bf16 or fp32; by default the base's own." };
        Option<bool> noCheck = new("--no-check") { Description = "Do not reload and compare (saves memory for the whole model)." };
        Option<string?> push = new("--push-to-hub", "--push_to_hub") { Description = "Upload the folder to this repository, which is made if it is missing; needs HF_TOKEN with write access." };
        Option<bool> isPrivate = new("--private") { Description = "Make the repository private." };
        Option<string> revision = new("--revision") { Description = "The branch to upload to.", DefaultValueFactory = _ => "main" };
        Option<string> message = new("--commit-message", "--commit_message") { Description = "The commit's message.", DefaultValueFactory = _ => "Upload model fine-tuned with TuneSharp" };
        Command command = new("export", Help) { recipe, output, config, model, adapter, dtype, noCheck, push, isPrivate, revision, message };
        command.SetAction(result =>
        {
            ExportRequest request = Request(
                result.GetValue(recipe), result.GetValue(config), result.GetValue(model), result.GetValue(adapter), result.GetRequiredValue(output));
            string? repository = result.GetValue(push);
            HubUploadRequest? upload = repository is null ? null : new HubUploadRequest(repository, request.OutputDir)
            {
                IsPrivate = result.GetValue(isPrivate),
                Revision = result.GetRequiredValue(revision),
                Message = result.GetRequiredValue(message),
            };
            HubSettings settings = new();
            if (upload is not null)
            {
                Refused(() => HubUpload.Check(upload, settings)); // before the long part
            }

            RunConsole console = new(terminal.Out, terminal.IsOutTerminal, width: terminal.Width);
            ModelExport.Run(request.As(result.GetValue(dtype)), console, check: !result.GetValue(noCheck));
            if (upload is not null)
            {
                Refused(() => Push(upload, settings, terminal, stop));
            }

            return Failure.Ok;
        });
        return command;
    }

    private static void Push(HubUploadRequest upload, HubSettings settings, Terminal terminal, CancellationToken stop)
    {
        using HubClient hub = new(settings);
        long all = new DirectoryInfo(upload.Folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length);
        terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Uploading {upload.Folder} ({all / 1e9:0.00} GB) to {settings.Endpoint}/{upload.Name}"));
        HubUploadResult done;
        using (TransferProgress progress = new(terminal, all, TimeProvider.System))
        {
            done = new HubUpload(hub).RunAsync(upload, progress.Add, stop).GetAwaiter().GetResult();
        }

        terminal.Out.WriteLine(done.Commit is null
            ? $"Nothing had changed; {done.Url} is as it was."
            : string.Create(CultureInfo.InvariantCulture, $"{done.Uploaded} files uploaded, {done.Present} were there already: {done.Url}"));
    }

    /// <summary>What asking again does not change is a mistake of the command line.</summary>
    private static void Refused(Action action)
    {
        try
        {
            action();
        }
        catch (HubException e) when (e.IsRefusal)
        {
            throw new UsageException(e.Message);
        }
    }

    private static ExportRequest Request(string? recipe, string? config, string? model, string? adapter, string output)
    {
        if (recipe is null)
        {
            return model is not null
                ? new ExportRequest(model, adapter, output)
                : throw new UsageException("Say what to export: a recipe's name, or --model DIR (and --adapter DIR). `tune export --help` shows how.");
        }

        if (model is not null || adapter is not null)
        {
            throw new UsageException("--model and --adapter say what to export by themselves; leave the recipe out, or leave them out.");
        }

        RecipeInfo found = RunCommand.FindRecipe(recipe);
        if (config is null && ExportRequest.IsRun(output))
        {
            return ExportRequest.FromRun(output, Path.Combine(output, "export"));
        }

        string name = config ?? ConfigCatalog.All.FirstOrDefault(c => c.Recipe == found.Name && c.Name.StartsWith("quickstart/", StringComparison.Ordinal))?.Name
            ?? throw new UsageException($"{output} is not the output_dir of a run. Name the run's config with --config, or give the run's folder as --output_dir.");
        return ConfigLoader.Load(name, found, []).Value is FinetuneConfig { OutputDir: var run }
            ? ExportRequest.FromRun(run, output)
            : throw new UsageException($"{recipe} trains nothing, so there is nothing to export.");
    }
}
