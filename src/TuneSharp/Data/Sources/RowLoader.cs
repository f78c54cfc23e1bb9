namespace TuneSharp.Data;

/// <summary>Opens data: what <c>load_dataset</c> is in Python.</summary>
public static class RowLoader
{
    /// <summary>Opens the rows that the options name, to be read in any order.</summary>
    /// <param name="options">Files, split, format.</param>
    /// <exception cref="DatasetException">A file is missing or malformed, or the split does not exist or is empty.</exception>
    public static IRowSource Load(LoadOptions options) => Load(options, onBadRow: null);

    /// <summary>Opens the rows that the options name, to be read in any order.</summary>
    /// <param name="options">Files, split, format.</param>
    /// <param name="onBadRow">Is told of each row that cannot be read, which is then left out; when null, the first one is an error.</param>
    /// <exception cref="DatasetException">A file is missing or malformed, or the split does not exist or is empty.</exception>
    public static IRowSource Load(LoadOptions options, Action<DatasetException>? onBadRow)
    {
        ResolvedFiles files = DataFiles.Resolve(options);
        options = files.Options;
        Dictionary<string, IRowSource> opened = new(StringComparer.Ordinal);
        List<(IRowSource, int, int)> pieces = [];
        foreach (SplitTerm term in SplitExpression.Parse(options.Split))
        {
            List<(IRowSource, int, int)> sources = [];
            foreach (string path in files.PathsOf(term.Name))
            {
                if (!opened.TryGetValue(path, out IRowSource? source))
                {
                    opened[path] = source = Open(path, options, onBadRow);
                }

                sources.Add((source, 0, source.Count));
            }

            RowPieces split = new(sources);
            (long from, long to) = term.Resolve(split.Count);
            pieces.Add((split, (int)from, (int)to));
        }

        RowPieces rows = new(pieces);
        return rows.Count > 0 ? rows : throw Empty(options, files);
    }

    /// <summary>Opens the rows that the options name, to be read in order and never held in memory.</summary>
    /// <param name="options">Files, split, format.</param>
    /// <returns>The same rows as those of <see cref="Load(LoadOptions)"/>.</returns>
    /// <exception cref="DatasetException">A file is missing, or the split does not exist or is empty.</exception>
    public static IRowSequence Stream(LoadOptions options)
    {
        ResolvedFiles files = DataFiles.Resolve(options);
        options = files.Options;
        Dictionary<string, (RowFile File, long? Count)> opened = new(StringComparer.Ordinal);
        List<(RowFile, long, long)> parts = [];
        foreach (SplitTerm term in SplitExpression.Parse(options.Split))
        {
            IReadOnlyList<string> paths = files.PathsOf(term.Name);
            foreach (string path in paths)
            {
                if (!opened.TryGetValue(path, out (RowFile File, long? Count) file))
                {
                    file = (Explained(path, () => RowFile.Open(path, options)), null);
                }

                // Where a slice ends is known only when all rows are counted.
                opened[path] = term.IsSlice && file.Count is null ? (file.File, RowStream.Guarded(file.File, file.File.Count)) : file;
            }

            if (!term.IsSlice)
            {
                parts.AddRange(paths.Select(p => (opened[p].File, 0L, long.MaxValue)));
                continue;
            }

            (long from, long to) = term.Resolve(paths.Sum(p => opened[p].Count!.Value));
            long first = 0;
            foreach (string path in paths)
            {
                long count = opened[path].Count!.Value;
                (long low, long high) = (Math.Max(0, from - first), Math.Min(count, to - first));
                if (low < high)
                {
                    parts.Add((opened[path].File, low, high));
                }

                first += count;
            }
        }

        return parts.Count > 0 ? new RowStream(parts) : throw Empty(options, files);
    }

    private static IRowSource Open(string path, LoadOptions options, Action<DatasetException>? onBadRow) => Explained<IRowSource>(path, () =>
    {
        RowFile file = RowFile.Open(path, options);
        if (file is RecordFile records)
        {
            return new IndexedRows(records, onBadRow);
        }

        List<Row> rows = [];
        foreach (FileRow row in file.Read(default))
        {
            if (row.Row is not null)
            {
                rows.Add(row.Row);
            }
            else
            {
                (onBadRow ?? throw row.Problem!)(row.Problem!);
            }
        }

        return new MemoryRows(rows);
    });

    private static T Explained<T>(string path, Func<T> open)
    {
        try
        {
            return open();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DatasetException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    private static DatasetException Empty(LoadOptions options, ResolvedFiles files) => new(
        $"The data set is empty: split {options.Split} of {string.Join(", ", files.Splits.Values.SelectMany(f => f).Select(f => f.Name).Take(5))} has no rows. " +
        "Choose a larger slice or files with rows.");
}
