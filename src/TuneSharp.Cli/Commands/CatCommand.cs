using System.CommandLine;
using TuneSharp.Config;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune cat</c>: a config's keys and values, without comments.</summary>
internal static class CatCommand
{
    public static Command Create(Terminal terminal)
    {
        Argument<string> config = new("config") { Description = "A config's name (`tune ls` lists them) or a path to a YAML file." };
        Option<bool> sort = new("--sort") { Description = "Sort the keys." };
        Command command = new("cat", "Print a config.") { config, sort };
        command.SetAction(result =>
        {
            terminal.Out.Write(Text(result.GetRequiredValue(config), result.GetValue(sort)));
            return Failure.Ok;
        });
        return command;
    }

    private static string Text(string name, bool isSorted)
    {
        if (RecipeRegistry.Find(name) is not null || ConfigCatalog.All.Any(c => c.Recipe == name))
        {
            throw new UsageException($"'{name}' is a recipe, not a config. Please use a config name.");
        }

        if (ConfigCatalog.Find(name) is null && File.Exists(name) && Path.GetExtension(name) is not (".yaml" or ".yml"))
        {
            throw new UsageException($"Invalid config format: '{name}'. Must be YAML (.yaml/.yml)");
        }

        ConfigSource source = ConfigCatalog.Open(name);
        try
        {
            return ConfigLoader.Rewrite(source, isSorted);
        }
        catch (ConfigException e)
        {
            throw new ConfigException($"Error parsing YAML file: {e.Message}", e);
        }
    }
}
