using System.Text.Json.Nodes;
using TuneSharp.Checkpointing;
using TuneSharp.Data;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Training;

namespace TuneSharp.Recipes;

/// <summary>The data of a run: batches for each optimizer step, and the validation loss.</summary>
internal sealed class FinetuneData : IDisposable
{
    private const string StateKey = "data";
    private readonly IDataset _dataset;
    private readonly BatchLoader? _train;
    private readonly StreamLoader? _stream;
    private readonly Func<CancellationToken, IEnumerable<Batch>>? _val;
    private readonly List<IDisposable> _owned = [];
    private readonly int _accumulation;
    private readonly long _vocabSize;
    private JsonObject? _streamState;

    public FinetuneData(
        FinetuneConfig cfg, RunConsole console, IModelTokenizer tokenizer, long vocabSize, int seed, ResumePoint? resume = null, CancellationToken stop = default)
    {
        (_accumulation, _vocabSize) = (cfg.GradientAccumulationSteps, vocabSize);
        _dataset = DataSetup.Build(cfg.Dataset, cfg.Tokenizer, tokenizer, console, stop);
        Func<IReadOnlyList<Sample>, Batch> collate = Collation(cfg, _dataset, tokenizer);
        if (_dataset is StreamDataset stream)
        {
            _owned.Add(_stream = new StreamLoader(stream, cfg.BatchSize, collate, cfg.Shuffle, seed));
            _streamState = resume?.ReadNumbers()[StateKey] as JsonObject;
            StepsPerEpoch = cfg.MaxStepsPerEpoch ?? throw new DatasetException(
                "A stream (streaming=True) has no length, so an epoch of it needs one: set max_steps_per_epoch.");
        }
        else
        {
            _owned.Add(_train = new BatchLoader(_dataset, cfg.BatchSize, collate, cfg.Shuffle, seed));
            Array.ForEach([.. _train.Warnings], console.Warn);
            long whole = _train.BatchesPerEpoch / _accumulation;
            StepsPerEpoch = Math.Min(whole, cfg.MaxStepsPerEpoch ?? whole);
            if (StepsPerEpoch == 0)
            {
                throw new DatasetException(
                    $"An epoch has {_train.BatchesPerEpoch} batches, too few for gradient_accumulation_steps={_accumulation}. Lower it or batch_size.");
            }
        }

        if (cfg.DatasetVal is { } val)
        {
            _val = Validation(cfg, DataSetup.Build([val], cfg.Tokenizer, tokenizer, console, stop), tokenizer, seed);
        }
    }

    /// <summary>Size of the training set in words.</summary>
    public string Size => _dataset is StreamDataset ? "a stream" : FormattableString.Invariant($"{_dataset.Count:N0} samples");

    /// <summary>Tokens of the longest of the first samples (a thousand at most), which bounds a batch well enough for an estimate.</summary>
    public int LongestSample
    {
        get
        {
            if (_dataset is not StreamDataset stream)
            {
                return Enumerable.Range(0, Math.Min(_dataset.Count, 1000)).Max(i => _dataset[i].Tokens.Length);
            }

            using ISampleStream first = stream.Open(shuffle: false, 0, state: null);
            return Enumerable.Range(0, 1000).Select(_ => first.Next()).TakeWhile(s => s is not null).Max(s => s!.Tokens.Length);
        }
    }

    /// <summary>Optimizer steps of an epoch; the last incomplete accumulation window is dropped, as in torchtune.</summary>
    public long StepsPerEpoch { get; }

    /// <summary>Takes down, for a save, where the data stands after the last step that <see cref="Steps"/> gave.</summary>
    /// <param name="numbers">The numbers of the training state.</param>
    public void SaveState(JsonObject numbers)
    {
        if (_stream is not null)
        {
            numbers[StateKey] = _streamState?.DeepClone();
        }
    }

    /// <summary>The micro-batches of each optimizer step from one number to another, through the epochs they belong to.</summary>
    public IEnumerable<IReadOnlyList<Batch>> Steps(long first, long last, CancellationToken stop)
    {
        for (long step = first; step < last;)
        {
            (long epoch, long inEpoch) = Math.DivRem(step, StepsPerEpoch);
            List<Batch> window = [];
            foreach (Batch batch in _stream?.Batches(_streamState, stop) ?? _train!.Epoch((int)epoch, inEpoch * _accumulation, stop))
            {
                window.Add(Checked(batch, _vocabSize));
                if (window.Count < _accumulation)
                {
                    continue;
                }

                _streamState = batch.StreamState;
                yield return window;
                window = [];
                step++;
                if (step >= last || (_stream is null && step % StepsPerEpoch == 0))
                {
                    break;
                }
            }

            if (stop.IsCancellationRequested)
            {
                yield break;
            }
        }
    }

    /// <summary>Mean loss per learned token over the validation set.</summary>
    public double ValidationLoss(TransformerDecoder model, ILoss loss, CancellationToken stop)
    {
        (double sum, long count) = (0, 0);
        model.eval();
        using IDisposable off = no_grad();
        foreach (Batch read in _val!(stop))
        {
            using DisposeScope scope = NewDisposeScope();
            using Batch batch = Checked(read, _vocabSize).To(model.Device);
            Tensor hidden = TrainStep.Hidden(model, batch);
            sum += loss.Sum(model, hidden, batch.Labels).item<float>();
            count += batch.NumTargets;
        }

        model.train();
        return count == 0 ? double.NaN : sum / count;
    }

    /// <inheritdoc/>
    public void Dispose() => _owned.ForEach(o => o.Dispose());

    private Func<CancellationToken, IEnumerable<Batch>> Validation(FinetuneConfig cfg, IDataset dataset, IModelTokenizer tokenizer, int seed)
    {
        Func<IReadOnlyList<Sample>, Batch> collate = Collation(cfg, dataset, tokenizer);
        int batchSize = cfg.BatchSizeVal ?? cfg.BatchSize;
        if (dataset is StreamDataset stream)
        {
            StreamLoader once = new(stream, batchSize, collate, shuffle: false, seed);
            _owned.Add(once);
            return once.OnePass;
        }

        BatchLoader loader = new(dataset, batchSize, collate, shuffle: false, seed, dropLast: false);
        _owned.Add(loader);
        return stop => loader.Epoch(0, 0, stop);
    }

    private static Func<IReadOnlyList<Sample>, Batch> Collation(FinetuneConfig cfg, IDataset dataset, IModelTokenizer tokenizer) =>
        Collate.Find(cfg.CollateFn ?? "torchtune.data.padded_collate_sft", dataset, tokenizer.PadId);

    /// <summary>An id beyond the embedding table would read foreign memory on a GPU and end the process: stop here with a sentence.</summary>
    internal static Batch Checked(Batch batch, long vocabSize) => batch.MaxTokenId < vocabSize
        ? batch
        : throw new DatasetException(
            $"Token id {batch.MaxTokenId} is beyond the model's vocabulary of {vocabSize}. The tokenizer belongs to another model, or the " +
            "embedding table must be enlarged for added tokens.");
}
