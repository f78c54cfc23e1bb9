using System.Globalization;

namespace TuneSharp.Cli.Commands;

/// <summary>The words after <c>tune run</c>: <c>[TORCHRUN FLAGS] RECIPE --config CONFIG [OVERRIDES]</c>.</summary>
/// <param name="Recipe">The recipe's name.</param>
/// <param name="Config">The config's name or path.</param>
/// <param name="Overrides">All other words after the recipe.</param>
/// <param name="IsDryRun">Say what would be done, and stop.</param>
/// <param name="LaunchFlags">Flags before the recipe, by name with dashes.</param>
internal sealed record RunArguments(
    string Recipe, string Config, IReadOnlyList<string> Overrides, bool IsDryRun, IReadOnlyDictionary<string, string> LaunchFlags)
{
    private static readonly Dictionary<string, string> Short = new(StringComparer.Ordinal)
    { ["-m"] = "module", ["-r"] = "redirects", ["-t"] = "tee" };

    /// <summary>torchrun's flags that stand alone.</summary>
    private static readonly HashSet<string> Switches = ["standalone", "module", "no-python", "run-path"];

    /// <summary>torchrun's flags that take a value.</summary>
    private static readonly HashSet<string> Valued =
    [
        "nnodes", "nproc-per-node", "rdzv-backend", "rdzv-endpoint", "rdzv-id", "rdzv-conf", "max-restarts", "monitor-interval",
        "start-method", "event-log-handler", "role", "log-dir", "redirects", "tee", "local-ranks-filter", "node-rank", "master-addr",
        "master-port", "local-addr", "logs-specs", "numa-binding", "signals-to-handle",
    ];

    /// <summary>All torchrun flags, for the help.</summary>
    public static IEnumerable<string> LaunchFlagNames => Valued.Concat(Switches).Order(StringComparer.Ordinal).Select(n => "--" + n);

    /// <summary>Reads the words.</summary>
    /// <exception cref="UsageException">They do not make sense; the message says which and why.</exception>
    public static RunArguments Parse(IReadOnlyList<string> words)
    {
        Dictionary<string, string> flags = new(StringComparer.Ordinal);
        string? recipe = null;
        string? config = null;
        bool isDryRun = false;
        List<string> overrides = [];
        for (int i = 0; i < words.Count; i++)
        {
            string word = words[i];
            if (word == "--config" || word.StartsWith("--config=", StringComparison.Ordinal))
            {
                config = word.Length > 8 ? word[9..] : i + 1 < words.Count ? words[++i] : throw NoConfig();
            }
            else if (word is "--dry-run" or "--dry_run")
            {
                isDryRun = true;
            }
            else if (recipe is not null)
            {
                overrides.Add(word);
            }
            else if (word.StartsWith('-'))
            {
                ReadLaunchFlag(words, ref i, flags);
            }
            else
            {
                recipe = word;
            }
        }

        return new(
            recipe ?? throw new UsageException("Name a recipe: tune run RECIPE --config CONFIG. `tune ls` lists recipes and configs."),
            string.IsNullOrEmpty(config) ? throw NoConfig() : config,
            overrides,
            isDryRun,
            flags);
    }

    /// <summary>Why these flags cannot be followed here, or null.</summary>
    public string? RefusedLaunch()
    {
        if (LaunchFlags.Count > 0 && !Recipe.EndsWith("_distributed", StringComparison.Ordinal))
        {
            return $"Recipe {Recipe} does not support distributed training.Please run without torchrun commands.";
        }

        foreach ((string flag, string value) in LaunchFlags)
        {
            bool isOne = flag switch
            {
                "nproc-per-node" => value is "1" or "auto" or "cpu" or "gpu",
                "nnodes" => value.Split(':').All(n => n == "1"),
                "node-rank" => value == "0",
                "module" or "no-python" or "run-path" => false,
                _ => true,
            };
            if (!isOne)
            {
                return flag is "module" or "no-python" or "run-path"
                    ? $"--{flag} runs Python programs; recipes here are part of tune. Leave it out."
                    : $"--{flag} {value} asks for more than one process, and this version of TuneSharp trains in one. Leave the flag out: {Recipe} runs as it is.";
            }
        }

        return null;
    }

    private static void ReadLaunchFlag(IReadOnlyList<string> words, ref int i, Dictionary<string, string> flags)
    {
        string word = words[i];
        int equal = word.IndexOf('=', StringComparison.Ordinal);
        string written = equal < 0 ? word : word[..equal];
        string name = Short.TryGetValue(written, out string? full) ? full : written.TrimStart('-').Replace('_', '-');
        if (Switches.Contains(name))
        {
            flags[name] = "";
        }
        else if (!Valued.Contains(name))
        {
            throw new UsageException(string.Create(CultureInfo.InvariantCulture,
                $"{written} is not a flag of torchrun's, and only those may stand before the recipe. Write overrides after it: tune run RECIPE --config CONFIG key=value."));
        }
        else
        {
            flags[name] = equal >= 0 ? word[(equal + 1)..]
                : i + 1 < words.Count ? words[++i]
                : throw new UsageException($"{written} needs a value.");
        }
    }

    private static UsageException NoConfig() => new("The '--config' argument is required.");
}
