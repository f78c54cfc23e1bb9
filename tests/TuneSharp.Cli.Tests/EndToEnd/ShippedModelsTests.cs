using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using TuneSharp.Backend;
using TuneSharp.Config;
using TuneSharp.Kernels;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using TuneSharp.Recipes;
using TuneSharp.Tests.Config;
using static TorchSharp.torch;

namespace TuneSharp.Cli.Tests.EndToEnd;

/// <summary>The models of all configs in the program, built without memory.</summary>
public partial class ShippedModelsTests
{
    /// <summary>A config for each model of this version that needs no folder: the first that names it.</summary>
    public static TheoryData<string> Configs { get; } =
    [.. ConfigCatalog.All.Where(c => c.IsRunnable && !c.Name.StartsWith("quickstart/", StringComparison.Ordinal))
        .DistinctBy(c => Model().Match(c.Open().Text).Value, StringComparer.Ordinal)
        .Where(Binds).Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Configs))]
    public void Every_configs_model_is_built_or_refused_with_a_reason(string name)
    {
        TorchBackend.EnsureLoaded();
        Component<TransformerDecoder> model = ConfigLoader.Load(name, RecipeRegistry.Find(ConfigCatalog.Find(name)!.Recipe!)!, []).Value switch
        {
            FinetuneConfig finetune => finetune.Model,
            GenerateConfig generate => generate.Model,
            var other => throw new InvalidOperationException($"{other.GetType()} has a model that this test does not know of."),
        };
        using BuildScope meta = new(META, ScalarType.BFloat16);
        using TransformerDecoder built = model.Build();
        if (model.Name.Contains(".qlora_", StringComparison.Ordinal) || (model.Arguments.TryGetValue("quantize_base", out object? quantised) && quantised is true))
        {
            // A router is small and decides much, and [E, out] biases of experts are no products: both stay as they are.
            Assert.All(
                built.NamedParameters().Where(p => !p.Key.EndsWith("_bias", StringComparison.Ordinal) && !p.Key.EndsWith(".router.weight", StringComparison.Ordinal) && p.Key.StartsWith("layers.", StringComparison.Ordinal) && p.Value.dim() == 2 && !Adapters.IsAdapterName(p.Key)),
                p => Assert.IsType<QuantizedParameter>(p.Value));
        }

        Assert.Contains(built.NamedParameters().Keys, k => k == "layers.0.attn.q_proj.weight");
        if (model.Name.Contains(".lora_", StringComparison.Ordinal))
        {
            Assert.Contains(built.NamedParameters().Keys, k => k.EndsWith(".lora_a.weight", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("torchtune.models.llama2.llama2_7b", 6_738_415_616)]
    [InlineData("torchtune.models.llama3.llama3_8b", 8_030_261_248)]
    [InlineData("torchtune.models.llama3_1.llama3_1_8b", 8_030_261_248)]
    [InlineData("torchtune.models.llama3_2.llama3_2_1b", 1_235_814_400)]
    public void Names_and_shapes_are_torchtunes(string component, long parameters)
    {
        TorchBackend.EnsureLoaded();
        using BuildScope meta = new(META, ScalarType.BFloat16);
        Component<TransformerDecoder> model = ConfigLoader.Load<FullFinetuneConfig>("llama3_2/1B_full_single_device", "model={_component_: " + component + "}").Value.Model;
        using TransformerDecoder built = model.Build();
        Assert.Equal(parameters, built.parameters().Sum(p => p.numel()));
        StringBuilder text = new();
        IEnumerable<(string Name, string Shape)> names = built.NamedParameters().Select(p => (Layer().Replace(p.Key, "layers.{}."), string.Join(", ", p.Value.shape)));
        foreach (IGrouping<(string Name, string Shape), (string Name, string Shape)> group in names.GroupBy(n => n))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{group.Key.Name} [{group.Key.Shape}] x {group.Count()}");
        }

        Snapshot.Matches("TuneSharp.Cli.Tests", component[(component.LastIndexOf('.') + 1)..], text.ToString());
    }

    /// <summary>Whether its parts are all here; why not, ShippedConfigsTests asks.</summary>
    private static bool Binds(CatalogEntry config)
    {
        try
        {
            ConfigLoader.Load(config.Name, RecipeRegistry.Find(config.Recipe!)!, []);
            return true;
        }
        catch (ConfigException)
        {
            return false;
        }
    }

    /// <summary>The model's section: its component and arguments.</summary>
    [GeneratedRegex(@"^model:\n(?:  .*\n)*", RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Model();

    [GeneratedRegex(@"^layers\.\d+\.", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Layer();
}
