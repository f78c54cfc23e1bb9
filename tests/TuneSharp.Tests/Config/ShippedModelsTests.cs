using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using TuneSharp.Backend;
using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using TuneSharp.Recipes;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Config;

/// <summary>
/// What the configs under configs/ build, on the meta device: names, shapes and counts of their models, and the memory that their first
/// lines speak of. <c>eng/refresh-configs</c> writes the recorded list and the memory lines anew; read the difference before committing it.
/// </summary>
public class ShippedModelsTests
{
    private const string MemoryPrefix = "# Memory: ";
    private static readonly bool IsUpdating = Environment.GetEnvironmentVariable("TUNESHARP_UPDATE_SNAPSHOTS") == "1";
    private static readonly Lazy<IReadOnlyList<Shipped>> All = new(Build);

    [Fact]
    public void Names_and_shapes_of_every_configs_model_are_as_recorded()
    {
        string path = Repo.Golden("configs/models.txt");
        string[] actual =
        [
            "# config  component  weights  adapters  tensors  digest of names and shapes; made by eng/refresh-configs",
            .. All.Value.Select(c => string.Create(
                CultureInfo.InvariantCulture, $"{c.Name} {c.Component} {c.Counts.Weights} {c.Counts.Adapters} {c.Counts.Tensors} {c.Counts.Digest}")),
        ];
        // Whether a config must bind is ShippedConfigsTests' question.
        HashSet<string> bound = [.. actual.Select(l => l.Split(' ')[0])];
        string[] recorded = File.ReadAllLines(path);
        if (IsUpdating)
        {
            string[] unbound = [.. recorded.Where(l => !bound.Contains(l.Split(' ')[0]) && ConfigCatalog.Find(l.Split(' ')[0]) is not null)];
            recorded = [actual[0], .. actual[1..].Concat(unbound).Order(StringComparer.Ordinal)];
            File.WriteAllText(path, string.Join('\n', recorded) + "\n");
        }

        Assert.Equal(recorded.Where(l => bound.Contains(l.Split(' ')[0])), actual);
    }

    [Fact]
    public void Every_configs_model_has_as_many_weights_as_its_publisher_says()
    {
        Dictionary<string, string[]> published = File.ReadAllLines(Repo.Golden("configs/published.txt")).Where(l => !l.StartsWith('#'))
            .Select(l => l.Split(' ')).ToDictionary(l => l[0], l => l[1..], StringComparer.Ordinal);
        foreach (Shipped config in All.Value)
        {
            string builder = config.Component[(config.Component.LastIndexOf('.') + 1)..];
            string size = new[] { "qlora_", "lora_" }.Aggregate(builder, (b, p) => b.StartsWith(p, StringComparison.Ordinal) ? b[p.Length..] : b);
            size = new[] { "_base", "_instruct" }.Aggregate(size, (b, s) => b.EndsWith(s, StringComparison.Ordinal) ? b[..^s.Length] : b);
            Assert.True(published.TryGetValue(size, out string[]? says), $"tests/golden/configs/published.txt has no line for {size}: write down what its publisher says.");
            Assert.True(IsRounded(config.Counts.Weights, says[0]), $"{builder} has {config.Counts.Weights} weights; published are {says[0]}.");
            Assert.True(
                says.Length == 1 || IsRounded(config.Counts.InLayers, says[1]),
                $"{builder} has {config.Counts.InLayers} weights besides its embedding and head; published are {says[^1]}.");
        }
    }

    [Fact]
    public void The_memory_that_a_config_speaks_of_is_what_tune_estimate_says()
    {
        List<string> stale = [];
        foreach (Shipped config in All.Value.Where(c => c.MemoryLine is not null))
        {
            string path = Path.Combine(Repo.Root, "configs", config.Name + ".yaml");
            string[] lines = File.ReadAllText(path).Split('\n');
            if (lines[3] == config.MemoryLine)
            {
                continue;
            }

            stale.Add(config.Name);
            if (IsUpdating)
            {
                // Line 4, under the sentence that says what the config is.
                string[] rest = lines[3].StartsWith(MemoryPrefix, StringComparison.Ordinal) ? lines[4..] : lines[3..];
                File.WriteAllText(path, string.Join('\n', [.. lines[..3], config.MemoryLine!, .. rest]));
            }
        }

        Assert.True(IsUpdating || stale.Count == 0, $"Run eng/refresh-configs: the memory line is missing or old in {string.Join(", ", stale)}.");
    }

    [Fact]
    public void Only_a_config_that_trains_speaks_of_memory() => Assert.All(
        ConfigCatalog.All.Where(c => c.Open().Text.Contains('\n' + MemoryPrefix, StringComparison.Ordinal)),
        c => Assert.True(c.IsRunnable && c.Recipe!.Contains("finetune", StringComparison.Ordinal), c.Name));

    private static string MemoryLine(MemoryInputs inputs)
    {
        double gib = MemoryEstimate.Of(inputs).Total / (double)(1L << 30);
        return string.Create(CultureInfo.InvariantCulture, $"{MemoryPrefix}about {gib.ToString(gib < 10 ? "0.0" : "0", CultureInfo.InvariantCulture)} GiB with rows of {inputs.Length} tokens (`tune estimate` says what for, and what saves some).");
    }

    /// <summary>True when a count, rounded to as many digits as were published, is what was published.</summary>
    private static bool IsRounded(long count, string published)
    {
        double unit = published[^1] == 'B' ? 1e9 : 1e6;
        string number = published[..^1];
        int digits = number.Contains('.', StringComparison.Ordinal) ? number.Length - number.IndexOf('.', StringComparison.Ordinal) - 1 : 0;
        return Math.Abs((count / unit) - double.Parse(number, CultureInfo.InvariantCulture)) <= 0.5001 * Math.Pow(10, -digits);
    }

    /// <summary>Every config whose recipe and parts are here, except the quickstart's, whose models come from a folder. Each model is built once.</summary>
    private static List<Shipped> Build()
    {
        TorchBackend.EnsureLoaded();
        List<(string Name, object Config)> configs = [];
        foreach (CatalogEntry entry in ConfigCatalog.All.Where(c => c.IsRunnable && !c.Name.StartsWith("quickstart/", StringComparison.Ordinal)))
        {
            try
            {
                configs.Add((entry.Name, ConfigLoader.Load(entry.Name, RecipeRegistry.Find(entry.Recipe!)!, []).Value));
            }
            catch (ConfigException)
            {
                // ShippedConfigsTests asks why.
            }
        }

        Assert.NotEmpty(configs);
        List<Shipped> all = [];
        foreach (IGrouping<string, (string Name, object Config)> same in configs.GroupBy(c => Key(Model(c.Config)), StringComparer.Ordinal))
        {
            Component<TransformerDecoder> model = Model(same.First().Config);
            using BuildScope meta = new(META, ScalarType.BFloat16, initialise: false);
            using TransformerDecoder built = model.Build();
            Counts counts = Count(built);
            all.AddRange(same.Select(c => new Shipped(c.Name, model.Name, counts, c.Config is FinetuneConfig f ? MemoryLine(MemoryPlan.Read(f, built, length: null)) : null)));
        }

        return [.. all.OrderBy(c => c.Name, StringComparer.Ordinal)];
    }

    private static Component<TransformerDecoder> Model(object config) => config switch
    {
        FinetuneConfig finetune => finetune.Model,
        GenerateConfig generate => generate.Model,
        _ => throw new InvalidOperationException($"{config.GetType()} has a model that this test does not know of."),
    };

    private static string Key(Component<TransformerDecoder> model) => model.Name + string.Concat(model.Arguments.Select(a => $" {a.Key}={a.Value switch
    {
        System.Collections.IEnumerable list and not string => string.Join(',', list.Cast<object>()),
        var value => value,
    }}"));

    private static Counts Count(TransformerDecoder built)
    {
        StringBuilder text = new();
        long weights = 0;
        long adapters = 0;
        long inLayers = 0;
        IReadOnlyDictionary<string, Tensor> parameters = built.NamedParameters();
        foreach ((string name, Tensor value) in parameters.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            text.Append(CultureInfo.InvariantCulture, $"{name} [{string.Join(", ", value.shape)}]\n");
            if (Adapters.IsAdapterName(name))
            {
                adapters += value.numel();
                continue;
            }

            weights += value.numel();
            inLayers += name.StartsWith("tok_embeddings.", StringComparison.Ordinal) || name.StartsWith("output.", StringComparison.Ordinal) ? 0 : value.numel();
        }

        string digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..16];
        return new(weights, inLayers, adapters, parameters.Count, digest);
    }

    private sealed record Counts(long Weights, long InLayers, long Adapters, int Tensors, string Digest);

    private sealed record Shipped(string Name, string Component, Counts Counts, string? MemoryLine);
}
