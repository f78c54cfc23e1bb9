using System.Text.RegularExpressions;
using TuneSharp.Config;
using TuneSharp.Tests;

namespace TuneSharp.Cli.Tests.Docs;

/// <summary>What the documents say is so: links lead somewhere, commands are well-formed, tables are whole.</summary>
public sealed partial class DocsTests
{
    public static TheoryData<string> Documents() =>
    [
        .. Directory.EnumerateFiles(Repo.Root, "*.md")
            .Concat(new[] { "docs", "dev" }.SelectMany(d => Directory.EnumerateFiles(Path.Combine(Repo.Root, d), "*.md", SearchOption.AllDirectories)))
            .Select(f => Path.GetRelativePath(Repo.Root, f).Replace('\\', '/')).Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Links_lead_to_files(string document)
    {
        string folder = Path.GetDirectoryName(Path.Combine(Repo.Root, document))!;
        Nothing(Link().Matches(Read(document)).Select(m => m.Groups["target"].Value)
            .Where(l => !l.StartsWith("http", StringComparison.Ordinal) && !Path.Exists(Path.Combine(folder, l))));
    }

    /// <summary>A command with a config of ours, as it stands in a document, names a recipe that is there and keys that exist.</summary>
    [Theory]
    [MemberData(nameof(Documents))]
    public void Commands_are_well_formed(string document)
    {
        Dictionary<string, string> copies = new(StringComparer.Ordinal); // what `tune cp NAME FILE` makes
        foreach (string command in Commands(Read(document)))
        {
            string[] words = [.. Word().Matches(command).Select(m => m.Value.Replace("\"", "").Replace("'", ""))];
            words = [.. words.Select(w => copies.GetValueOrDefault(w, w))];
            string[] check = words switch
            {
                [_, "cp", var name, var file] when copies.TryAdd(file, name) => ["cat", name],
                [_, "run", var recipe, "--config", var config, .. var rest] =>
                    ["validate", config, "--recipe", recipe, .. rest.Where(w => w != "--dry-run")],
                [_, "validate", ..] => words[1..],
                _ => [words[1], "--help"],
            };
            CliResult result = Cli.Run(check);
            bool saysError = Read(document).Contains(command + "\n    error:", StringComparison.Ordinal);
            Assert.True(result.Code == 0 != saysError, $"{document}: {command}\n{result.Error}");
        }
    }

    [Fact]
    public void The_README_is_short() => Assert.True(File.ReadAllLines(Path.Combine(Repo.Root, "README.md")).Length <= 200);

    [Fact]
    public void The_READMEs_tree_is_the_librarys()
    {
        string[] listed = [.. TreeFolder().Matches(Read("README.md")).Select(m => m.Groups["name"].Value).Order(StringComparer.Ordinal)];
        string[] real = [.. Directory.EnumerateDirectories(Path.Combine(Repo.Root, "src", "TuneSharp")).Select(d => Path.GetFileName(d)!)
            .Where(d => d is not ("bin" or "obj")).Order(StringComparer.Ordinal)];
        Assert.Equal(real, listed);
    }

    [Fact]
    public void The_READMEs_example_compiles()
    {
        string[] example = File.ReadAllLines(Path.Combine(Repo.Root, "tests", "TuneSharp.Cli.Tests", "Docs", "ReadmeExample.cs"));
        string[] usings = [.. example.Where(l => l.StartsWith("using ", StringComparison.Ordinal))];
        string[] body = [.. example.Where(l => l.StartsWith("        ", StringComparison.Ordinal)).Select(l => l[8..])];
        Assert.Contains($"```csharp\n{string.Join('\n', usings)}\n\n{string.Join('\n', body)}\n```", Read("README.md"), StringComparison.Ordinal);
    }

    [Fact]
    public void The_README_names_every_variable()
    {
        string[] inCode = [.. Directory.EnumerateFiles(Path.Combine(Repo.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(f => Variable().Matches(File.ReadAllText(f))).Select(m => m.Value.Trim('"')).Distinct().Order(StringComparer.Ordinal)];
        Assert.NotEmpty(inCode);
        Nothing(inCode.Where(v => !Read("README.md").Contains($"`{v}`", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_page_on_configs_names_every_other_spelling()
    {
        string page = Read("docs/configs.md");
        Nothing(NormalForm.Renamed.Keys.Concat(NormalForm.OfModel).Where(k => !page.Contains($"`{k}`", StringComparison.Ordinal)));
        Nothing(NormalForm.Renamed.Values.Where(k => !page.Contains($"`{k}`", StringComparison.Ordinal)));
    }

    /// <summary>Fails with what was found.</summary>
    private static void Nothing(IEnumerable<string> found) => Assert.Equal("", string.Join(", ", found));

    private static string Read(string document) =>
        File.ReadAllText(Path.Combine(Repo.Root, document)).Replace("\\\n        ", "", StringComparison.Ordinal).Replace("$ ./tune", "./tune", StringComparison.Ordinal);

    /// <summary>Indented lines that start <c>./tune</c>; those with an ellipsis are no whole commands.</summary>
    private static IEnumerable<string> Commands(string text) =>
        Command().Matches(text).Select(m => m.Value.Trim()).Where(c => !c.Contains('…', StringComparison.Ordinal));

    [GeneratedRegex(@"\]\((?<target>[^)#\s]+)", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Link();

    [GeneratedRegex(@"^    \./tune [^\n]*", RegexOptions.CultureInvariant | RegexOptions.Multiline, 1000)]
    private static partial Regex Command();

    [GeneratedRegex("""(?:[^\s"']|"[^"]*"|'[^']*')+""", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Word();

    [GeneratedRegex(@"^        (?<name>\w+)/ ", RegexOptions.CultureInvariant | RegexOptions.Multiline, 1000)]
    private static partial Regex TreeFolder();

    [GeneratedRegex("\"TUNESHARP_[A-Z_]+\"", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Variable();
}
