using TuneSharp.Config;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Tests;

namespace TuneSharp.Cli.Tests.Docs;

/// <summary>The README's table of families is what the registry holds; <c>TUNESHARP_UPDATE_SNAPSHOTS=1</c> writes it anew.</summary>
public sealed class FamilyTableTests
{
    private const string Begin = "<!-- families: written by FamilyTableTests -->\n", End = "<!-- /families -->";

    [Fact]
    public void The_READMEs_families_are_those_of_the_registry()
    {
        string path = Path.Combine(Repo.Root, "README.md"), readme = File.ReadAllText(path);
        int from = readme.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length, to = readme.IndexOf(End, StringComparison.Ordinal);
        Assert.True(from >= Begin.Length && to > from, "README.md has lost the marks around its table of families.");
        string table = Table();
        if (Environment.GetEnvironmentVariable("TUNESHARP_UPDATE_SNAPSHOTS") == "1")
        {
            File.WriteAllText(path, readme[..from] + table + readme[to..]);
            return;
        }

        Assert.Equal(table, readme[from..to]);
    }

    /// <summary>A row for each package of builders: its plain builders, and those that it has with adapters.</summary>
    private static string Table()
    {
        IEnumerable<IGrouping<string, string>> packages = ComponentRegistry.Names
            .Where(n => n.Contains(".models.", StringComparison.Ordinal) && ComponentRegistry.Find(n)!.Result == typeof(TransformerDecoder))
            .GroupBy(n => n[..n.LastIndexOf('.')]).OrderBy(g => g.Key[(g.Key.LastIndexOf('.') + 1)..], StringComparer.Ordinal);
        string rows = string.Concat(packages.Select(g =>
        {
            string[] names = [.. g.Select(n => n[(n.LastIndexOf('.') + 1)..])];
            string[] plain = [.. names.Where(n => !n.StartsWith("lora_", StringComparison.Ordinal) && !n.StartsWith("qlora_", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
            string Count(string prefix) => plain.All(p => names.Contains(prefix + p)) ? "all" : $"{plain.Count(p => names.Contains(prefix + p))} of {plain.Length}";
            return $"| `{g.Key}` | {string.Join(", ", plain)} | {Count("lora_")} | {Count("qlora_")} |\n";
        }));
        return "| builders | plain | `lora_` | `qlora_` |\n|---|---|---|---|\n" + rows
            + $"\n`auto` builds any size of these `model_type`s from `config.json`: {string.Join(", ", AutoModel.KnownTypes.Order(StringComparer.Ordinal))}.\n";
    }
}
