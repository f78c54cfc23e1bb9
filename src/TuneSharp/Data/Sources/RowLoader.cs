namespace TuneSharp.Data;

/// <summary>Opens data files: what <c>load_dataset</c> is in Python, for local files.</summary>
public static class RowLoader
{
    /// <summary>Opens the rows that the options name.</summary>
    /// <param name="options">Files, split, format.</param>
    /// <exception cref="DatasetException">A file is missing or malformed, or the split does not exist or is empty.</exception>
    public static IRowSource Load(LoadOptions options)
    {
        IReadOnlyDictionary<string, IReadOnlyList<string>> files = DataFiles.Resolve(options);
        Dictionary<string, IRowSource> opened = new(StringComparer.Ordinal);
        List<(IRowSource, int, int)> pieces = [];
        foreach (SplitTerm term in SplitExpression.Parse(options.Split))
        {
            RowPieces split = OpenSplit(term.Name, files, options, opened);
            (int from, int to) = term.Resolve(split.Count);
            pieces.Add((split, from, to));
        }

        RowPieces rows = new(pieces);
        return rows.Count > 0 ? rows : throw new DatasetException(
            $"The data set is empty: split {options.Split} of {string.Join(", ", files.Values.SelectMany(f => f))} has no rows. " +
            "Choose a larger slice or files with rows.");
    }

    private static RowPieces OpenSplit(
        string name,
        IReadOnlyDictionary<string, IReadOnlyList<string>> files,
        LoadOptions options,
        Dictionary<string, IRowSource> opened)
    {
        IEnumerable<string> paths = name == "all" && !files.ContainsKey("all")
            ? files.Values.SelectMany(f => f)
            : files.TryGetValue(name, out IReadOnlyList<string>? found)
                ? found
                : throw new DatasetException(
                    $"split {options.Split}: there is no split '{name}' in {options.Source}. It has: {string.Join(", ", files.Keys)}. " +
                    "Files become splits by their names (train, validation, test) or by data_files={split: path}.");
        List<(IRowSource, int, int)> sources = [];
        foreach (string path in paths)
        {
            if (!opened.TryGetValue(path, out IRowSource? source))
            {
                opened[path] = source = Open(path, options);
            }

            sources.Add((source, 0, source.Count));
        }

        return new RowPieces(sources);
    }

    private static IRowSource Open(string path, LoadOptions options)
    {
        try
        {
            return DataFiles.Format(path, options.Source!) switch
            {
                "json" => new JsonRows(path, options.Field),
                "csv" => new DelimitedRows(path, options.Delimiter ?? (options.Source == "tsv" ? "\t" : null)),
                "text" => new TextRows(path),
                _ => ParquetRows.Open(path),
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DatasetException($"{path}: cannot be read: {e.Message}", e);
        }
    }
}
