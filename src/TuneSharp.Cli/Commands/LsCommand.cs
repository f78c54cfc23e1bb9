using System.CommandLine;
using TuneSharp.Config;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune ls</c>: every recipe and its configs.</summary>
internal static class LsCommand
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("ls", "List all recipes and their configs.");
        command.SetAction(_ =>
        {
            terminal.Out.WriteLine(Row("RECIPE", "CONFIG"));
            ILookup<string, CatalogEntry> configs = ConfigCatalog.All.Where(c => c.Recipe is not null).ToLookup(c => c.Recipe!, StringComparer.Ordinal);
            bool isAnyMissing = false;
            foreach (string recipe in RecipeRegistry.All.Select(r => r.Name).Union(configs.Select(c => c.Key), StringComparer.Ordinal).Order(StringComparer.Ordinal))
            {
                string shown = recipe; // torchtune's layout: the recipe stands beside its first config only
                foreach (CatalogEntry? config in configs[recipe].DefaultIfEmpty())
                {
                    bool isMissing = config is { IsRunnable: false };
                    isAnyMissing |= isMissing;
                    terminal.Out.WriteLine(Row(shown, config?.Name ?? "<>") + (isMissing ? " *" : ""));
                    shown = "";
                }
            }

            if (isAnyMissing)
            {
                terminal.Out.WriteLine();
                terminal.Out.WriteLine("* not in this version; `tune validate CONFIG` says what is missing, and what to use instead.");
            }

            return Failure.Ok;
        });
        return command;
    }

    private static string Row(string recipe, string config) => $"{recipe,-40} {config,-40}";
}
