using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using TuneSharp.Cli.Commands;

namespace TuneSharp.Cli;

/// <summary>The <c>tune</c> command: its verbs, and what happens when one fails.</summary>
internal sealed class CommandLine(Terminal terminal)
{
    /// <summary>Runs one command line.</summary>
    /// <param name="arguments">The words after <c>tune</c>.</param>
    /// <param name="stop">Set by Ctrl-C.</param>
    /// <returns>0 fine, 1 failed, 2 a mistake in the command line or the config, 130 stopped.</returns>
    public int Run(string[] arguments, CancellationToken stop)
    {
        try
        {
            // The words after `run` are torchtune's own grammar: flags before the recipe, overrides in several spellings after it.
            if (arguments is ["run", .. var words])
            {
                if (!words.Any(w => w is "-h" or "--help" or "-?"))
                {
                    return RunCommand.Execute(RunArguments.Parse(words), terminal, stop);
                }

                terminal.Out.Write(RunCommand.Help);
                return Failure.Ok;
            }

            Command root = Root(stop);
            ParseResult result = root.Parse(arguments.Length == 0 ? ["--help"] : arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (result.Errors.Count > 0)
            {
                string verb = string.Join(' ', Path(result.CommandResult).Reverse());
                throw new UsageException($"{string.Join('\n', result.Errors.Select(e => e.Message))}\n`{verb} --help` shows what it takes.");
            }

            return result.Invoke(new InvocationConfiguration
            {
                Output = terminal.Out,
                Error = terminal.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
        }
        catch (Exception e)
        {
            return Failure.Report(e, terminal);
        }
        finally
        {
            terminal.Out.Flush();
            terminal.Error.Flush();
        }
    }

    /// <summary>The words that led to a command, the last one first.</summary>
    private static IEnumerable<string> Path(CommandResult command)
    {
        for (SymbolResult? at = command; at is CommandResult c; at = c.Parent)
        {
            yield return c.Command.Name;
        }
    }

    private Command Root(CancellationToken stop)
    {
        // Not a RootCommand: that one takes its name from the running file, and `tune` is `tune` wherever it runs.
        Command root = new("tune", "Fine-tunes large language models: recipes, configs, checkpoints.")
        {
            LsCommand.Create(terminal),
            CpCommand.Create(terminal),
            CatCommand.Create(terminal),
            ValidateCommand.Create(terminal),
            RunCommand.Create(terminal, stop),
            TokenizeCommand.Create(terminal, stop),
            DataCommand.Create(terminal, stop),
            DownloadCommand.Create(terminal, stop),
            EnvCommand.Create(terminal),
            ExportCommand.Create(terminal, stop),
            ParityCommand.Create(terminal),
            EstimateCommand.Create(terminal),
            BenchCommand.Create(terminal),
        };
        Option<bool> version = new("--version") { Description = "Show version information" };
        root.Options.Add(new HelpOption { Recursive = true });
        root.Options.Add(version);
        root.SetAction(result =>
        {
            if (!result.GetValue(version))
            {
                throw new UsageException("Say what to do. `tune --help` lists the commands.");
            }

            terminal.Out.WriteLine(EnvCommand.Version);
            return Failure.Ok;
        });
        return root;
    }
}
