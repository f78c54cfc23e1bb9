using TuneSharp.Hub;

namespace TuneSharp.Data;

/// <summary>Data sets of the hub.</summary>
internal static class HubDatasets
{
    /// <summary>The branch where the hub keeps its own Parquet copy of a data set.</summary>
    private const string ConvertedRevision = "refs/convert/parquet";

    /// <exception cref="DatasetException">It is not there, may not be read, or the hub is out of reach.</exception>
    public static DataTree Open(string name, string revision, HubSettings settings)
    {
        try
        {
            return HubTree.Open(name, revision, settings);
        }
        catch (HubException e)
        {
            throw new DatasetException(
                $"source {name} is a data set on the hub ({settings.Endpoint}). {e.Message} " +
                "For files of your own write source=data.jsonl, or source=json (csv, text, parquet) with data_files.", e);
        }
    }

    /// <summary>The hub's own copy of a data set that a Python script makes, or that has no files we read.</summary>
    /// <returns>Null when the data set's own files will do, or there is no copy.</returns>
    public static Dictionary<string, IReadOnlyList<DataRef>>? Converted(DataTree tree, LoadOptions options, string? subset, HubSettings settings)
    {
        bool isScript = tree.Files.Contains(tree.Name.Split('/')[^1] + ".py", StringComparer.Ordinal);
        if (!isScript || options.Revision is not (null or "main"))
        {
            return null;
        }

        DataTree copy;
        try
        {
            copy = HubTree.Open(tree.Name, ConvertedRevision, settings);
        }
        catch (HubException e)
        {
            throw new DatasetException(
                $"{tree.Name} is made by a Python script, which is not run here, and the hub has no Parquet copy of it. " +
                $"Name its files with data_files, or save it with Python first (save_to_disk). ({e.Message})", e);
        }

        // CONFIG/SPLIT/0000.parquet; a part of a large data set is in CONFIG/partial-SPLIT.
        string[][] files = [.. copy.Files.Where(f => f.EndsWith(".parquet", StringComparison.Ordinal)).Select(f => f.Split('/')).Where(p => p.Length == 3)];
        string[] configs = [.. files.Select(p => p[0]).Distinct(StringComparer.Ordinal)];
        string? config = subset ?? (configs.Length == 1 ? configs[0] : configs.FirstOrDefault(c => c == "default"));
        if (config is null || !configs.Contains(config, StringComparer.Ordinal))
        {
            throw new DatasetException(subset is null
                ? $"{tree.Name} has several configurations: {string.Join(", ", configs)}. Choose one with name (or subset)."
                : $"{tree.Name} has no configuration '{subset}'. It has: {string.Join(", ", configs)}.");
        }

        return files.Where(p => p[0] == config)
            .GroupBy(p => p[1].StartsWith("partial-", StringComparison.Ordinal) ? p[1]["partial-".Length..] : p[1], StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => (IReadOnlyList<DataRef>)[.. g.Select(p => copy.Ref(string.Join('/', p)))], StringComparer.Ordinal);
    }
}
