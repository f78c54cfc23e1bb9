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
        RecipeInfo? recipe = RecipeRegistry.Find(entry.Recipe!);
        try
        {
            if (recipe is not null)
            {
                LoadedConfig loaded = ConfigLoader.Load(name, recipe, []);
                Assert.Equal(loaded.Yaml, ConfigLoader.Load(new ConfigSource("resolved", loaded.Yaml), recipe.ConfigType, [], recipe.Name).Yaml);
            }
            else
            {
                ConfigLoader.CheckComponents(entry.Open(), []);
            }

            Assert.Equal(recipe is not null, entry.IsRunnable);
        }
        catch (ConfigException e)
        {
            // What is here must fit; what is not must be a part of torchtune's that nobody expects yet.
            string[] missing = [.. Components(entry.Open()).Where(c => ComponentRegistry.Find(c) is null && !c.EndsWith("_tp_plan", StringComparison.Ordinal)
                && c != "torchtune.training.setup_torch_profiler").Distinct(StringComparer.Ordinal)];
            Assert.NotEmpty(missing);
            Assert.All(missing, c => Assert.True(
                TorchtuneGaps.OfComponent(c) is not null || (recipe is null && TorchtuneNames.Contains(c) && !IsTextPart(c)),
                $"{c} has to be here by now"));
            Assert.All(e.Problems, p => Assert.Contains("not available in this version", p.Message, StringComparison.Ordinal));
            if (entry is { IsRunnable: false } && recipe is not null)
            {
                Assert.Single(e.Problems);
            }
        }
    }

    private static bool IsTextPart(string component) =>
        component.StartsWith("torchtune.models.", StringComparison.Ordinal) || component.StartsWith("torchtune.datasets.", StringComparison.Ordinal);

    [Fact]
    public void Every_name_of_torchtunes_is_here_with_its_recipe()
    {
        string[] lines = [.. File.ReadAllLines(Repo.Golden("configs/torchtune_names.txt")).Where(l => !l.StartsWith('#'))];
        Assert.Equal(187, lines.Length);
        Assert.All(lines, line => Assert.Equal(line, $"{line.Split(' ')[0]} {ConfigCatalog.Find(line.Split(' ')[0])?.Recipe}"));
        Assert.Equal(
            RecipeRegistry.All.Select(r => r.Name).Concat(TorchtuneGaps.RecipeNames).Order(StringComparer.Ordinal).Intersect(lines.Select(l => l.Split(' ')[1])),
            lines.Select(l => l.Split(' ')[1]).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_is_said_to_be_missing_is_missing()
    {
        Assert.All(TorchtuneGaps.RecipeNames, r => Assert.Null(RecipeRegistry.Find(r)));
        Assert.All(ComponentRegistry.Names, c => Assert.Null(TorchtuneGaps.OfComponent(c)));
    }

    private static IEnumerable<string> Components(ConfigSource source)
    {
        List<ConfigProblem> problems = [];
        (ConfigMapping root, _) = ConfigLoader.Resolve(source, [], problems);
        return Components(root);
    }

    private static IEnumerable<string> Components(ConfigNode node) => node switch
    {
        ConfigMapping m => m.Entries.SelectMany(e => e is { Key: ConfigMapping.ComponentKey, Node: ConfigScalar { Value: string name } } ? [name] : Components(e.Node)),
        ConfigSequence s => s.Items.SelectMany(Components),
        _ => [],
    };

    [Theory]
    [InlineData("llama3_2/1B_lora_single_device")]
    [InlineData("llama3_2/1B_lora_single_device.yaml")]
    [InlineData("configs/llama3_2/1B_lora_single_device.yaml")]
    [InlineData("./configs/llama3_2/1B_lora_single_device")]
    public void A_config_is_found_under_each_of_its_names(string name) => Assert.Equal("llama3_2/1B_lora_single_device", ConfigCatalog.Find(name)?.Name);
}
