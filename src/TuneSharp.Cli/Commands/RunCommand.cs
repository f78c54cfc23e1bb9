using System.CommandLine;
using TuneSharp.Backend;
using TuneSharp.Config;
using TuneSharp.Recipes;
using TuneSharp.Training;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune run</c>: binds a config, then runs its recipe.</summary>
internal static class RunCommand
{
    /// <summary>Its own help: the generated one knows neither flags before the recipe nor overrides after it.</summary>
    public static readonly string Help =
        """
        Description:
          Run a recipe with a config.

        Usage:
          tune run [TORCHRUN FLAGS] RECIPE --config CONFIG [OVERRIDES] [--dry-run]

        Options:
          --config CONFIG  A config's name (`tune ls` lists them) or a path to a YAML file.
          --dry-run        Show the resolved config, sizes, steps and memory, and stop.
          -?, -h, --help   Show help and usage information

        Overrides change the config for this run:
          batch_size=4  optimizer.lr=1e-4           torchtune's spelling
          --train.batch_size 4  --optimizer.lr=1e-4 as options
          optimizer=torch.optim.SGD                 swaps a component and keeps its other arguments
          lora_rank=32  lora_attn_modules=[q_proj]  are the model's
          lr_scheduler=null  ~clip_grad_norm        empty a key, remove a key

        Flags of torchrun's that may stand before the recipe (this version trains in one process):

        """ + string.Concat(RunArguments.LaunchFlagNames.Chunk(5).Select(flags => $"  {string.Join(' ', flags)}\n"));

    public static Command Create(Terminal terminal, CancellationToken stop)
    {
        Argument<string[]> words = new("arguments") { Arity = ArgumentArity.ZeroOrMore };
        Command command = new("run", "Run a recipe with a config.") { words };
        command.SetAction(result => Execute(RunArguments.Parse(result.GetValue(words) ?? []), terminal, stop));
        return command;
    }

    public static int Execute(RunArguments arguments, Terminal terminal, CancellationToken stop)
    {
        RecipeInfo recipe = FindRecipe(arguments.Recipe);
        if (arguments.RefusedLaunch() is { } reason)
        {
            throw new UsageException(reason);
        }

        LoadedConfig config = ConfigLoader.Load(arguments.Config, recipe, arguments.Overrides);
        terminal.Out.WriteLine($"Running {recipe.Type.Name} with resolved config:\n\n{config.Yaml}");
        foreach (string warning in config.Warnings)
        {
            terminal.Warn(warning);
        }

        terminal.Out.Flush();
        TorchBackend.EnsureLoaded();
        RunConsole console = new(terminal.Out, terminal.IsOutTerminal, width: terminal.Width);
        object[] services = [console, stop, terminal.Out];
        if (arguments.IsDryRun)
        {
            recipe.DryRun(config.Value, services);
            terminal.Out.WriteLine("Dry run: nothing was trained or written.");
            return Failure.Ok;
        }

        try
        {
            recipe.Run(config.Value, services);
        }
        catch (Exception e) when (config.Value is FinetuneConfig cfg && OutOfMemory.Is(e))
        {
            throw OutOfMemory.Explain(e, cfg);
        }

        return stop.IsCancellationRequested ? Failure.Stopped : Failure.Ok;
    }

    /// <summary>The recipe of a name, or a sentence about what there is.</summary>
    public static RecipeInfo FindRecipe(string name)
    {
        if (RecipeRegistry.Find(name) is { } recipe)
        {
            return recipe;
        }

        if (TorchtuneGaps.OfRecipe(name) is { } gap)
        {
            throw new UsageException(gap.Explain($"torchtune's recipe {name}"));
        }

        string[] names = [.. RecipeRegistry.All.Select(r => r.Name)];
        throw new UsageException(
            name.EndsWith(".cs", StringComparison.Ordinal) ? $"{name}: recipes as C# files come in a later version of TuneSharp. Recipes: {string.Join(", ", names)}."
            : $"Recipe {name} is not known.{NearestName.Hint(name, names)} Recipes: {string.Join(", ", names)}.");
    }
}
