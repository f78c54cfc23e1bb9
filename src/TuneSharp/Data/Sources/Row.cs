using System.Globalization;
using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>One record of a data file: values by column name, in the order of the file.</summary>
/// <remarks>
/// A value is null, a <see cref="string"/>, a <see cref="bool"/>, a <see cref="long"/>, a <see cref="double"/>, a list of values
/// (<see cref="IReadOnlyList{T}"/> of <see cref="object"/>) or a nested <see cref="Row"/>, whatever the file's format is.
/// </remarks>
public sealed class Row
{
    private readonly IReadOnlyList<object?> _values;

    /// <summary>Creates a row.</summary>
    /// <param name="columns">Column names. Rows of one file may share the list.</param>
    /// <param name="values">Values, one per column.</param>
    /// <param name="place">Where it stands, for messages: <c>train.jsonl, line 7</c>.</param>
    public Row(IReadOnlyList<string> columns, IReadOnlyList<object?> values, string place = "row")
    {
        Columns = columns;
        _values = values;
        Place = place;
    }

    /// <summary>Column names, in the order of the file.</summary>
    public IReadOnlyList<string> Columns { get; }

    /// <summary>Where the row stands, for messages.</summary>
    public string Place { get; }

    /// <summary>The value of a column.</summary>
    /// <param name="column">The column's name, exactly.</param>
    /// <exception cref="DatasetException">The row has no such column; the message lists those it has.</exception>
    public object? this[string column] => TryGet(column, out object? value) ? value : throw Missing(column);

    /// <summary>The value of a column, if the row has it.</summary>
    /// <param name="column">The column's name, exactly.</param>
    /// <param name="value">The value; null when there is none.</param>
    public bool TryGet(string column, out object? value)
    {
        for (int i = 0; i < Columns.Count; i++)
        {
            if (string.Equals(Columns[i], column, StringComparison.Ordinal))
            {
                value = _values[i];
                return true;
            }
        }

        value = null;
        return false;
    }

    /// <summary>The text of a column; a number or truth value is written out.</summary>
    /// <param name="column">The column's name, exactly.</param>
    /// <exception cref="DatasetException">The column is missing, null, a list or an object.</exception>
    public string Text(string column) => this[column] switch
    {
        string text => text,
        long number => number.ToString(CultureInfo.InvariantCulture),
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        bool truth => truth ? "true" : "false",
        null => throw new DatasetException(
            $"{Place}: column '{column}' is null, but text is needed. Fill it in, or remove the row."),
        object other => throw new DatasetException(
            $"{Place}: column '{column}' holds {Kind(other)}, but text is needed. Name another column in column_map."),
    };

    /// <summary>The list in a column.</summary>
    /// <param name="column">The column's name, exactly.</param>
    /// <exception cref="DatasetException">The column is missing or holds something else.</exception>
    public IReadOnlyList<object?> Items(string column) => this[column] as IReadOnlyList<object?>
        ?? throw new DatasetException($"{Place}: column '{column}' holds {Kind(this[column])}, but a list is needed.");

    /// <summary>What a value is, in words.</summary>
    internal static string Kind(object? value) => value switch
    {
        null => "null",
        string => "text",
        bool => "a truth value",
        long or double => "a number",
        Row => "an object",
        _ => "a list",
    };

    private DatasetException Missing(string column)
    {
        string near = NearestName.Hint(column, Columns);
        string inside = Columns.Count == 1 && _values[0] is IReadOnlyList<object?> { Count: > 0 } list && list[0] is Row
            ? $" If the rows are the items of '{Columns[0]}', set field={Columns[0]}."
            : "";
        return new DatasetException(
            $"{Place}: there is no column '{column}'. Columns: {string.Join(", ", Columns)}.{near}{inside}");
    }
}
