using System.Text.Json;

namespace TuneSharp.Data;

/// <summary>Folders that <c>save_to_disk</c> of Hugging Face's <c>datasets</c> wrote.</summary>
internal static class SavedDataset
{
    /// <summary>The files by split, in the order that the folder's own notes say; null when it is no such folder.</summary>
    public static Dictionary<string, IReadOnlyList<DataRef>>? Splits(DataTree tree)
    {
        Dictionary<string, IReadOnlyList<DataRef>> splits = new(StringComparer.Ordinal);
        if (Json(tree, "dataset_dict.json") is { } dictionary && dictionary.TryGetProperty("splits", out JsonElement names))
        {
            foreach (string name in names.EnumerateArray().Select(n => n.GetString()!))
            {
                splits[name] = Files(tree, name + "/") ?? throw new DatasetException($"{tree.Name}: dataset_dict.json names the split '{name}', but {name}/state.json is missing. Save it again.");
            }

            return splits;
        }

        if (Files(tree, "") is not { } files)
        {
            return null;
        }

        string? split = Json(tree, "state.json") is { } state && state.TryGetProperty("_split", out JsonElement s) ? s.GetString() : null;
        splits["train"] = files; // what a user of a single saved set writes, whatever split it came from
        if (split is not null && SplitExpression.IsName(split))
        {
            splits[split] = files;
        }

        return splits;
    }

    private static IReadOnlyList<DataRef>? Files(DataTree tree, string folder) =>
        Json(tree, folder + "state.json") is { } state && state.TryGetProperty("_data_files", out JsonElement list)
            ? [.. list.EnumerateArray().Select(f => tree.Ref(folder + Inside(tree, f.GetProperty("filename").GetString()!)))]
            : null;

    private static string Inside(DataTree tree, string name) => name.AsSpan().ContainsAny('/', '\\')
        ? throw new DatasetException($"{tree.Name}: state.json names a file '{name}' outside its folder. Save the data set again.")
        : name;

    private static JsonElement? Json(DataTree tree, string path)
    {
        try
        {
            return tree.ReadText(path) is { } text ? JsonElement.Parse(text) : null;
        }
        catch (JsonException e)
        {
            throw new DatasetException($"{tree.Name}/{path} is not JSON ({e.Message}). Save the data set again.", e);
        }
    }
}
