namespace TuneSharp.Data;

/// <summary>Samples put together, in order, into packs of one length, so that almost nothing is padding.</summary>
/// <remarks>
/// Greedy: a sample that does not fit begins the next pack, or is split over both. Positions restart with each sample; what fills
/// the end counts as a sample of its own, so nothing attends to it. All samples are tokenised at once, on all cores, and only the
/// packs are kept. torchtune counterpart: <c>torchtune/datasets/_packed.py</c>, which fills with 0 instead of the padding id.
/// </remarks>
public sealed class PackedDataset : IDataset
{
    /// <summary>Samples tokenised at a time: enough to keep all cores busy, few enough to be no burden on memory.</summary>
    private const int Window = 1024;

    private readonly List<Sample> _packs = [];
    private readonly int _maxSeqLen;
    private readonly int _paddingIdx;
    private readonly int? _maxPacks;
    private readonly Filling _filling;

    /// <summary>Packs a data set.</summary>
    /// <param name="dataset">The samples.</param>
    /// <param name="maxSeqLen">Length of a pack in tokens.</param>
    /// <param name="paddingIdx">The id that fills the end of a pack.</param>
    /// <param name="maxPacks">Stop after so many packs; null for no limit.</param>
    /// <param name="splitAcrossPack">Split a sample that does not fit, instead of moving it to the next pack whole.</param>
    /// <param name="progress">Is told how many samples are done, and of how many.</param>
    /// <exception cref="DatasetException">A sample is longer than a pack and may not be split.</exception>
    public PackedDataset(
        IDataset dataset,
        int maxSeqLen,
        int paddingIdx = 0,
        int? maxPacks = null,
        bool splitAcrossPack = false,
        Action<int, int>? progress = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxSeqLen, 1);
        _maxSeqLen = maxSeqLen;
        _paddingIdx = paddingIdx;
        _maxPacks = maxPacks;
        _filling = new Filling(maxSeqLen);
        string? whyMasked = null;
        for (int start = 0; start < dataset.Count && !Full; start += Window)
        {
            Sample[] window = Tokenise(dataset, start, Math.Min(Window, dataset.Count - start));
            for (int i = 0; i < window.Length && !Full; i++)
            {
                Add(window[i], start + i, splitAcrossPack);
            }

            whyMasked ??= (dataset as IComputedDataset)?.WhyMasked(window[0]);
            progress?.Invoke(start + window.Length, dataset.Count);
        }

        if (!Full)
        {
            Close();
        }

        WhyMasked = whyMasked;
    }

    /// <inheritdoc/>
    public int Count => _packs.Count;

    /// <inheritdoc/>
    public Sample this[int index] => _packs[index];

    /// <summary>Why a sample of the packed data set may be without labels.</summary>
    internal string? WhyMasked { get; }

    private bool Full => _packs.Count == _maxPacks;

    /// <summary>True for a packed data set and for several of them one after another.</summary>
    /// <param name="dataset">Any data set.</param>
    public static bool IsPacked(IDataset dataset) => dataset is PackedDataset or ConcatDataset { Packed: true };

    private static Sample[] Tokenise(IDataset dataset, int start, int count)
    {
        Sample[] window = new Sample[count];
        try
        {
            Parallel.For(0, count, i => window[i] = dataset is IComputedDataset computed
                ? computed.Compute(start + i)
                : dataset[start + i]);
        }
        catch (AggregateException e)
        {
            // Several threads may fail at once; one message is enough, and it is the same at every run if it is the first row's.
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(FirstFailure(dataset, start, count) ?? e.InnerExceptions[0]);
        }

        return window;
    }

    private static Exception? FirstFailure(IDataset dataset, int start, int count)
    {
        for (int i = start; i < start + count; i++)
        {
            try
            {
                _ = dataset[i];
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                return e;
            }
        }

        return null;
    }

    private void Add(Sample sample, int number, bool split)
    {
        int length = sample.Tokens.Length;
        if (length > _maxSeqLen && !split)
        {
            throw new DatasetException(
                $"Sample {number + 1} is too long to pack ({length} > {_maxSeqLen} tokens). " +
                "Set split_across_pack=True, or raise tokenizer.max_seq_len.");
        }

        if (!split && length > _filling.Room)
        {
            Close();
        }

        for (int done = 0; done < length && !Full;)
        {
            if (_filling.Room == 0)
            {
                Close();
                continue;
            }

            done += _filling.Take(sample, done);
        }
    }

    private void Close()
    {
        if (_filling.Length > 0 && !Full)
        {
            _packs.Add(_filling.ToPack(_paddingIdx));
        }
    }

    /// <summary>The pack that is being filled.</summary>
    private sealed class Filling(int capacity)
    {
        private readonly int[] _tokens = new int[capacity];
        private readonly int[] _labels = new int[capacity];
        private readonly int[] _positions = new int[capacity];
        private readonly List<int> _lengths = [];

        public int Length { get; private set; }

        public int Room => capacity - Length;

        /// <summary>Takes as much of a sample as there is room for.</summary>
        /// <returns>How many tokens it took.</returns>
        public int Take(Sample sample, int from)
        {
            int count = Math.Min(Room, sample.Tokens.Length - from);
            sample.Tokens.AsSpan(from, count).CopyTo(_tokens.AsSpan(Length));
            sample.Labels.AsSpan(from, count).CopyTo(_labels.AsSpan(Length));
            for (int i = 0; i < count; i++)
            {
                _positions[Length + i] = (from + i) % capacity;
            }

            _lengths.Add(count);
            Length += count;
            return count;
        }

        public Sample ToPack(int paddingIdx)
        {
            int padding = Room;
            int next = _positions[Length - 1];
            for (int i = Length; i < capacity; i++)
            {
                _tokens[i] = paddingIdx;
                _labels[i] = Sample.IgnoreIndex;
                _positions[i] = Math.Min(++next, capacity - 1);
            }

            if (padding > 0)
            {
                _lengths.Add(padding);
            }

            Sample pack = new([.. _tokens], [.. _labels], [.. _positions], [.. _lengths]) { Padding = padding };
            _lengths.Clear();
            Length = 0;
            return pack;
        }
    }
}
