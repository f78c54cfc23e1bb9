using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>Makes a conversation of a row. Thread-safe.</summary>
public interface IMessageTransform
{
    /// <summary>The conversation, masked as training wants it.</summary>
    /// <param name="row">One record of the data set.</param>
    /// <exception cref="DatasetException">A column is missing or holds the wrong thing.</exception>
    IReadOnlyList<Message> Apply(Row row);
}

/// <summary>The columns that a transform reads, under the names that the data set gives them.</summary>
internal static class ColumnMap
{
    /// <summary>The data set's name of each expected column.</summary>
    /// <param name="given">The user's map; null for the expected names themselves.</param>
    /// <param name="required">Columns that a given map must have.</param>
    /// <param name="optional">Columns that it may have.</param>
    public static Func<string, string> Of(IReadOnlyDictionary<string, string>? given, string[] required, params string[] optional)
    {
        if (given is null)
        {
            return name => name;
        }

        foreach (string key in given.Keys)
        {
            if (!required.Contains(key, StringComparer.Ordinal) && !optional.Contains(key, StringComparer.Ordinal))
            {
                throw new DatasetException(
                    $"column_map: '{key}' is not one of the columns that this data set needs " +
                    $"({string.Join(", ", required.Concat(optional))}).{NearestName.Hint(key, required.Concat(optional))} " +
                    "The map goes from the needed name to the file's name.");
            }
        }

        if (required.FirstOrDefault(r => !given.ContainsKey(r)) is { } missing)
        {
            throw new DatasetException(
                $"column_map has no '{missing}' (it has {string.Join(", ", given.Keys)}). " +
                $"Map every needed column: {string.Join(", ", required)}.");
        }

        return name => given.TryGetValue(name, out string? column) ? column : name;
    }
}
