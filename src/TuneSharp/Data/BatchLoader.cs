namespace TuneSharp.Data;

/// <summary>Batches of a data set, epoch after epoch, made ahead of time on a thread of its own.</summary>
/// <remarks>
/// The order of an epoch follows from seed and epoch alone, so training resumes at (epoch, batch) exactly. Each rank sees its own
/// samples, equally many; up to <c>worldSize − 1</c> samples per epoch are left out for that. Made for one consumer at a time.
/// </remarks>
public sealed class BatchLoader : IDisposable
{
    /// <summary>Batches that are made ahead: one for the next step, one for a slow sample.</summary>
    internal const int Prefetch = 2;

    private readonly IDataset _dataset;
    private readonly int _batchSize;
    private readonly Func<IReadOnlyList<Sample>, Batch> _collate;
    private readonly bool _shuffle;
    private readonly int _seed;
    private readonly int _rank;
    private readonly int _worldSize;
    private readonly CancellationTokenSource _disposed = new();

    /// <summary>Creates a loader.</summary>
    /// <param name="dataset">The samples.</param>
    /// <param name="batchSize">Samples in a batch, of this rank.</param>
    /// <param name="collate">Makes a batch of samples. Called on the loader's thread.</param>
    /// <param name="shuffle">A new order in each epoch; otherwise the data set's own.</param>
    /// <param name="seed">Chooses the orders. The same on all ranks.</param>
    /// <param name="rank">Which of the processes this is, from 0.</param>
    /// <param name="worldSize">How many processes train.</param>
    /// <param name="dropLast">Leave out a last batch that is not full.</param>
    /// <exception cref="DatasetException">The data set is empty, has nothing to learn, or does not fill one batch.</exception>
    public BatchLoader(
        IDataset dataset,
        int batchSize,
        Func<IReadOnlyList<Sample>, Batch> collate,
        bool shuffle,
        int seed,
        int rank = 0,
        int worldSize = 1,
        bool dropLast = true)
    {
        if (batchSize < 1)
        {
            throw new DatasetException($"batch_size is {batchSize}. It must be at least 1.");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(worldSize, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rank, worldSize);
        Warnings = DatasetChecks.Check(dataset);
        _dataset = dataset;
        _batchSize = batchSize;
        _collate = collate;
        _shuffle = shuffle;
        _seed = seed;
        _rank = rank;
        _worldSize = worldSize;
        SamplesPerRank = dataset.Count / worldSize;
        BatchesPerEpoch = dropLast ? SamplesPerRank / batchSize : (SamplesPerRank + batchSize - 1) / batchSize;
        if (BatchesPerEpoch == 0)
        {
            string each = worldSize == 1 ? "" : $", {SamplesPerRank} for each of {worldSize} processes";
            throw new DatasetException(
                $"The data set has {dataset.Count} samples{each}: fewer than batch_size={batchSize}, and an incomplete batch is " +
                "left out. Lower batch_size, or use more data" +
                (PackedDataset.IsPacked(dataset) ? " (packing made few samples of many: a smaller tokenizer.max_seq_len makes more)." : "."));
        }
    }

    /// <summary>Batches that one epoch gives this rank.</summary>
    public long BatchesPerEpoch { get; }

    /// <summary>Samples that one epoch shows this rank, before an incomplete batch is left out.</summary>
    public int SamplesPerRank { get; }

    /// <summary>What is suspicious about the data set, each one sentence.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>The batches of an epoch.</summary>
    /// <param name="epoch">From 0.</param>
    /// <param name="skipBatches">Batches at the beginning that were seen already; they cost nothing.</param>
    /// <param name="stop">Ends the enumeration early, without an exception.</param>
    /// <returns>Batches, which the caller disposes. What goes wrong on the loader's thread is thrown here.</returns>
    public IEnumerable<Batch> Epoch(int epoch, long skipBatches = 0, CancellationToken stop = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(skipBatches);
        ObjectDisposedException.ThrowIf(_disposed.IsCancellationRequested, this);
        return Enumerate(epoch, skipBatches, stop);
    }

    /// <summary>Ends the loader's thread.</summary>
    public void Dispose()
    {
        if (!_disposed.IsCancellationRequested)
        {
            _disposed.Cancel();
            _disposed.Dispose();
        }
    }

    private IEnumerable<Batch> Enumerate(int epoch, long skipBatches, CancellationToken stop)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(stop, _disposed.Token);
        foreach (Batch batch in Prefetched.Of(Make(epoch, skipBatches), Prefetch, end.Token))
        {
            yield return batch;
        }
    }

    private IEnumerable<Batch> Make(int epoch, long skipBatches)
    {
        int[]? order = _shuffle ? Permutation.Of(_dataset.Count, _seed, epoch) : null;
        Sample[] samples = new Sample[_batchSize];
        for (long i = skipBatches; i < BatchesPerEpoch; i++)
        {
            int first = checked((int)(i * _batchSize));
            int count = Math.Min(_batchSize, SamplesPerRank - first);
            for (int k = 0; k < count; k++)
            {
                int at = _rank + ((first + k) * _worldSize);
                int index = order is null ? at : order[at];
                samples[k] = _dataset is IEpochDataset changing ? changing.Get(epoch, index) : _dataset[index];
            }

            yield return _collate(count == _batchSize ? samples : samples[..count]);
        }
    }
}
