using System.Text.Json.Nodes;

namespace TuneSharp.Data;

/// <summary>A stream of rows, made into samples a window at a time.</summary>
/// <remarks>
/// A window is <c>shuffle_buffer</c> rows, or fewer when they are long. Its rows are made into samples on all cores, shuffled,
/// packed; the next window is made meanwhile. So a place in the stream is the place of its window, and a number in it: resuming
/// reads one window again and gives the very samples that would have come.
/// </remarks>
internal sealed class RowStreamDataset : StreamDataset
{
    /// <summary>Tokens of a window after which no more rows are taken: 256 MiB with their labels.</summary>
    private const int MaxWindowTokens = 32 << 20;

    /// <summary>Rows made at a time.</summary>
    private const int Chunk = 1024;

    /// <summary>Samples after which a stream that taught nothing yet is given up.</summary>
    private const int Patience = 1000;

    private readonly Func<JsonNode?, IRowReader> _open;
    private readonly ISampleTransform _transform;
    private readonly DataOptions _options;
    private readonly StreamPacking? _packing;
    private readonly DataRun? _run;

    /// <param name="open">Opens the rows at a place; null for the beginning.</param>
    /// <param name="transform">Makes a sample of a row.</param>
    /// <param name="options">Filter, shuffle buffer, bad rows.</param>
    /// <param name="packing">How samples are packed, or null.</param>
    /// <param name="run">Is told of bad rows.</param>
    public RowStreamDataset(Func<JsonNode?, IRowReader> open, ISampleTransform transform, DataOptions options, StreamPacking? packing, DataRun? run) =>
        (_open, _transform, _options, _packing, _run) = (open, transform, options, packing, run);

    public override bool Packed => _packing is not null;

    internal override ISampleStream Open(bool shuffle, int seed, JsonObject? state) => new Stream(this, shuffle, seed, state);

    /// <summary>Packing of a stream.</summary>
    internal sealed record StreamPacking(int Size, int PaddingIdx, bool Split, PackingStrategy Strategy);

    /// <summary>Samples that were read together, in the order in which they are given.</summary>
    /// <param name="Pass">Passes over the data before it.</param>
    /// <param name="Number">Windows before it in its pass.</param>
    /// <param name="Start">Where its rows begin.</param>
    /// <param name="End">Where the next window's rows begin.</param>
    /// <param name="IsLast">The pass ends with it.</param>
    /// <param name="Samples">The samples.</param>
    private sealed record Window(int Pass, int Number, JsonNode? Start, JsonNode End, bool IsLast, IReadOnlyList<Sample> Samples);

    private sealed class Stream : ISampleStream
    {
        private readonly RowStreamDataset _owner;
        private readonly bool _shuffle;
        private readonly int _seed;
        private readonly SummaryCounter _counter;
        private readonly IRowFilter? _filter;
        private IRowReader? _reader;
        private Window? _window;
        private Task<Window>? _next;
        private int _pass;
        private int _number;
        private JsonNode? _start;
        private int _item;
        private long _rowNumber;
        private long _passSamples;

        public Stream(RowStreamDataset owner, bool shuffle, int seed, JsonObject? state)
        {
            (_owner, _shuffle, _seed) = (owner, shuffle, seed);
            _counter = new SummaryCounter(owner._transform);
            _filter = owner._options.FilterFn?.Build();
            if (state is not null)
            {
                (_pass, _number, _item) = ((int)state["pass"]!, (int)state["window"]!, (int)state["item"]!);
                (_start, _rowNumber, _passSamples) = (state["at"]?.DeepClone(), (long)state["row"]!, (long)state["samples"]!);
            }

            FirstRow = _rowNumber;
        }

        /// <summary>Number of the first row of the current window.</summary>
        private long FirstRow { get; set; }

        public JsonObject State => new()
        {
            ["pass"] = _pass,
            ["window"] = _number,
            ["at"] = _start?.DeepClone(),
            ["row"] = FirstRow,
            ["item"] = _item,
            ["samples"] = _passSamples,
        };

        public Sample? Next()
        {
            while (true)
            {
                _window ??= TakeWindow();
                if (_item < _window.Samples.Count)
                {
                    Sample sample = _window.Samples[_item++];
                    _passSamples++;
                    if (_item == _window.Samples.Count && !_window.IsLast)
                    {
                        Advance();
                    }

                    return sample;
                }

                bool passEnds = _window.IsLast;
                Advance();
                if (passEnds)
                {
                    if (_passSamples == 0)
                    {
                        throw new DatasetException("The data set is empty: no row of the stream gave a sample. Name files with rows, or loosen filter_fn.");
                    }

                    _passSamples = 0;
                    return null;
                }
            }
        }

        public void Dispose()
        {
            try
            {
                _next?.Wait();
            }
            catch (AggregateException)
            {
                // Nobody asked for that window.
            }

            _reader?.Dispose();
        }

        /// <summary>Goes on to the window after the current one.</summary>
        private void Advance()
        {
            Window done = _window!;
            (_pass, _number) = done.IsLast ? (done.Pass + 1, 0) : (done.Pass, done.Number + 1);
            _start = done.IsLast ? null : done.End;
            FirstRow = done.IsLast ? 0 : _nextFirstRow;
            _window = null;
            _item = 0;
        }

        private long _nextFirstRow;

        private Window TakeWindow()
        {
            Task<Window> ready = _next ?? Task.FromResult(Read(_pass, _number, _start, FirstRow));
            _next = null;
            Window window = ready.GetAwaiter().GetResult();
            _nextFirstRow = _rowNumber;
            (int pass, int number, JsonNode? start, long row) = window.IsLast
                ? (window.Pass + 1, 0, null, 0L)
                : (window.Pass, window.Number + 1, window.End.DeepClone(), _rowNumber);
            _next = Task.Run(() => Read(pass, number, start, row));
            return window;
        }

        private Window Read(int pass, int number, JsonNode? start, long row)
        {
            if (_reader is null || start is null)
            {
                _reader?.Dispose();
                _reader = _owner._open(start);
                _rowNumber = row;
            }

            List<Sample> samples = [];
            long tokens = 0;
            bool isLast = false;
            for (int rows = 0; rows < _owner._options.ShuffleBuffer && tokens < MaxWindowTokens && !isLast;)
            {
                List<(Row Row, long Number)> chunk = ReadChunk(Math.Min(Chunk, _owner._options.ShuffleBuffer - rows), out int taken, out isLast);
                rows += taken;
                tokens += Make(chunk, samples);
            }

            JsonNode end = _reader.Position;
            CheckLearning(isLast);
            return new Window(pass, number, start, end, isLast, Arrange(samples, pass, number));
        }

        private List<(Row Row, long Number)> ReadChunk(int count, out int taken, out bool isLast)
        {
            List<(Row, long)> chunk = new(count);
            isLast = false;
            for (taken = 0; taken < count; taken++)
            {
                try
                {
                    if (_reader!.Next() is not { } row)
                    {
                        isLast = true;
                        break;
                    }

                    chunk.Add((row, _rowNumber));
                }
                catch (DatasetException e) when (_owner._options.OnError == ErrorPolicy.Skip)
                {
                    Skip(e.Message);
                }

                _rowNumber++;
            }

            return chunk;
        }

        private long Make(List<(Row Row, long Number)> chunk, List<Sample> samples)
        {
            Preparation.Made[] made = Preparation.MakeAll(chunk.Count, i =>
                _filter?.Keep(chunk[i].Row, chunk[i].Number) == false ? null : RowErrors.Explain(_owner._transform, chunk[i].Row));
            long tokens = 0;
            for (int i = 0; i < made.Length; i++)
            {
                if (made[i].Error is { } error)
                {
                    if (_owner._options.OnError == ErrorPolicy.Stop)
                    {
                        error.Throw();
                    }

                    Skip(error.SourceException.Message);
                }
                else if (made[i].Sample is { } sample)
                {
                    Row row = chunk[i].Row;
                    _counter.Add(sample, made[i].IsCut, () => row.Place);
                    samples.Add(sample);
                    tokens += sample.Tokens.Length;
                }
            }

            return tokens;
        }

        /// <summary>The first bad rows are named as they come, then every tenfold number.</summary>
        private void Skip(string reason)
        {
            _counter.Skip(reason);
            long count = _counter.Summary.Skipped;
            if (count <= DatasetSummary.Examples)
            {
                _owner._run?.Warn?.Invoke($"on_error: skip leaves a row out: {reason}");
            }
            else if (Math.Pow(10, Math.Floor(Math.Log10(count))) is var power && count == (long)power)
            {
                _owner._run?.Warn?.Invoke(FormattableString.Invariant($"on_error: skip has left out {count:N0} rows by now."));
            }
        }

        private void CheckLearning(bool isLast)
        {
            DatasetSummary summary = _counter.Summary;
            if (summary.Learned == 0 && summary.Samples > 0 && (isLast || summary.Samples >= Patience))
            {
                throw new DatasetException(
                    $"All labels are masked in the first {summary.Samples} samples of the stream, so there is nothing to learn. {summary.WhyUntrained} " +
                    $"The first: {summary.UntrainedPlaces[0]}.");
            }
        }

        private Sample[] Arrange(List<Sample> samples, int pass, int number)
        {
            Sample[] ordered = [.. samples];
            if (_shuffle)
            {
                int[] order = Permutation.Of(samples.Count, _seed, pass, number);
                ordered = [.. order.Select(i => samples[i])];
            }

            if (_owner._packing is not { } packing)
            {
                return ordered;
            }

            PackPlan plan = PackPlan.Make(
                ordered.Length, i => ordered[i].Tokens.Length, packing.Size, packing.Split, packing.Strategy, null, _ => "A sample of the stream");
            return [.. Enumerable.Range(0, plan.Count).Select(p => PackedDataset.Build(plan[p], packing.Size, packing.PaddingIdx, (sample, from, tokens, labels) =>
            {
                ordered[sample].Tokens.AsSpan(from, tokens.Length).CopyTo(tokens);
                ordered[sample].Labels.AsSpan(from, labels.Length).CopyTo(labels);
            }))];
        }
    }
}
