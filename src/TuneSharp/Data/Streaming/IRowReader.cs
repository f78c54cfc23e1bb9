using System.Text.Json.Nodes;

namespace TuneSharp.Data;

/// <summary>Rows one after another, once, from a place that can be written down. For one thread at a time.</summary>
internal interface IRowReader : IDisposable
{
    /// <summary>Where the next row is; opening a reader there gives the same rows.</summary>
    JsonNode Position { get; }

    /// <summary>The next row; null at the end.</summary>
    /// <exception cref="DatasetException">The row cannot be read; the reader stands behind it.</exception>
    Row? Next();
}
