namespace TuneSharp.Config;

/// <summary>Reads, overrides, resolves and binds a config; reports all mistakes together, before anything is built.</summary>
public static class ConfigLoader
{
    /// <summary>Loads a config for code that knows its record.</summary>
    /// <typeparam name="TConfig">The recipe's config record.</typeparam>
    /// <param name="nameOrPath">A name of <c>tune ls</c>, or a path.</param>
    /// <param name="overrides">Words as on the command line: <c>batch_size=4</c>, <c>~lr_scheduler</c>, …</param>
    /// <exception cref="ConfigException">The config has mistakes: all of them, in the order of the file.</exception>
    public static LoadedConfig<TConfig> Load<TConfig>(string nameOrPath, params IReadOnlyList<string> overrides)
        where TConfig : class
    {
        LoadedConfig loaded = Load(ConfigCatalog.Open(nameOrPath), typeof(TConfig), overrides, typeof(TConfig).Name);
        return new((TConfig)loaded.Value, loaded.Yaml, loaded.Warnings);
    }

    /// <summary>Loads a config for a recipe.</summary>
    /// <param name="nameOrPath">A name of <c>tune ls</c>, or a path.</param>
    /// <param name="recipe">The recipe.</param>
    /// <param name="overrides">Words as on the command line.</param>
    /// <exception cref="ConfigException">The config has mistakes.</exception>
    public static LoadedConfig Load(string nameOrPath, RecipeInfo recipe, IReadOnlyList<string> overrides) =>
        Load(ConfigCatalog.Open(nameOrPath), recipe, overrides);

    /// <summary>Loads a config for a recipe from its text.</summary>
    /// <param name="source">The text and its name.</param>
    /// <param name="recipe">The recipe.</param>
    /// <param name="overrides">Words as on the command line.</param>
    /// <exception cref="ConfigException">The config has mistakes.</exception>
    public static LoadedConfig Load(ConfigSource source, RecipeInfo recipe, IReadOnlyList<string> overrides) =>
        Load(source, recipe.ConfigType, [.. recipe.Sets, .. overrides], recipe.Name);

    /// <summary>Loads a config from its text.</summary>
    /// <param name="source">The text and its name.</param>
    /// <param name="type">The config record.</param>
    /// <param name="overrides">Words as on the command line.</param>
    /// <param name="owner">What the keys belong to, in messages: the recipe's name.</param>
    /// <exception cref="ConfigException">The config has mistakes.</exception>
    public static LoadedConfig Load(ConfigSource source, Type type, IReadOnlyList<string> overrides, string owner)
    {
        List<ConfigProblem> problems = [];
        (ConfigMapping root, IReadOnlySet<string> variables) = Resolve(source, overrides, problems);
        ConfigBinder binder = new(root, variables, problems);
        object? value = binder.BindRoot(type, owner);
        Throw(problems);
        return new(value!, ToYaml(value!), Warnings(source, binder));
    }

    /// <summary>Loads the part of a config that one record knows, whatever else is in it.</summary>
    /// <typeparam name="TPart">The record.</typeparam>
    /// <param name="source">The text and its name.</param>
    /// <param name="overrides">Words as on the command line.</param>
    /// <param name="owner">What the keys belong to, in messages.</param>
    /// <exception cref="ConfigException">That part has mistakes.</exception>
    public static TPart LoadPart<TPart>(ConfigSource source, IReadOnlyList<string> overrides, string owner)
        where TPart : class
    {
        List<ConfigProblem> problems = [];
        (ConfigMapping root, IReadOnlySet<string> variables) = Resolve(source, overrides, problems);
        object? value = new ConfigBinder(root, variables, problems).BindPart(typeof(TPart), owner);
        Throw(problems);
        return (TPart)value!;
    }

    /// <summary>Checks a config as far as it can be checked without knowing its recipe: YAML, interpolation, components.</summary>
    /// <param name="source">The text and its name.</param>
    /// <param name="overrides">Words as on the command line.</param>
    /// <returns>Warnings.</returns>
    /// <exception cref="ConfigException">The config has mistakes.</exception>
    public static IReadOnlyList<string> CheckComponents(ConfigSource source, IReadOnlyList<string> overrides)
    {
        List<ConfigProblem> problems = [];
        (ConfigMapping root, IReadOnlySet<string> variables) = Resolve(source, overrides, problems);
        ConfigBinder binder = new(root, variables, problems);
        binder.CheckComponents();
        Throw(problems);
        return Warnings(source, binder);
    }

    /// <summary>A bound config as YAML: keys sorted, defaults filled in, secrets masked. Loading it gives the same config.</summary>
    /// <param name="config">A config record.</param>
    public static string ToYaml(object config) => YamlWriter.Write((ConfigMapping)ConfigText.ToNode(config), isResolved: true);

    /// <summary>A config's YAML written anew, without comments.</summary>
    /// <param name="source">The text and its name.</param>
    /// <param name="isSorted">Sort the keys.</param>
    /// <exception cref="ConfigException">It is not YAML.</exception>
    public static string Rewrite(ConfigSource source, bool isSorted)
    {
        List<ConfigProblem> problems = [];
        ConfigMapping root = YamlReader.ReadDocument(source.Text, source.File, problems);
        Throw(problems);
        return YamlWriter.Write(isSorted ? Sort(root) : root, indent: 4);
    }

    internal static (ConfigMapping Root, IReadOnlySet<string> Variables) Resolve(
        ConfigSource source, IReadOnlyList<string> overrides, List<ConfigProblem> problems)
    {
        ConfigMapping root = YamlReader.ReadDocument(source.Text, source.File, problems);
        if (root.Find("config") is { } reserved)
        {
            problems.Add(new(source.File, reserved.KeyPlace.Line, reserved.KeyPlace.Column, "`config` is the command line's own word; a config cannot have such a key."));
            root.Remove("config");
        }

        NormalForm.Apply(root, problems);
        Overrides.Apply(root, overrides, problems);
        return Interpolation.Resolve(root, problems);
    }

    private static ConfigMapping Sort(ConfigMapping mapping)
    {
        ConfigMapping sorted = new(mapping.Place);
        sorted.Entries.AddRange(mapping.Entries
            .OrderBy(e => e.Key, StringComparer.Ordinal)
            .Select(e => e.Node is ConfigMapping inner ? e with { Node = Sort(inner) } : e));
        return sorted;
    }

    private static string[] Warnings(ConfigSource source, ConfigBinder binder) => binder.Ignored.Count == 0
        ? []
        : [$"{source.File}: these keys have no effect here and are passed over: {string.Join(", ", binder.Ignored)}."];

    private static void Throw(List<ConfigProblem> problems)
    {
        if (problems.Count > 0)
        {
            throw new ConfigException([.. TorchtuneGaps.Fold(problems)
                .Distinct()
                .OrderBy(p => p.Line == 0)
                .ThenBy(p => p.File, StringComparer.Ordinal)
                .ThenBy(p => p.Line)
                .ThenBy(p => p.Column)]);
        }
    }
}

/// <summary>A config, ready for its recipe.</summary>
/// <param name="Value">The bound record.</param>
/// <param name="Yaml">The resolved config: keys sorted, defaults and overrides applied, secrets masked.</param>
/// <param name="Warnings">What the user should know; one line each.</param>
public sealed record LoadedConfig(object Value, string Yaml, IReadOnlyList<string> Warnings);

/// <summary>A config, ready for its recipe.</summary>
/// <typeparam name="TConfig">The recipe's config record.</typeparam>
/// <param name="Value">The bound record.</param>
/// <param name="Yaml">The resolved config: keys sorted, defaults and overrides applied, secrets masked.</param>
/// <param name="Warnings">What the user should know; one line each.</param>
public sealed record LoadedConfig<TConfig>(TConfig Value, string Yaml, IReadOnlyList<string> Warnings);
