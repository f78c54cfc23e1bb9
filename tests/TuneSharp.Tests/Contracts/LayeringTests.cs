using System.Reflection;
using ArchUnitNET.Domain;
using ArchUnitNET.Loader;
using TuneSharp.Config;
using TuneSharp.Native;
using Architecture = ArchUnitNET.Domain.Architecture;

namespace TuneSharp.Tests.Contracts;

/// <summary>Floors see only what lies below them: checked on the compiled code, method bodies included.</summary>
public sealed class LayeringTests
{
    /// <summary>Each floor and the floors that it may see. What is not named here is forbidden, and a new namespace must be added.</summary>
    private static readonly Dictionary<string, string[]> MaySee = new(StringComparer.Ordinal)
    {
        ["Native"] = [],
        ["Config"] = [],
        ["Backend"] = ["Native"],
        ["Tokenizers"] = ["Config", "Hub"],
        ["Templates"] = [],
        ["Checkpointing"] = ["Config", "Hub", "Backend", "Kernels"],
        ["Hub"] = [],
        ["Kernels"] = ["Config", "Backend", "Native"],
        ["Modules"] = ["Config", "Backend", "Checkpointing", "Kernels"],
        ["Data"] = ["Config", "Hub", "Backend", "Tokenizers", "Templates"],
        ["Models"] = ["Config", "Hub", "Backend", "Tokenizers", "Templates", "Checkpointing", "Kernels", "Modules", "Data"],
        ["Training"] = ["Config", "Backend", "Checkpointing", "Kernels", "Modules"],
        ["Generation"] = ["Config", "Backend", "Tokenizers", "Templates", "Checkpointing", "Kernels", "Modules", "Data", "Models"],
        ["Evaluation"] = ["Config", "Backend", "Tokenizers", "Templates", "Checkpointing", "Kernels", "Modules", "Data", "Models", "Generation"],
        ["Recipes"] =
        [
            "Config", "Backend", "Tokenizers", "Templates", "Checkpointing", "Hub", "Kernels", "Modules", "Data", "Models", "Training", "Generation",
            "Evaluation",
        ],
    };

    private static readonly Architecture Code = new ArchLoader()
        .LoadAssemblies(typeof(ConfigLoader).Assembly, typeof(LibTorch).Assembly, typeof(LayeringTests).Assembly).Build();

    public static TheoryData<string> Floors() => [.. MaySee.Keys];

    [Theory]
    [MemberData(nameof(Floors))]
    public void A_floor_sees_only_what_it_may(string floor) => Assert.Empty(Violations(floor, TypesOf($"TuneSharp.{floor}")));

    [Fact]
    public void Every_namespace_has_its_floor() =>
        Assert.Equal(
            MaySee.Keys.Order(StringComparer.Ordinal),
            Code.Types.Select(t => FloorOf(t.FullName)).OfType<string>().Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));

    /// <summary>Breaks each rule once: a planted type of each floor that reaches a floor it may not see is caught.</summary>
    [Theory]
    [MemberData(nameof(Floors))]
    public void A_planted_slip_is_caught(string floor)
    {
        Assert.NotEmpty(TypesOf($"TuneSharp.{floor}")); // a rule about nothing passes silently
        IType[] slip = [.. TypesOf("TuneSharp.Tests.Contracts").Where(t => t.FullName.StartsWith(typeof(Planted).FullName!, StringComparison.Ordinal))];
        Assert.NotEmpty(slip);
        foreach (string seen in MaySee.Keys.Where(f => f != floor))
        {
            bool caught = Violations(floor, slip).Any(v => v.Contains($"-> TuneSharp.{seen}.", StringComparison.Ordinal));
            Assert.True(caught != MaySee[floor].Contains(seen), $"{floor} -> {seen}");
        }
    }

    [Fact]
    public void Recipes_do_not_see_each_other()
    {
        string[] recipes = [.. typeof(ConfigLoader).Assembly.GetTypes().Where(t => t.GetCustomAttributes<RecipeAttribute>().Any()).Select(t => t.FullName!)];
        Assert.True(recipes.Length >= 3);
        foreach (string recipe in recipes)
        {
            string[] seen =
            [
                .. Code.Types.Where(t => t.FullName == recipe || t.FullName.StartsWith(recipe + "+", StringComparison.Ordinal))
                    .SelectMany(t => t.Dependencies).Select(d => d.Target.FullName).Intersect(recipes).Where(r => r != recipe),
            ];
            Assert.True(seen.Length == 0, $"{recipe} sees {string.Join(", ", seen)}");
        }
    }

    private static IEnumerable<IType> TypesOf(string name) =>
        Code.Types.Where(t => t.FullName.StartsWith(name + ".", StringComparison.Ordinal) && (name.Contains(".Tests.") || FloorOf(t.FullName) is not null));

    private static List<string> Violations(string floor, IEnumerable<IType> types) =>
    [
        .. from type in types
           from target in type.Dependencies.Select(d => d.Target.FullName).Distinct(StringComparer.Ordinal)
           let other = FloorOf(target)
           where other is not null && other != floor && !MaySee[floor].Contains(other)
           select $"{type.FullName} -> {target}",
    ];

    /// <summary>The part of a type's name that says its floor; null for what is not the library's.</summary>
    private static string? FloorOf(string type)
    {
        string[] parts = type.Split('.');
        return parts is ["TuneSharp", not "Tests", _, ..] ? parts[1] : null;
    }
}

/// <summary>Uses something of every floor inside a method body, as a slip would.</summary>
internal static class Planted
{
    public static object?[] Uses() =>
    [
        LibTorch.Loaded, ComponentRegistry.Names, new Func<string, TorchSharp.torch.Device>(TuneSharp.Backend.TorchBackend.ParseDevice),
        new Func<string, TuneSharp.Tokenizers.ITokenizer>(path => TuneSharp.Tokenizers.TokenizerLoader.Load(path)),
        new TuneSharp.Checkpointing.CheckpointException(""), new TuneSharp.Hub.HubException(""), new TuneSharp.Templates.TemplateException("", ""), TuneSharp.Kernels.KernelChoice.Fused, TuneSharp.Modules.BuildScope.Current,
        typeof(TuneSharp.Data.Message), TuneSharp.Models.AutoModel.KnownTypes, TuneSharp.Training.RunConsole.Silent,
        new TuneSharp.Generation.GenerationOptions(), new Func<string, string, object>((a, b) => TuneSharp.Evaluation.Parity.Compare(a, b)),
        new Func<TuneSharp.Recipes.LoraFinetuneTrainer, object>(t => t.Train()),
    ];
}
