using System.Text.RegularExpressions;

namespace TuneSharp.Tests.Contracts;

/// <summary>Rules about files, which no compiler checks.</summary>
public sealed partial class SourceTreeTests
{
    private const int MostLines = 400;

    /// <summary>Files that are longer for a reason: tables that a program made.</summary>
    private static readonly string[] Tables = [];

    private static readonly (string Path, string[] Lines)[] Sources =
    [
        .. (from folder in (string[])["src", "tests", "bench", "examples"]
            where Directory.Exists(Path.Combine(Repo.Root, folder))
            from file in Directory.EnumerateFiles(Path.Combine(Repo.Root, folder), "*.cs", SearchOption.AllDirectories)
            let path = Path.GetRelativePath(Repo.Root, file).Replace('\\', '/')
            where !path.Contains("/obj/") && !path.Contains("/bin/")
            select (path, File.ReadAllLines(file))),
    ];

    [Fact]
    public void No_file_of_the_library_is_longer_than_400_lines()
    {
        Assert.True(Sources.Length > 200);
        Assert.Empty(Sources.Where(s => s.Path.StartsWith("src/", StringComparison.Ordinal) && s.Lines.Length > MostLines && !Tables.Contains(s.Path))
            .Select(s => $"{s.Path}: {s.Lines.Length} lines"));
        Assert.All(Tables, path => Assert.True(Sources.Single(s => s.Path == path).Lines.Length > MostLines, $"{path} needs no exemption"));
    }

    [Fact]
    public void No_bag_of_leftovers() =>
        Assert.DoesNotContain(Sources, s => Leftovers().IsMatch(Path.GetFileNameWithoutExtension(s.Path)));

    [Fact]
    public void Nothing_is_put_off_without_an_issue() =>
        Assert.Empty(
            from s in Sources
            where !s.Path.EndsWith("/SourceTreeTests.cs", StringComparison.Ordinal)
            from line in s.Lines.Index()
            where PutOff().IsMatch(line.Item)
            select $"{s.Path}({line.Index + 1}): {line.Item.Trim()}");

    [Fact]
    public void Only_the_command_line_writes_to_the_console() =>
        Assert.Empty(
            from s in Sources
            where s.Path.StartsWith("src/TuneSharp/", StringComparison.Ordinal) || s.Path.StartsWith("src/TuneSharp.Native/", StringComparison.Ordinal)
            from line in s.Lines.Index()
            where ConsoleUse().IsMatch(line.Item) && !line.Item.TrimStart().StartsWith("//", StringComparison.Ordinal)
            select $"{s.Path}({line.Index + 1}): {line.Item.Trim()}");

    [Fact]
    public void Namespaces_are_folders() =>
        Assert.Empty(
            from s in Sources
            where s.Path.StartsWith("src/TuneSharp/", StringComparison.Ordinal) && s.Path.Split('/').Length > 3
            let name = s.Lines.FirstOrDefault(l => l.StartsWith("namespace ", StringComparison.Ordinal))
            let floor = $"namespace TuneSharp.{s.Path.Split('/')[2]}"
            where name != floor + ";" && name?.StartsWith(floor + ".", StringComparison.Ordinal) != true
            select $"{s.Path}: {name}");

    [GeneratedRegex("^(Utils?|Helpers?|Common|Misc|.*Manager|.*Helper|.*Utils)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Leftovers();

    [GeneratedRegex(@"\b(TODO(?!\(#\d+\))|FIXME|XXX|HACK)\b|NotImplementedException|Skip\s*=\s*""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PutOff();

    [GeneratedRegex(@"(?<![.\w])(System\.)?Console\.(Out|Error|In|Write|WriteLine|Read|ReadLine|ReadKey)\b", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ConsoleUse();
}
