using System.Collections;
using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>Which files belong to which split.</summary>
internal static class DataFiles
{
    /// <summary>Formats by extension. The first column is what <c>source</c> may say.</summary>
    private static readonly Dictionary<string, string> Formats = new(StringComparer.Ordinal)
    {
        [".json"] = "json", [".jsonl"] = "json", [".ndjson"] = "json", [".jsonlines"] = "json",
        [".csv"] = "csv", [".tsv"] = "csv", [".txt"] = "text", [".text"] = "text", [".parquet"] = "parquet",
    };

    private static readonly string[] FormatNames = ["json", "csv", "tsv", "text", "parquet"];

    /// <summary>Words in a file's or folder's name that say its split, as the hub reads them.</summary>
    private static readonly (string Split, string[] Words)[] SplitWords =
    [
        ("train", ["train", "training"]),
        ("validation", ["validation", "valid", "val", "dev"]),
        ("test", ["test", "testing", "eval", "evaluation"]),
    ];

    /// <summary>All files by split, in a fixed order.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyList<string>> Resolve(LoadOptions options)
    {
        string source = options.Source
            ?? throw new DatasetException("source is missing. Name a file, a folder or a pattern: source=data/train.jsonl.");
        string? subset = Subset(options);
        bool isFormat = FormatNames.Contains(source, StringComparer.Ordinal) && !File.Exists(source) && !Directory.Exists(source);
        string? folder = isFormat ? options.DataDir : Expand(source);
        if (!isFormat)
        {
            RequireLocal(source, options);
            folder = options.DataDir is null ? folder : Path.Combine(folder!, options.DataDir);
        }

        // A configuration of a hub data set is a folder in its copy, if it is anything: a single file has none.
        if (subset is not null && folder is not null && Directory.Exists(Path.Combine(folder, subset)))
        {
            folder = Path.Combine(folder, subset);
        }

        if (options.DataFiles is not null)
        {
            return FromDataFiles(options.DataFiles, folder is not null && !File.Exists(folder) ? folder : null);
        }

        if (folder is null)
        {
            throw new DatasetException(
                $"source {source} names a format, so data_files or data_dir must name the files: data_files=data/train.{source}.");
        }

        return BySplitWords(FilesOf(folder, isFormat ? source : null), folder);
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
                $"{path}: the extension '{extension}' names no known format ({string.Join(", ", Formats.Keys)}, each also .gz). " +
                "Set source to json, csv, tsv, text or parquet and data_files to the path.");
    }

    private static string? Subset(LoadOptions options) =>
        options.Name is not null && options.Subset is not null && options.Name != options.Subset
            ? throw new DatasetException($"name={options.Name} and subset={options.Subset} are two names of one option. Leave one out.")
            : options.Name ?? options.Subset;

    private static void RequireLocal(string source, LoadOptions options)
    {
        string path = Expand(source);
        if (File.Exists(path) || Directory.Exists(path) || PathPattern.IsPattern(path))
        {
            return;
        }

        string[] parts = source.Split('/');
        bool hubName = parts.Length <= 2 && !Path.IsPathRooted(source) && source[0] is not ('.' or '~')
            && !Formats.ContainsKey(DataFile.Extension(source)) && !source.Contains('\\', StringComparison.Ordinal);
        bool url = source.Contains("://", StringComparison.Ordinal);
        if (url || (hubName && !(parts.Length == 2 && Directory.Exists(parts[0]))))
        {
            string how = options.DataFiles is null ? "source=data.jsonl" : $"source=json (csv, text, parquet) beside data_files";
            throw new DatasetException(
                $"source {source} is a data set on the Hugging Face hub, and this version does not download. " +
                $"Fetch its files and name them: {how}, or source=FOLDER for a folder of them.");
        }

        throw Missing(path);
    }

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

    private static Dictionary<string, IReadOnlyList<string>> FromDataFiles(object dataFiles, string? folder)
    {
        Dictionary<string, IReadOnlyList<string>> splits = new(StringComparer.Ordinal);
        switch (dataFiles)
        {
            case string or IEnumerable<string>:
                splits["train"] = Paths(dataFiles, folder);
                break;
            case IDictionary dictionary:
                foreach (DictionaryEntry entry in dictionary)
                {
                    splits[entry.Key.ToString()!] = Paths(entry.Value, folder);
                }

                break;
            case IEnumerable<KeyValuePair<string, string>> pairs:
                foreach ((string split, string path) in pairs)
                {
                    splits[split] = Paths(path, folder);
                }

                break;
            case IEnumerable<KeyValuePair<string, object?>> pairs:
                foreach ((string split, object? paths) in pairs)
                {
                    splits[split] = Paths(paths, folder);
                }

                break;
            default:
                splits["train"] = Paths(dataFiles, folder);
                break;
        }

        return splits;
    }

    private static List<string> Paths(object? value, string? folder) => value switch
    {
        string path => [.. FilesOf(folder is null ? Expand(path) : Path.Combine(folder, Expand(path)), null)],
        IEnumerable paths => [.. paths.Cast<object?>().SelectMany(p => Paths(p, folder))],
        _ => throw new DatasetException("data_files must be a path, a list of paths, or a dictionary from split to path or paths."),
    };

    /// <summary>The files that a path, a folder or a pattern stands for, by name.</summary>
    private static List<string> FilesOf(string path, string? format)
    {
        if (File.Exists(path))
        {
            return [path];
        }

        bool pattern = !Directory.Exists(path) && PathPattern.IsPattern(path);
        if (!pattern && !Directory.Exists(path))
        {
            throw Missing(path);
        }

        string? wanted = format == "tsv" ? "csv" : format;
        List<string> files = pattern
            ? [.. PathPattern.Expand(path)]
            : [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
                .Where(f => Formats.TryGetValue(DataFile.Extension(f), out string? found) && (wanted is null || found == wanted)
                    && !Path.GetRelativePath(path, f).Split(Path.DirectorySeparatorChar).Any(p => p[0] is '.' or '_'))];
        files.Sort(StringComparer.Ordinal);
        return files.Count > 0 ? files : throw new DatasetException(
            pattern ? $"{path}: no file matches this pattern." : $"{path}: the folder holds no data file ({string.Join(", ", Formats.Keys)}).");
    }

    private static Dictionary<string, IReadOnlyList<string>> BySplitWords(List<string> files, string folder)
    {
        Dictionary<string, IReadOnlyList<string>> splits = new(StringComparer.Ordinal);
        if (!Directory.Exists(folder))
        {
            splits["train"] = files;
            return splits;
        }

        foreach (IGrouping<string, string> group in files.GroupBy(f => SplitOf(Path.GetRelativePath(folder, f)), StringComparer.Ordinal))
        {
            splits[group.Key] = [.. group];
        }

        return splits;
    }

    private static string SplitOf(string relativePath)
    {
        string[] words = relativePath.ToLowerInvariant().Split('.', '-', '_', ' ', '/', '\\');
        return SplitWords.FirstOrDefault(s => s.Words.Any(w => words.Contains(w, StringComparer.Ordinal))).Split ?? "train";
    }

    private static string Expand(string path) => path == "~" || path.StartsWith("~/", StringComparison.Ordinal)
        ? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) + path[1..]
        : path;
}
