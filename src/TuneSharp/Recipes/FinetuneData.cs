using TuneSharp.Data;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Training;

namespace TuneSharp.Recipes;

/// <summary>The data of a run: batches for each optimizer step, and the validation loss.</summary>
internal sealed class FinetuneData : IDisposable
{
    private readonly IDataset _dataset;
    private readonly BatchLoader _train;
    private readonly BatchLoader? _val;
    private readonly int _accumulation;
    private readonly long _vocabSize;

    public FinetuneData(FinetuneConfig cfg, RunConsole console, IModelTokenizer tokenizer, long vocabSize, int seed)
    {
        Action<int, int> packing = Progress(console);
        IDataset[] parts = [.. cfg.Dataset.Select(d => d.Build(tokenizer, packing))];
        IDataset dataset = parts.Length == 1 ? parts[0] : new ConcatDataset(parts);
        _dataset = dataset;
        _train = Loader(cfg, dataset, tokenizer, cfg.BatchSize, cfg.Shuffle, seed, dropLast: true);
        _val = cfg.DatasetVal is { } val
            ? Loader(cfg, val.Build(tokenizer, packing), tokenizer, cfg.BatchSizeVal ?? cfg.BatchSize, shuffle: false, seed, dropLast: false)
            : null;
        (_accumulation, _vocabSize, Samples) = (cfg.GradientAccumulationSteps, vocabSize, dataset.Count);
        foreach (string warning in _train.Warnings)
        {
            console.Warn(warning);
        }

        long whole = _train.BatchesPerEpoch / _accumulation;
        StepsPerEpoch = Math.Min(whole, cfg.MaxStepsPerEpoch ?? whole);
        if (StepsPerEpoch == 0)
        {
            throw new DatasetException(
                $"An epoch has {_train.BatchesPerEpoch} batches, too few for gradient_accumulation_steps={_accumulation}. Lower it or batch_size.");
        }
    }

    /// <summary>Samples in the training set.</summary>
    public int Samples { get; }

    /// <summary>Tokens of the longest of the first samples (a thousand at most), which bounds a batch well enough for an estimate.</summary>
    public int LongestSample => Enumerable.Range(0, Math.Min(Samples, 1000)).Max(i => _dataset[i].Tokens.Length);

    /// <summary>Optimizer steps of an epoch; the last incomplete accumulation window is dropped, as in torchtune.</summary>
    public long StepsPerEpoch { get; }

    /// <summary>The micro-batches of each optimizer step from one number to another, through the epochs they belong to.</summary>
    public IEnumerable<IReadOnlyList<Batch>> Steps(long first, long last, CancellationToken stop)
    {
        for (long step = first; step < last;)
        {
            (long epoch, long inEpoch) = Math.DivRem(step, StepsPerEpoch);
            List<Batch> window = [];
            foreach (Batch batch in _train.Epoch((int)epoch, inEpoch * _accumulation, stop))
            {
                window.Add(Checked(batch, _vocabSize));
                if (window.Count < _accumulation)
                {
                    continue;
                }

                yield return window;
                window = [];
                step++;
                if (step >= last || step % StepsPerEpoch == 0)
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
        foreach (Batch read in _val!.Epoch(0, 0, stop))
        {
            using DisposeScope scope = NewDisposeScope();
            using Batch batch = Checked(read, _vocabSize).To(model.Device);
            Tensor hidden = model.Hidden(batch.Tokens, batch.InputPos, null, batch.SeqLens);
            sum += loss.Sum(model, hidden, batch.Labels).item<float>();
            count += batch.NumTargets;
        }

        model.train();
        return count == 0 ? double.NaN : sum / count;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _train.Dispose();
        _val?.Dispose();
    }

    /// <summary>Packing tokenises the whole set first: say how far it is, every other second.</summary>
    private static Action<int, int> Progress(RunConsole console)
    {
        long last = console.Time.GetTimestamp();
        return (done, all) =>
        {
            if (console.Time.GetElapsedTime(last) > TimeSpan.FromSeconds(2))
            {
                last = console.Time.GetTimestamp();
                console.Line(FormattableString.Invariant($"Packing: {done:N0} of {all:N0} samples."));
            }
        };
    }

    private static BatchLoader Loader(
        FinetuneConfig cfg, IDataset dataset, IModelTokenizer tokenizer, int batchSize, bool shuffle, int seed, bool dropLast)
    {
        string collate = cfg.CollateFn ?? "torchtune.data.padded_collate_sft";
        return new BatchLoader(dataset, batchSize, Collate.Find(collate, dataset, tokenizer.PadId), shuffle, seed, dropLast: dropLast);
    }

    /// <summary>An id beyond the embedding table would read foreign memory on a GPU and end the process: stop here with a sentence.</summary>
    internal static Batch Checked(Batch batch, long vocabSize) => batch.MaxTokenId < vocabSize
        ? batch
        : throw new DatasetException(
            $"Token id {batch.MaxTokenId} is beyond the model's vocabulary of {vocabSize}. The tokenizer belongs to another model, or the " +
            "embedding table must be enlarged for added tokens.");
}
