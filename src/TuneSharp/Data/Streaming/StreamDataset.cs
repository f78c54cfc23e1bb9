using System.Text.Json.Nodes;

namespace TuneSharp.Data;

/// <summary>A data set without a known length: samples are made while they are read, so it may be larger than memory and disk.</summary>
/// <remarks>It has neither a count nor an indexer. Runs read it with a <see cref="StreamLoader"/>.</remarks>
public abstract class StreamDataset : IDataset
{
    private const string NoLength = "A stream has no length and is read in order only. Set streaming=False where a length is needed.";

    private protected StreamDataset()
    {
    }

    /// <summary>Not available.</summary>
    public int Count => throw new DatasetException(NoLength);

    /// <summary>True when its samples are packs.</summary>
    public abstract bool Packed { get; }

    /// <summary>Not available.</summary>
    /// <param name="index">Any.</param>
    public Sample this[int index] => throw new DatasetException(NoLength);

    /// <summary>Begins to read.</summary>
    /// <param name="shuffle">Shuffle what is read ahead.</param>
    /// <param name="seed">Chooses the order.</param>
    /// <param name="state">Where to go on; null for the beginning.</param>
    internal abstract ISampleStream Open(bool shuffle, int seed, JsonObject? state);
}

/// <summary>Samples one after another. For one thread at a time.</summary>
internal interface ISampleStream : IDisposable
{
    /// <summary>Where it stands; opening the data set there gives the samples that come next. A copy of the caller's own.</summary>
    JsonObject State { get; }

    /// <summary>The next sample; null at the end of a pass over the data, after which the next pass begins.</summary>
    Sample? Next();
}

/// <summary>Several streams, one after another or mixed in given shares.</summary>
internal sealed class StreamGroup : StreamDataset
{
    private readonly IReadOnlyList<StreamDataset> _parts;
    private readonly double[]? _shares;

    /// <param name="parts">All packed, or none.</param>
    /// <param name="weights">The share of each; null to read them one after another.</param>
    public StreamGroup(IReadOnlyList<StreamDataset> parts, IReadOnlyList<double>? weights)
    {
        Packed = DatasetList.Check(parts);
        _parts = parts;
        _shares = weights is null ? null : InterleavedDataset.Shares(weights, parts.Count);
    }

    public override bool Packed { get; }

    internal override ISampleStream Open(bool shuffle, int seed, JsonObject? state) =>
        _shares is null ? new Chained(_parts, shuffle, seed, state) : new Mixed(_parts, _shares, shuffle, seed, state);

    private static ISampleStream[] OpenAll(IReadOnlyList<StreamDataset> parts, bool shuffle, int seed, JsonObject? state) =>
        [.. parts.Select((p, i) => p.Open(shuffle, seed, (JsonObject?)state?["parts"]?[i]))];

    private static JsonArray States(IEnumerable<ISampleStream> streams) => [.. streams.Select(s => (JsonNode)s.State)];

    private sealed class Chained(IReadOnlyList<StreamDataset> parts, bool shuffle, int seed, JsonObject? state) : ISampleStream
    {
        private readonly ISampleStream[] _streams = OpenAll(parts, shuffle, seed, state);
        private int _current = (int?)state?["part"] ?? 0;

        public JsonObject State => new() { ["part"] = _current, ["parts"] = States(_streams) };

        public Sample? Next()
        {
            while (true)
            {
                if (_streams[_current].Next() is { } sample)
                {
                    return sample;
                }

                if (++_current == _streams.Length)
                {
                    _current = 0;
                    return null;
                }
            }
        }

        public void Dispose() => Array.ForEach(_streams, s => s.Dispose());
    }

    /// <summary>The part that is furthest behind its share is next. A pass ends with the first pass of any part.</summary>
    private sealed class Mixed(IReadOnlyList<StreamDataset> parts, double[] shares, bool shuffle, int seed, JsonObject? state) : ISampleStream
    {
        private readonly ISampleStream[] _streams = OpenAll(parts, shuffle, seed, state);
        private readonly long[] _given = [.. parts.Select((_, i) => (long?)state?["given"]?[i] ?? 0)];

        public JsonObject State => new() { ["given"] = new JsonArray([.. _given.Select(g => (JsonNode)g)]), ["parts"] = States(_streams) };

        public Sample? Next()
        {
            int next = 0;
            for (int i = 1; i < _given.Length; i++)
            {
                next = (_given[i] + 0.5) / shares[i] < (_given[next] + 0.5) / shares[next] ? i : next;
            }

            Sample? sample = _streams[next].Next();
            _given[next] += sample is null ? 0 : 1;
            return sample;
        }

        public void Dispose() => Array.ForEach(_streams, s => s.Dispose());
    }
}
