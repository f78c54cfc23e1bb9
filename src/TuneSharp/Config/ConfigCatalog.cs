using System.Reflection;

namespace TuneSharp.Config;

/// <summary>The configs that travel inside the program, and where a config's text comes from.</summary>
/// <remarks>
/// A config says in its first line which recipe it is for: <c># recipe: lora_finetune_single_device</c>. That line is the only place
/// where the relation is written.
/// </remarks>
public static class ConfigCatalog
{
    private const string Prefix = "configs/";
    private const string Directive = "# recipe:";
    private static readonly Assembly Home = typeof(ConfigCatalog).Assembly;
    private static readonly Lazy<IReadOnlyList<CatalogEntry>> Entries = new(Read);

    /// <summary>All configs, sorted by recipe and name.</summary>
    public static IReadOnlyList<CatalogEntry> All => Entries.Value;

    /// <summary>Finds a config's text.</summary>
    /// <param name="nameOrPath">A name of <c>tune ls</c>, with or without <c>configs/</c> and <c>.yaml</c>, or a path.</param>
    /// <exception cref="ConfigException">There is no such config, or it cannot be read.</exception>
    public static ConfigSource Open(string nameOrPath) => Find(nameOrPath) is { } entry ? entry.Open() : OpenFile(nameOrPath);

    /// <summary>The config of a name, or null.</summary>
    /// <param name="name">With or without <c>configs/</c> and <c>.yaml</c>.</param>
    public static CatalogEntry? Find(string name)
    {
        string bare = name.Replace('\\', '/');
        bare = bare.StartsWith("./", StringComparison.Ordinal) ? bare[2..] : bare;
        bare = bare.StartsWith(Prefix, StringComparison.Ordinal) ? bare[Prefix.Length..] : bare;
        bare = bare.EndsWith(".yaml", StringComparison.Ordinal) ? bare[..^5] : bare.EndsWith(".yml", StringComparison.Ordinal) ? bare[..^4] : bare;
        return All.FirstOrDefault(e => e.Name == bare);
    }

    /// <summary>The recipe that a config's first line names, or null.</summary>
    /// <param name="text">The config.</param>
    public static string? RecipeOf(string text)
    {
        string first = text.AsSpan().TrimStart('\uFEFF').ToString().Split('\n', 2)[0].Trim();
        return first.StartsWith(Directive, StringComparison.Ordinal) && first[Directive.Length..].Trim() is { Length: > 0 } recipe ? recipe : null;
    }

    internal static string ReadResource(string name)
    {
        using StreamReader reader = new(Home.GetManifestResourceStream(Prefix + name + ".yaml")!);
        return reader.ReadToEnd();
    }

    private static ConfigSource OpenFile(string path)
    {
        try
        {
            return new(path, File.ReadAllText(path));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            string hint = NearestName.Find(path.EndsWith(".yaml", StringComparison.Ordinal) ? path[..^5] : path, All.Select(c => c.Name)) is { } near
                ? $" Did you mean {near}?"
                : "";
            throw new ConfigException([new(path, 0, 0, $"Config '{path}' not found.{hint} `tune ls` lists all names; a path to a YAML file works too.")]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException([new(path, 0, 0, $"the config cannot be read: {e.Message}")]);
        }
    }

    private static List<CatalogEntry> Read()
    {
        List<CatalogEntry> entries = [];
        foreach (string resource in Home.GetManifestResourceNames().Where(r => r.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            using StreamReader reader = new(Home.GetManifestResourceStream(resource)!);
            string name = resource[Prefix.Length..].Replace('\\', '/');
            name = name[..name.LastIndexOf('.')];
            entries.Add(new(name, RecipeOf(reader.ReadLine() ?? "")));
        }

        return [.. entries.OrderBy(e => e.Recipe, StringComparer.Ordinal).ThenBy(e => e.Name, StringComparer.Ordinal)];
    }
}

/// <summary>A config inside the program.</summary>
/// <param name="Name">Its name, as in <c>llama3_2/1B_lora_single_device</c>.</param>
/// <param name="Recipe">The recipe it is for; null if its first line names none.</param>
public sealed record CatalogEntry(string Name, string? Recipe)
{
    /// <summary>Whether this version has its recipe and all of its parts; what is missing, <c>tune validate</c> says.</summary>
    public bool IsRunnable => Recipe is not null && RecipeRegistry.Find(Recipe) is not null && !TorchtuneGaps.AreIn(Open().Text);

    /// <summary>Its text.</summary>
    public ConfigSource Open() => new($"configs/{Name}.yaml", ConfigCatalog.ReadResource(Name));
}

/// <summary>A config's text.</summary>
/// <param name="File">What messages call it.</param>
/// <param name="Text">The YAML.</param>
public sealed record ConfigSource(string File, string Text);
