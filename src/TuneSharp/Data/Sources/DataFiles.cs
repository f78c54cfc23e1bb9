using System.Collections;
using TuneSharp.Config;
using TuneSharp.Hub;

namespace TuneSharp.Data;

/// <summary>Files by split, and the options with what the data set's own description adds.</summary>
internal sealed record ResolvedFiles(IReadOnlyDictionary<string, IReadOnlyList<DataRef>> Splits, LoadOptions Options)
{
    /// <summary>The files of one split, fetched if they are not here yet.</summary>
    public IReadOnlyList<string> PathsOf(string split)
    {
        IReadOnlyList<DataRef> files = split == "all" && !Splits.ContainsKey("all")
            ? [.. Splits.Values.SelectMany(f => f)]
            : Splits.TryGetValue(split, out IReadOnlyList<DataRef>? found)
                ? found
                : throw new DatasetException(
                    $"split {Options.Split}: there is no split '{split}' in {Options.Source}. It has: {string.Join(", ", Splits.Keys)}.{NearestName.Hint(split, Splits.Keys)} " +
                    "Files become splits by their names (train, validation, test) or by data_files={split: path}.");
        return DataRef.Fetch(files);
    }
}

/// <summary>Which files belong to which split.</summary>
internal static class DataFiles
{
    /// <summary>Formats by extension. The second column is what <c>source</c> may say.</summary>
    private static readonly Dictionary<string, string> Formats = new(StringComparer.Ordinal)
    {
        [".json"] = "json", [".jsonl"] = "json", [".ndjson"] = "json", [".jsonlines"] = "json",
        [".csv"] = "csv", [".tsv"] = "csv", [".txt"] = "text", [".text"] = "text", [".parquet"] = "parquet", [".arrow"] = "arrow",
    };

    private static readonly string[] FormatNames = ["json", "csv", "tsv", "text", "parquet", "arrow"];

    /// <summary>The files on this machine that the options' split reads, each with its split.</summary>
    public static IReadOnlyList<(string Split, string Path)> Needed(LoadOptions options)
    {
        ResolvedFiles files = Resolve(options);
        return [.. SplitExpression.Parse(options.Split).Select(t => t.Name).Distinct(StringComparer.Ordinal)
            .SelectMany(split => files.PathsOf(split).Select(path => (split, path)))];
    }

    /// <summary>All files by split, in a fixed order; none is fetched yet.</summary>
    public static ResolvedFiles Resolve(LoadOptions options)
    {
        string source = options.Source
            ?? throw new DatasetException("source is missing. Name a file, a folder or a pattern: source=data/train.jsonl.");
        string? subset = Subset(options);
        HubSettings settings = SettingsOf(options);
        if (source.StartsWith("hf://", StringComparison.Ordinal))
        {
            (string name, string? revision, string? inside) = HubAddress(source);
            options = options with { Source = name, Revision = revision ?? options.Revision, DataFiles = inside ?? options.DataFiles };
            return InTree(OpenHub(options, settings), options, subset, settings);
        }

        if (DataRef.IsUrl(source))
        {
            return new(new Dictionary<string, IReadOnlyList<DataRef>>(StringComparer.Ordinal) { ["train"] = [DataRef.Url(source, settings, options.CacheDir)] }, options);
        }

        bool isFormat = FormatNames.Contains(source, StringComparer.Ordinal) && !File.Exists(source) && !Directory.Exists(source);
        if (!isFormat && IsOnHub(source))
        {
            return InTree(OpenHub(options, settings), options, subset, settings);
        }

        string? folder = isFormat ? Expanded(options.DataDir) : Expanded(source);
        folder = isFormat || options.DataDir is null ? folder : Path.Combine(folder!, options.DataDir);
        if (options.DataFiles is not null)
        {
            string? basis = folder is not null && !File.Exists(folder) ? folder : null;
            return new(Patterns(options.DataFiles).ToDictionary(
                p => p.Split, p => (IReadOnlyList<DataRef>)[.. p.Paths.SelectMany(path => Here(path, basis, settings, options))], StringComparer.Ordinal), options);
        }

        if (folder is null)
        {
            throw new DatasetException(
                $"source {source} names a format, so data_files or data_dir must name the files: data_files=data/train.{source}.");
        }

        if (Directory.Exists(folder))
        {
            return isFormat ? InFolder(folder, source, options) : InTree(new FolderTree(folder), options with { DataDir = null }, subset, settings);
        }

        return new(new Dictionary<string, IReadOnlyList<DataRef>>(StringComparer.Ordinal) { ["train"] = [.. FilesOf(folder).Select(DataRef.Local)] }, options);
    }

    /// <summary>The format of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="source">The config's source, which may name the format outright.</param>
    public static string Format(string path, string source)
    {
        if (FormatNames.Contains(source, StringComparer.Ordinal))
        {
            return source == "tsv" ? "csv" : source;
        }

        string extension = DataFile.Extension(path);
        return Formats.TryGetValue(extension, out string? format)
            ? format
            : throw new DatasetException(
                $"{path}: the extension '{extension}' names no known format ({string.Join(", ", Formats.Keys)}, each also {DataFile.Compressions}). " +
                "Set source to json, csv, tsv, text, parquet or arrow and data_files to the path.");
    }

    private static string? Subset(LoadOptions options) =>
        options.Name is not null && options.Subset is not null && options.Name != options.Subset
            ? throw new DatasetException($"name={options.Name} and subset={options.Subset} are two names of one option. Leave one out.")
            : options.Name ?? options.Subset;

    private static HubSettings SettingsOf(LoadOptions options)
    {
        HubSettings settings = new();
        return options.CacheDir is { } cache ? settings with { Cache = Path.Combine(Expand(cache), "hub") } : settings;
    }

    private static bool IsOnHub(string source)
    {
        string path = Expand(source);
        if (File.Exists(path) || Directory.Exists(path) || PathPattern.IsPattern(path))
        {
            return false;
        }

        string[] parts = source.Split('/');
        bool isName = HubNames.IsRepository(source) && !Formats.ContainsKey(DataFile.Extension(source));
        return isName && !(parts.Length == 2 && Directory.Exists(parts[0])) ? true : throw Missing(path);
    }

    private static (string Name, string? Revision, string? Inside) HubAddress(string address)
    {
        string[] parts = address["hf://".Length..].Split('/');
        if (parts.Length < 3 || parts[0] != "datasets")
        {
            throw new DatasetException($"{address} must be hf://datasets/owner/name, with /path after it for some of the files.");
        }

        string[] name = parts[2].Split('@', 2);
        return ($"{parts[1]}/{name[0]}", name.Length > 1 ? Uri.UnescapeDataString(name[1]) : null, parts.Length > 3 ? string.Join('/', parts[3..]) : null);
    }

    private static DataTree OpenHub(LoadOptions options, HubSettings settings) => HubDatasets.Open(options.Source!, options.Revision ?? "main", settings);

    /// <summary>Files of a folder or repository: as the config says, as its owner says, or as their names say.</summary>
    private static ResolvedFiles InTree(DataTree tree, LoadOptions options, string? subset, HubSettings settings)
    {
        string? folder = options.DataDir?.Trim('/');
        if (options.DataFiles is not null)
        {
            return new(Patterns(options.DataFiles).ToDictionary(p => p.Split, p => Matching(tree, p.Paths, folder, options, settings), StringComparer.Ordinal), options);
        }

        if (!tree.IsHub && SavedDataset.Splits(tree) is { } saved)
        {
            return new(saved, options);
        }

        IReadOnlyList<DatasetConfig> configs = folder is null ? DatasetCard.Configs(tree.ReadText("README.md"), tree.Name) : [];
        if (configs.Count > 0 && (tree.IsHub || subset is null || configs.Any(c => c.Name == subset)))
        {
            DatasetConfig config = DatasetCard.Choose(configs, subset, tree.Name);
            options = options with { Field = options.Field ?? config.Field, Delimiter = options.Delimiter ?? options.Sep ?? config.Delimiter };
            if (config.DataFiles.Count > 0)
            {
                return new(config.DataFiles.ToDictionary(
                    s => s.Key, s => Matching(tree, s.Value, config.DataDir?.Trim('/'), options, settings), StringComparer.Ordinal), options);
            }

            (folder, subset) = (config.DataDir?.Trim('/'), null);
        }

        if (tree.IsHub && configs.Count == 0 && HubDatasets.Converted(tree, options, subset, settings) is { } converted)
        {
            return new(converted, options);
        }

        if (subset is not null && folder is null && tree.Files.Any(f => f.StartsWith(subset + "/", StringComparison.Ordinal)))
        {
            folder = subset; // what the hub calls a configuration is a folder as a rule
        }
        else if (subset is not null && tree.IsHub && subset != "default")
        {
            throw new DatasetException($"{tree.Name} has no configuration '{subset}': neither its README.md nor a folder has that name. Leave name (or subset) out.");
        }

        return new(ByNames(tree, folder, null), options);
    }

    private static ResolvedFiles InFolder(string folder, string source, LoadOptions options) =>
        new(ByNames(new FolderTree(folder), null, source == "tsv" ? "csv" : source), options);

    private static Dictionary<string, IReadOnlyList<DataRef>> ByNames(DataTree tree, string? folder, string? format)
    {
        string prefix = string.IsNullOrEmpty(folder) || folder == "." ? "" : folder + "/";
        string[] files = [.. tree.Files.Where(f => f.StartsWith(prefix, StringComparison.Ordinal)).Select(f => f[prefix.Length..])
            .Where(f => SplitNames.IsData(f) && Formats.TryGetValue(DataFile.Extension(f), out string? found) && (format is null || found == format))];
        Dictionary<string, IReadOnlyList<DataRef>> splits = SplitNames.Of(files)
            .ToDictionary(s => s.Key, s => (IReadOnlyList<DataRef>)[.. OneFormat(s.Value).Select(f => tree.Ref(prefix + f))], StringComparer.Ordinal);
        return splits.Count > 0 ? splits : throw new DatasetException(
            $"{tree.Name}{(prefix.Length > 0 ? "/" + folder : "")}: the {(tree.IsHub ? "repository" : "folder")} holds no data file ({string.Join(", ", Formats.Keys)}).");
    }

    /// <summary>One data set in several formats is not read twice: the format of most files is taken.</summary>
    private static IEnumerable<string> OneFormat(IReadOnlyList<string> files)
    {
        string most = files.GroupBy(f => Formats[DataFile.Extension(f)], StringComparer.Ordinal).OrderByDescending(g => g.Count()).First().Key;
        return files.Where(f => Formats[DataFile.Extension(f)] == most);
    }

    private static IReadOnlyList<DataRef> Matching(DataTree tree, IReadOnlyList<string> patterns, string? folder, LoadOptions options, HubSettings settings) =>
    [
        .. patterns.SelectMany(pattern =>
        {
            if (DataRef.IsUrl(pattern))
            {
                return [DataRef.Url(pattern, settings, options.CacheDir)];
            }

            string path = string.IsNullOrEmpty(folder) || folder == "." ? pattern : $"{folder}/{pattern}";
            IReadOnlyList<string> files = tree.Match(path);
            return files.Count > 0 ? files.Where(f => SplitNames.IsData(f) || f == path).Select(tree.Ref) : throw new DatasetException(
                PathPattern.IsPattern(path)
                    ? $"{path}: no file matches this pattern in {tree.Name}."
                    : $"{path}: there is no such file in {tree.Name}.{NearestName.Hint(path, tree.Files)}");
        }),
    ];

    private static IEnumerable<DataRef> Here(string path, string? folder, HubSettings settings, LoadOptions options)
    {
        if (DataRef.IsUrl(path))
        {
            return [DataRef.Url(path, settings, options.CacheDir)];
        }

        if (path.StartsWith("hf://", StringComparison.Ordinal))
        {
            (string name, string? revision, string? inside) = HubAddress(path);
            DataTree tree = HubDatasets.Open(name, revision ?? "main", settings);
            return Matching(tree, [inside ?? "**"], null, options, settings);
        }

        return FilesOf(folder is null ? Expand(path) : Path.Combine(folder, Expand(path))).Select(DataRef.Local);
    }

    /// <summary>The three spellings of <c>data_files</c>, as paths by split.</summary>
    private static IEnumerable<(string Split, IReadOnlyList<string> Paths)> Patterns(object dataFiles)
    {
        switch (dataFiles)
        {
            case IEnumerable<KeyValuePair<string, string>> pairs:
                return pairs.Select(p => (p.Key, Paths(p.Value)));
            case IEnumerable<KeyValuePair<string, object?>> pairs:
                return pairs.Select(p => (p.Key, Paths(p.Value)));
            case IDictionary dictionary:
                return dictionary.Keys.Cast<object>().Select(key => (key.ToString()!, Paths(dictionary[key])));
            case IEnumerable<object?> list when list.Any() && list.All(i => i is IEnumerable<KeyValuePair<string, object?>>):
                // [{split: train, path: a.jsonl}, …], as a README has it
                return list.Cast<IEnumerable<KeyValuePair<string, object?>>>().Select(i => i.ToDictionary(StringComparer.Ordinal))
                    .Select(i => ((string)(i.GetValueOrDefault("split") ?? "train"), Paths(i.GetValueOrDefault("path"))));
            default:
                return [("train", Paths(dataFiles))];
        }
    }

    private static IReadOnlyList<string> Paths(object? value) => value switch
    {
        string path => [path],
        IEnumerable paths => [.. paths.Cast<object?>().SelectMany(Paths)],
        _ => throw new DatasetException("data_files must be a path, a list of paths, or a dictionary from split to path or paths."),
    };

    private static DatasetException Missing(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";
        if (!Directory.Exists(folder))
        {
            return new DatasetException($"{path}: there is no folder {folder}. Correct the path; relative ones start at {Directory.GetCurrentDirectory()}.");
        }

        string hint = NearestName.Hint(Path.GetFileName(path), Directory.EnumerateFileSystemEntries(folder).Select(p => Path.GetFileName(p)));
        return new DatasetException($"{path}: there is no such file.{hint} Looked in {folder}.");
    }

    /// <summary>The files that a path, a folder or a pattern stands for, by name.</summary>
    private static string[] FilesOf(string path)
    {
        if (File.Exists(path))
        {
            return [path];
        }

        if (Directory.Exists(path))
        {
            return [.. ByNames(new FolderTree(path), null, null).Values.SelectMany(f => f).Select(f => f.Name).Order(StringComparer.Ordinal)];
        }

        if (!PathPattern.IsPattern(path))
        {
            throw Missing(path);
        }

        string[] files = [.. PathPattern.Expand(path).Where(f => Path.GetFileName(f)[0] != '.' || Path.GetFileName(path)[0] == '.').Order(StringComparer.Ordinal)];
        return files.Length > 0 ? files : throw new DatasetException($"{path}: no file matches this pattern.");
    }

    private static string? Expanded(string? path) => path is null ? null : Expand(path);

    private static string Expand(string path) => path == "~" || path.StartsWith("~/", StringComparison.Ordinal)
        ? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) + path[1..]
        : path;
}
