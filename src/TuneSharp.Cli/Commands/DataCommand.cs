using System.CommandLine;
using TuneSharp.Config;
using TuneSharp.Recipes;
using TuneSharp.Training;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune data</c>: looks at what a config trains on.</summary>
internal static class DataCommand
{
    public static Command Create(Terminal terminal, CancellationToken stop)
    {
        Option<string> config = new("--config") { Description = "A config's name (`tune ls` lists them) or a path to a YAML file.", Required = true };
        Option<int> count = new("--samples", "-n") { Description = "Samples to show.", DefaultValueFactory = _ => 5 };
        Option<bool> validation = new("--val") { Description = "Show dataset_val instead of dataset." };
        Argument<string[]> overrides = new("overrides") { Description = "Changes to the config, as for `tune run`.", Arity = ArgumentArity.ZeroOrMore };
        Command preview = new("preview", "Show samples as the model will see them, what of them is learned, lengths and packing.") { overrides, config, count, validation };
        preview.SetAction(result =>
        {
            if (result.GetValue(count) < 0)
            {
                throw new UsageException($"-n {result.GetValue(count)}: show no sample (-n 0) or some.");
            }

            ConfigSource source = ConfigCatalog.Open(result.GetRequiredValue(config));
            DataPreviewConfig cfg = ConfigLoader.LoadPart<DataPreviewConfig>(source, result.GetValue(overrides) ?? [], "tune data preview");
            RunConsole console = new(terminal.Error, terminal.IsErrorTerminal, width: terminal.Width);
            new DataPreview(terminal.Out, terminal.HasColours).Show(cfg, result.GetValue(count), result.GetValue(validation), console, stop);
            return Failure.Ok;
        });
        return new Command("data", "Look at what a config trains on.") { preview };
    }
}
