using System.Globalization;
using System.Text.RegularExpressions;
using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>Says which rows of a data set are kept: what <c>filter_fn</c> names. Thread-safe.</summary>
/// <remarks>
/// torchtune passes a Python function; a config here names a component, of TuneSharp's or of an assembly of yours
/// (<see cref="ComponentRegistry.Register"/>).
/// </remarks>
public interface IRowFilter
{
    /// <summary>Whether a row is kept.</summary>
    /// <param name="row">The row.</param>
    /// <param name="number">Its number in the split, from 0.</param>
    bool Keep(Row row, long number);
}

/// <summary>The filters that a config can name.</summary>
public static class RowFilters
{
    /// <summary>Keeps rows whose column holds one of some values.</summary>
    /// <param name="column">The column.</param>
    /// <param name="values">The values, as text.</param>
    [Component("tunesharp.filters.column_in")]
    public static IRowFilter ColumnIn(string column, IReadOnlyList<string> values)
    {
        HashSet<string> wanted = new(values, StringComparer.Ordinal);
        return new Filter((row, _) => row.TryGet(column, out object? value) ? value is not null && wanted.Contains(row.Text(column)) : throw Missing(row, column));
    }

    /// <summary>Keeps rows whose column matches a pattern.</summary>
    /// <param name="column">The column.</param>
    /// <param name="pattern">A regular expression of .NET, found anywhere in the text.</param>
    [Component("tunesharp.filters.column_matches")]
    public static IRowFilter ColumnMatches(string column, string pattern)
    {
        Regex regex;
        try
        {
            regex = new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking, TimeSpan.FromSeconds(10));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new DatasetException($"filter_fn.pattern: {e.Message} Write a regular expression without look-around and back-references.", e);
        }

        return new Filter((row, _) => row.TryGet(column, out object? value) ? value is not null && regex.IsMatch(row.Text(column)) : throw Missing(row, column));
    }

    /// <summary>Keeps rows whose column holds a text of some length.</summary>
    /// <param name="column">The column.</param>
    /// <param name="min">Fewest UTF-16 code units.</param>
    /// <param name="max">Most; null for no limit.</param>
    [Component("tunesharp.filters.text_length")]
    public static IRowFilter TextLength(string column, int min = 1, int? max = null) => new Filter((row, _) =>
    {
        int length = row.TryGet(column, out object? value) ? value is null ? 0 : row.Text(column).Length : throw Missing(row, column);
        return length >= min && length <= (max ?? int.MaxValue);
    });

    /// <summary>Keeps every row whose number, divided by a number of parts, leaves a rest between two bounds: torchtune's partitions.</summary>
    /// <param name="partition"><c>start-end/total</c>, both bounds included: <c>0-7/10</c> keeps eight rows of ten.</param>
    [Component("tunesharp.filters.partition")]
    public static IRowFilter Partition(string partition)
    {
        Match m = Regex.Match(partition, @"^(?<from>\d+)-(?<to>\d+)/(?<all>\d+)$", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
        if (!m.Success
            || !long.TryParse(m.Groups["from"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out long from)
            || !long.TryParse(m.Groups["to"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out long to)
            || !long.TryParse(m.Groups["all"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out long all)
            || all == 0)
        {
            throw new DatasetException($"partition '{partition}' cannot be read. Write start-end/total, 0-7/10 for eight rows of ten.");
        }

        return new Filter((_, number) => number % all >= from && number % all <= to);
    }

    private static DatasetException Missing(Row row, string column) =>
        new($"{row.Place}: filter_fn looks at column '{column}', which is not there. Columns: {string.Join(", ", row.Columns)}.{NearestName.Hint(column, row.Columns)}");

    internal sealed class Filter(Func<Row, long, bool> keep) : IRowFilter
    {
        public bool Keep(Row row, long number) => keep(row, number);
    }
}
