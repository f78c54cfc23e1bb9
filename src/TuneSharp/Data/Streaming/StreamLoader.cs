using System.Text.Json.Nodes;

namespace TuneSharp.Data;

/// <summary>Batches of a stream, made ahead of time, without end: after a pass over the data comes the next, in another order.</summary>
/// <remarks>Each rank reads the whole stream and takes its own samples, so all of them stand at the same place. For one consumer at a time.</remarks>
public sealed class StreamLoader : IDisposable
{
    private readonly StreamDataset _dataset;
    private readonly int _batchSize;
    private readonly Func<IReadOnlyList<Sample>, Batch> _collate;
    private readonly bool _shuffle;
    private readonly int _seed;
    private readonly int _rank;
    private readonly int _worldSize;
    private readonly CancellationTokenSource _disposed = new();

    /// <summary>Creates a loader.</summary>
    /// <param name="dataset">The stream.</param>
    /// <param name="batchSize">Samples in a batch, of this rank.</param>
    /// <param name="collate">Makes a batch of samples. Called on the loader's thread.</param>
    /// <param name="shuffle">Shuffle what is read ahead.</param>
    /// <param name="seed">Chooses the order. The same on all ranks.</param>
    /// <param name="rank">Which of the processes this is, from 0.</param>
    /// <param name="worldSize">How many processes train.</param>
    public StreamLoader(
        StreamDataset dataset, int batchSize, Func<IReadOnlyList<Sample>, Batch> collate, bool shuffle, int seed, int rank = 0, int worldSize = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(worldSize, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rank, worldSize);
        (_dataset, _batchSize, _collate, _shuffle, _seed, _rank, _worldSize) = (dataset, batchSize, collate, shuffle, seed, rank, worldSize);
    }

    /// <summary>Batches without end.</summary>
    /// <param name="state">The <see cref="Batch.StreamState"/> of the last batch that was used; null for the beginning.</param>
    /// <param name="stop">Ends the enumeration, without an exception.</param>
    /// <returns>Batches, which the caller disposes. What goes wrong on the loader's thread is thrown here.</returns>
    public IEnumerable<Batch> Batches(JsonObject? state = null, CancellationToken stop = default) => Ahead(Make(state, passes: int.MaxValue), stop);

    /// <summary>The batches of one pass over the data, the last of which may be smaller.</summary>
    /// <param name="stop">Ends the enumeration, without an exception.</param>
    public IEnumerable<Batch> OnePass(CancellationToken stop = default) => Ahead(Make(state: null, passes: 1), stop);

    /// <summary>Ends the loader's thread.</summary>
    public void Dispose()
    {
        if (!_disposed.IsCancellationRequested)
        {
            _disposed.Cancel();
            _disposed.Dispose();
        }
    }

    private IEnumerable<Batch> Ahead(IEnumerable<Batch> batches, CancellationToken stop)
    {
        ObjectDisposedException.ThrowIf(_disposed.IsCancellationRequested, this);
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(stop, _disposed.Token);
        foreach (Batch batch in Prefetched.Of(batches, BatchLoader.Prefetch, end.Token))
        {
            yield return batch;
        }
    }

    private IEnumerable<Batch> Make(JsonObject? state, int passes)
    {
        using ISampleStream stream = _dataset.Open(_shuffle, _seed, state);
        List<Sample> own = new(_batchSize);
        int taken = 0;
        for (int pass = 0; pass < passes;)
        {
            if (stream.Next() is not { } sample)
            {
                pass++;
                continue;
            }

            if (taken++ % _worldSize == _rank)
            {
                own.Add(sample);
            }

            if (taken == _batchSize * _worldSize)
            {
                Batch batch = _collate(own);
                batch.StreamState = stream.State;
                yield return batch;
                own.Clear();
                taken = 0;
            }
        }

        if (own.Count > 0)
        {
            yield return _collate(own);
        }
    }
}
