using System.CommandLine;
using TuneSharp.Config;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune validate</c>: all mistakes of a config, without running anything.</summary>
internal static class ValidateCommand
{
    public static Command Create(Terminal terminal)
    {
        Argument<string> config = new("config") { Description = "A config's name (`tune ls` lists them) or a path to a YAML file." };
        Argument<string[]> overrides = new("overrides") { Description = "Changes to it, as for `tune run`.", Arity = ArgumentArity.ZeroOrMore };
        Option<string?> recipe = new("--recipe") { Description = "The recipe it is for; by default the one that its first line names." };
        Command command = new("validate", "Check a config, without running it.") { config, overrides, recipe };
        command.SetAction(result =>
        {
            Check(result.GetRequiredValue(config), result.GetValue(recipe), result.GetValue(overrides) ?? [], terminal);
            terminal.Out.WriteLine("Config is well-formed!");
            return Failure.Ok;
        });
        return command;
    }

    private static void Check(string name, string? recipeName, string[] overrides, Terminal terminal)
    {
        ConfigSource source = ConfigCatalog.Open(name);
        recipeName ??= ConfigCatalog.RecipeOf(source.Text);
        RecipeInfo? recipe = recipeName is null ? null : RunCommand.FindRecipe(recipeName);
        IReadOnlyList<string> warnings = recipe is null
            ? ConfigLoader.CheckComponents(source, overrides)
            : ConfigLoader.Load(source, recipe, overrides).Warnings;
        foreach (string warning in warnings)
        {
            terminal.Warn(warning);
        }
    }
}
