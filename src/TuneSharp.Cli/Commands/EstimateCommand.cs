using System.CommandLine;
using System.Globalization;
using TuneSharp.Backend;
using TuneSharp.Config;
using TuneSharp.Recipes;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune estimate</c>: the memory that a config needs, and what to switch on to fit.</summary>
internal static class EstimateCommand
{
    public static Command Create(Terminal terminal)
    {
        Option<string> config = new("--config") { Description = "A config's name (`tune ls` lists them) or a path to a YAML file.", Required = true };
        Option<string?> gpu = new("--gpu") { Description = "Memory that there is, as in 24GiB, 80GB or 24; says what to switch on to fit." };
        Option<long?> length = new("--seq-len") { Description = "Tokens of a row. By default tokenizer.max_seq_len, else 2048." };
        Option<string?> recipe = new("--recipe") { Description = "The recipe it is for; by default the one that its first line names." };
        Argument<string[]> overrides = new("overrides") { Description = "Changes to it, as for `tune run`.", Arity = ArgumentArity.ZeroOrMore };
        Command command = new("estimate", "Estimate the memory that a fine-tuning config needs.") { config, gpu, length, recipe, overrides };
        command.SetAction(result =>
        {
            FinetuneConfig cfg = Load(result.GetRequiredValue(config), result.GetValue(recipe), result.GetValue(overrides) ?? []);
            long? budget = result.GetValue(gpu) is { } text ? ParseBytes(text) : null;
            long? tokens = result.GetValue(length);
            if (tokens is <= 0)
            {
                throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"--seq-len is {tokens}; it must be at least 1."));
            }

            TorchBackend.EnsureLoaded();
            (IReadOnlyList<string> lines, bool fits) = EstimateReport.Of(cfg, tokens, budget);
            foreach (string line in lines)
            {
                terminal.Out.WriteLine(line);
            }

            return fits ? Failure.Ok : Failure.Failed;
        });
        return command;
    }

    /// <summary>Reads <c>24GiB</c>, <c>80GB</c>, <c>24G</c> or <c>24</c> (GiB).</summary>
    internal static long ParseBytes(string text)
    {
        string trimmed = text.Trim();
        string number = trimmed.TrimEnd("GMTiIbBgmt".ToCharArray()).Trim();
        string unit = trimmed[number.Length..].Trim().ToUpperInvariant();
        double? factor = unit switch
        {
            "" or "G" or "GIB" => 1L << 30,
            "GB" => 1e9,
            "M" or "MIB" => 1L << 20,
            "MB" => 1e6,
            "T" or "TIB" => 1L << 40,
            "TB" => 1e12,
            _ => null,
        };
        return factor is { } f && double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value > 0 && double.IsFinite(value)
            ? (long)(value * f)
            : throw new UsageException($"--gpu {text} is not an amount of memory. Write it as 24GiB, 80GB or 24 (GiB).");
    }

    private static FinetuneConfig Load(string name, string? recipeName, string[] overrides)
    {
        ConfigSource source = ConfigCatalog.Open(name);
        recipeName ??= ConfigCatalog.RecipeOf(source.Text)
            ?? throw new UsageException($"{name} does not say which recipe it is for. Give it with --recipe, as in --recipe lora_finetune_single_device.");
        RecipeInfo recipe = RunCommand.FindRecipe(recipeName);
        return ConfigLoader.Load(source, recipe, overrides).Value as FinetuneConfig
            ?? throw new UsageException($"{recipeName} does not train; estimates are for fine-tuning recipes.");
    }
}
