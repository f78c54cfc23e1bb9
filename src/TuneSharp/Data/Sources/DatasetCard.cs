using TuneSharp.Config;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace TuneSharp.Data;

/// <summary>A configuration that the owner of a data set wrote into the head of its <c>README.md</c>.</summary>
/// <param name="Name">What <c>name</c> (or <c>subset</c>) says to get it.</param>
/// <param name="IsDefault">It is the one when nobody says a name.</param>
/// <param name="DataDir">A folder that the patterns are relative to.</param>
/// <param name="DataFiles">Patterns by split; empty when the files' names say it.</param>
/// <param name="Field">As <see cref="LoadOptions.Field"/>.</param>
/// <param name="Delimiter">As <see cref="LoadOptions.Delimiter"/>.</param>
internal sealed record DatasetConfig(
    string Name, bool IsDefault, string? DataDir, IReadOnlyDictionary<string, IReadOnlyList<string>> DataFiles, string? Field, string? Delimiter);

/// <summary>Reads the <c>configs</c> of a data set's <c>README.md</c>.</summary>
internal static class DatasetCard
{
    /// <summary>The configurations, in order; none when there is no head or it has none.</summary>
    /// <param name="text">The README.</param>
    /// <param name="place">For messages.</param>
    public static IReadOnlyList<DatasetConfig> Configs(string? text, string place)
    {
        if (text is null || !text.TrimStart('\uFEFF').StartsWith("---", StringComparison.Ordinal))
        {
            return [];
        }

        string[] lines = text.ReplaceLineEndings("\n").TrimStart('\uFEFF').Split('\n');
        int end = Array.FindIndex(lines, 1, l => l.TrimEnd() == "---");
        if (end < 0)
        {
            return [];
        }

        try
        {
            YamlStream yaml = new();
            yaml.Load(new StringReader(string.Join('\n', lines[1..end])));
            return yaml.Documents is [{ RootNode: YamlMappingNode root }, ..] && Get(root, "configs") is YamlSequenceNode configs
                ? [.. configs.OfType<YamlMappingNode>().Select(Read)]
                : [];
        }
        catch (YamlException e)
        {
            throw new DatasetException($"{place}: the head of its README.md is not YAML (line {e.Start.Line + 1}: {e.Message}). Name the files with data_files.", e);
        }
    }

    /// <summary>The configuration that is meant.</summary>
    public static DatasetConfig Choose(IReadOnlyList<DatasetConfig> configs, string? name, string place)
    {
        string names = string.Join(", ", configs.Select(c => c.Name));
        if (name is not null)
        {
            return configs.FirstOrDefault(c => c.Name == name) ?? throw new DatasetException(
                $"{place} has no configuration '{name}'. It has: {names}.{NearestName.Hint(name, configs.Select(c => c.Name))}");
        }

        return (configs.Count == 1 ? configs[0] : configs.FirstOrDefault(c => c.IsDefault) ?? configs.FirstOrDefault(c => c.Name == "default"))
            ?? throw new DatasetException($"{place} has several configurations: {names}. Choose one with name (or subset).");
    }

    private static DatasetConfig Read(YamlMappingNode node) => new(
        Text(node, "config_name") ?? "default",
        Text(node, "default") is "true" or "True",
        Text(node, "data_dir"),
        Get(node, "data_files") is { } files ? DataFilesOf(files) : new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal),
        Text(node, "field"),
        Text(node, "delimiter") ?? Text(node, "sep"));

    private static Dictionary<string, IReadOnlyList<string>> DataFilesOf(YamlNode node)
    {
        Dictionary<string, IReadOnlyList<string>> splits = new(StringComparer.Ordinal);
        if (node is YamlMappingNode map)
        {
            foreach ((YamlNode split, YamlNode paths) in map.Children)
            {
                splits[((YamlScalarNode)split).Value ?? "train"] = Texts(paths);
            }
        }
        else if (node is YamlSequenceNode list && list.Children.Count > 0 && list.All(i => i is YamlMappingNode))
        {
            foreach (YamlMappingNode item in list.Cast<YamlMappingNode>())
            {
                splits[Text(item, "split") ?? "train"] = Get(item, "path") is { } paths ? Texts(paths) : [];
            }
        }
        else
        {
            splits["train"] = Texts(node);
        }

        return splits;
    }

    private static YamlNode? Get(YamlMappingNode node, string key) => node.Children.TryGetValue(new YamlScalarNode(key), out YamlNode? value) ? value : null;

    private static string? Text(YamlMappingNode node, string key) => (Get(node, key) as YamlScalarNode)?.Value;

    private static string[] Texts(YamlNode node) => node is YamlSequenceNode list
        ? [.. list.OfType<YamlScalarNode>().Select(s => s.Value ?? "")]
        : node is YamlScalarNode { Value: { } one } ? [one] : [];
}
