using System.Text.Json.Nodes;

namespace TuneSharp.Data;

/// <summary>Opens the rows of a config as a stream.</summary>
internal static class RowReaders
{
    /// <summary>How to open them at a place.</summary>
    public static Func<JsonNode?, IRowReader> Of(LoadOptions load)
    {
        Lazy<IRowSource> rows = new(() => RowLoader.Load(load));
        return at => new Numbered(rows.Value, (int?)at ?? 0);
    }

    /// <summary>Rows that can be asked for by number.</summary>
    private sealed class Numbered(IRowSource rows, int first) : IRowReader
    {
        private int _next = first;

        public JsonNode Position => _next;

        public Row? Next() => _next < rows.Count ? rows[_next++] : null;

        public void Dispose()
        {
        }
    }
}
