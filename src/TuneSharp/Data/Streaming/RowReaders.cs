using System.Text.Json.Nodes;

namespace TuneSharp.Data;

/// <summary>Opens the rows of a config as a stream.</summary>
internal static class RowReaders
{
    /// <summary>How to open them at a place.</summary>
    public static Func<JsonNode?, IRowReader> Of(LoadOptions load)
    {
        Lazy<RowStream> rows = new(() => (RowStream)RowLoader.Stream(load));
        return at => new Reader(rows.Value, at is null ? default : new RowPosition(
            (int)at["part"]!, (long)at["row"]!, (long)at["byte"]!, (long)at["line"]!));
    }

    /// <summary>Rows of files that are never held whole.</summary>
    private sealed class Reader(RowStream rows, RowPosition from) : IRowReader
    {
        private readonly IEnumerator<(Row? Row, DatasetException? Problem, RowPosition Next)> _rows = rows.ReadRaw(from).GetEnumerator();
        private RowPosition _at = from;

        public JsonNode Position => new JsonObject { ["part"] = _at.Part, ["row"] = _at.Row, ["byte"] = _at.Byte, ["line"] = _at.Line };

        public Row? Next()
        {
            if (!_rows.MoveNext())
            {
                return null;
            }

            _at = _rows.Current.Next;
            return _rows.Current.Row ?? throw _rows.Current.Problem!;
        }

        public void Dispose() => _rows.Dispose();
    }
}
