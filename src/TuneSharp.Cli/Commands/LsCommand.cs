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
            ILookup<string, string> configs = ConfigCatalog.All.Where(c => c.Recipe is not null).ToLookup(c => c.Recipe!, c => c.Name, StringComparer.Ordinal);
            foreach (string recipe in RecipeRegistry.All.Select(r => r.Name).Union(configs.Select(c => c.Key), StringComparer.Ordinal).Order(StringComparer.Ordinal))
            {
                string shown = recipe; // torchtune's layout: the recipe stands beside its first config only
                foreach (string config in configs[recipe].DefaultIfEmpty("<>"))
                {
                    terminal.Out.WriteLine(Row(shown, config));
                    shown = "";
                }
            }

            return Failure.Ok;
        });
        return command;
    }

    private static string Row(string recipe, string config) => $"{recipe,-40} {config,-40}";
}
