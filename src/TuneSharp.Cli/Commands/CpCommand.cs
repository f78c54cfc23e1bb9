using System.CommandLine;
using TuneSharp.Config;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune cp</c>: a config as a file of one's own.</summary>
internal static class CpCommand
{
    public static Command Create(Terminal terminal)
    {
        Argument<string> file = new("file") { Description = "A config's name; `tune ls` lists them." };
        Argument<string> destination = new("destination") { Description = "Where to copy it: a file, or a folder that exists." };
        Option<bool> noClobber = new("--no-clobber", "-n") { Description = "Do not overwrite a file that exists." };
        Option<bool> makeParents = new("--make-parents") { Description = "Create the folders above the destination." };
        Command command = new("cp", "Copy a config to a file, to change it.") { file, destination, noClobber, makeParents };
        command.SetAction(result =>
        {
            Copy(
                result.GetRequiredValue(file),
                result.GetRequiredValue(destination),
                overwrite: !result.GetValue(noClobber),
                result.GetValue(makeParents),
                terminal.Out);
            return Failure.Ok;
        });
        return command;
    }

    private static void Copy(string name, string destination, bool overwrite, bool makeParents, TextWriter output)
    {
        if (ConfigCatalog.Find(name) is not { } config)
        {
            throw new UsageException(RecipeRegistry.Find(name) is not null || ConfigCatalog.All.Any(c => c.Recipe == name)
                ? $"{name} is a recipe. Copying recipes as files comes in a later version; copy one of its configs (`tune ls`) instead."
                : $"Invalid file name: {name}. Try `tune ls` to see all available files to copy.{NearestName.Hint(name, ConfigCatalog.All.Select(c => c.Name))}");
        }

        string path = Directory.Exists(destination)
            ? Path.Combine(destination, Path.GetFileName(config.Name) + ".yaml")
            : Path.GetExtension(destination) == ".yaml" ? destination : Path.ChangeExtension(destination, ".yaml");
        if (!overwrite && File.Exists(path))
        {
            output.WriteLine($"File already exists at {Path.GetFullPath(path)}, not overwriting.");
            return;
        }

        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (makeParents)
        {
            Directory.CreateDirectory(folder);
        }
        else if (!Directory.Exists(folder))
        {
            throw new UsageException(
                $"Cannot create regular file: '{path}'. No such file or directory. " +
                "If the specified destination's parent directory does not exist and you would like to create it on-the-fly, use --make-parents.");
        }

        File.WriteAllText(path, config.Open().Text);
        output.WriteLine($"Copied file to {path}");
    }
}
