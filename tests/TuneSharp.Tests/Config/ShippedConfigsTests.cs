using TuneSharp.Config;

namespace TuneSharp.Tests.Config;

/// <summary>Every file under configs/, found on disk.</summary>
public class ShippedConfigsTests
{
    private static readonly string Folder = Path.Combine(Repo.Root, "configs");

    public static TheoryData<string> Names { get; } = [.. Directory.GetFiles(Folder, "*.yaml", SearchOption.AllDirectories)
        .Select(f => Path.GetRelativePath(Folder, f).Replace('\\', '/')[..^5]).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Names))]
    public void It_travels_in_the_program_and_is_its_own_manual(string name)
    {
        CatalogEntry entry = Assert.Single(ConfigCatalog.All, e => e.Name == name);
        string text = File.ReadAllText(Path.Combine(Folder, name + ".yaml"));
        Assert.Equal(text, entry.Open().Text);
        Assert.Equal(entry.Recipe, ConfigCatalog.RecipeOf(text));
        Assert.NotNull(entry.Recipe);
        string[] launches = [.. text.Split('\n').Where(l => l.StartsWith('#') && l.Contains("tune run ", StringComparison.Ordinal))];
        Assert.True(launches.Length > 1, "says neither how to launch it nor how to override it");
        Assert.All(launches, l => Assert.Contains($"tune run {entry.Recipe} --config {name}", l, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_config_binds(string name)
    {
        CatalogEntry entry = ConfigCatalog.Find(name)!;
        try
        {
            if (RecipeRegistry.Find(entry.Recipe!) is { } recipe)
            {
                LoadedConfig loaded = ConfigLoader.Load(name, recipe, []);
                Assert.Equal(loaded.Yaml, ConfigLoader.Load(new ConfigSource("resolved", loaded.Yaml), recipe.ConfigType, [], recipe.Name).Yaml);
            }
            else
            {
                ConfigLoader.CheckComponents(entry.Open(), []);
            }
        }
        catch (ConfigException e) when (RecipeRegistry.Find(entry.Recipe!) is null)
        {
            // A recipe that is still to come may name components that are, too; what is here must fit.
            Assert.All(e.Problems, p => Assert.Contains("is not available in this version", p.Message, StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("llama3_2/1B_lora_single_device")]
    [InlineData("llama3_2/1B_lora_single_device.yaml")]
    [InlineData("configs/llama3_2/1B_lora_single_device.yaml")]
    [InlineData("./configs/llama3_2/1B_lora_single_device")]
    public void A_config_is_found_under_each_of_its_names(string name) => Assert.Equal("llama3_2/1B_lora_single_device", ConfigCatalog.Find(name)?.Name);
}
