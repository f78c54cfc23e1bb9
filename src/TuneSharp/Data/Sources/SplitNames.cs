using System.Text.RegularExpressions;

namespace TuneSharp.Data;

/// <summary>Which files of a folder or repository are which split, when nobody says: the rules of Hugging Face's <c>datasets</c>.</summary>
/// <remarks>
/// The first rule that finds a file decides for all: <c>data/NAME-00000-of-00001.parquet</c>; folders named for a split; files
/// named for one (as a word, parted by <c>-</c>, <c>.</c>, <c>_</c>, a blank or digits); else everything is <c>train</c>.
/// </remarks>
internal static partial class SplitNames
{
    private static readonly (string Split, string Words)[] Words =
    [
        ("train", "train|training"),
        ("validation", "validation|valid|dev|val"),
        ("test", "test|testing|eval|evaluation"),
    ];

    /// <summary>Files that describe a data set and are none of its data.</summary>
    private static readonly string[] NoData =
        ["README.md", "config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "original_repo_id.json"];

    public static bool IsData(string path) => !NoData.Contains(path.Split('/')[^1], StringComparer.Ordinal)
        && !path.Split('/').Any(p => p[0] == '.') && !path.Split('/').SkipLast(1).Any(p => p.StartsWith("__", StringComparison.Ordinal));

    /// <summary>The files by split.</summary>
    /// <param name="files">Data files, relative to the folder.</param>
    public static Dictionary<string, List<string>> Of(IReadOnlyList<string> files)
    {
        Dictionary<string, List<string>> sharded = new(StringComparer.Ordinal);
        foreach (string file in files)
        {
            if (Sharded().Match(file) is { Success: true } match)
            {
                Add(sharded, match.Groups["split"].Value, file);
            }
        }

        if (sharded.Count > 0)
        {
            return sharded;
        }

        foreach (bool byFolder in new[] { true, false })
        {
            Dictionary<string, List<string>> splits = new(StringComparer.Ordinal);
            foreach ((string split, string words) in Words)
            {
                Regex regex = new(byFolder ? $@"(?:^|[-._ 0-9])(?:{words})(?:[-._ 0-9]|\z)" : $"(?:^|[-._ 0-9])(?:{words})[-._ 0-9]", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(5));
                foreach (string file in files)
                {
                    string[] parts = file.Split('/');
                    if (byFolder ? parts.SkipLast(1).Any(p => regex.IsMatch(p)) : regex.IsMatch(parts[^1]))
                    {
                        Add(splits, split, file);
                    }
                }
            }

            if (splits.Count > 0)
            {
                return splits;
            }
        }

        return files.Count == 0 ? [] : new(StringComparer.Ordinal) { ["train"] = [.. files] };
    }

    private static void Add(Dictionary<string, List<string>> splits, string split, string file)
    {
        if (!splits.TryGetValue(split, out List<string>? list))
        {
            splits[split] = list = [];
        }

        list.Add(file);
    }

    [GeneratedRegex(@"^data/(?<split>[\w.-]+?)-[0-9]{5}-of-[0-9]{5}[^/]*\.[^/]*\z", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Sharded();
}
