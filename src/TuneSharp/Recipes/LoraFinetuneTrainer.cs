using TuneSharp.Checkpointing;
using TuneSharp.Data;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Modules.Peft;
using TuneSharp.Training;
using TuneSharp.Training.Metrics;
using TuneSharp.Training.Optimizers;

namespace TuneSharp.Recipes;

/// <summary>The LoRA recipe for people who write code: give a model and a data file, train, save.</summary>
/// <remarks>
/// The data file is one of instructions (<c>instruction</c>, <c>input</c>, <c>output</c>), as for
/// <c>torchtune.datasets.alpaca_cleaned_dataset</c>; pass a <see cref="IDataset"/> for any other. The base is frozen; adapters that were
/// frozen with <see cref="Adapters.SetTrainableParams"/> stay so. Not thread-safe.
/// </remarks>
public sealed class LoraFinetuneTrainer
{
    private readonly TransformerDecoder _model;
    private readonly string _outputDir;
    private readonly int _batchSize;
    private readonly int _maxSteps;
    private readonly int _loggingSteps;
    private readonly IModelTokenizer _tokenizer;
    private readonly IDataset _dataset;

    /// <summary>Prepares a training run on a file of instructions.</summary>
    /// <param name="model">A model built with a <see cref="LoraConfig"/> and loaded from a folder.</param>
    /// <param name="datasetPath">JSON, JSONL, CSV or Parquet.</param>
    /// <param name="outputDir">Where <c>metrics.jsonl</c> and the saved adapters go; made if missing.</param>
    /// <param name="batchSize">Samples of a step.</param>
    /// <param name="maxSteps">Optimizer steps.</param>
    /// <param name="loggingSteps">Steps between metric lines.</param>
    /// <param name="tokenizer">Null for the tokenizer in the model's own folder.</param>
    public LoraFinetuneTrainer(
        TransformerDecoder model, string datasetPath, string outputDir, int batchSize = 2, int maxSteps = 100, int loggingSteps = 10,
        IModelTokenizer? tokenizer = null)
        : this(model, null, datasetPath, outputDir, batchSize, maxSteps, loggingSteps, tokenizer)
    {
    }

    /// <summary>Prepares a training run on a data set.</summary>
    /// <param name="model">A model built with a <see cref="LoraConfig"/> and loaded from a folder.</param>
    /// <param name="dataset">The samples.</param>
    /// <param name="outputDir">Where <c>metrics.jsonl</c> and the saved adapters go; made if missing.</param>
    /// <param name="batchSize">Samples of a step.</param>
    /// <param name="maxSteps">Optimizer steps.</param>
    /// <param name="loggingSteps">Steps between metric lines.</param>
    /// <param name="tokenizer">Null for the tokenizer in the model's own folder.</param>
    public LoraFinetuneTrainer(
        TransformerDecoder model, IDataset dataset, string outputDir, int batchSize = 2, int maxSteps = 100, int loggingSteps = 10,
        IModelTokenizer? tokenizer = null)
        : this(model, dataset, null, outputDir, batchSize, maxSteps, loggingSteps, tokenizer)
    {
    }

    private LoraFinetuneTrainer(
        TransformerDecoder model, IDataset? dataset, string? datasetPath, string outputDir, int batchSize, int maxSteps, int loggingSteps,
        IModelTokenizer? tokenizer)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxSteps, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(loggingSteps, 1);
        if (Adapters.GetAdapterParams(model).Count == 0)
        {
            throw new ArgumentException("The model has no adapters to train. Build or load it with a LoraConfig.", nameof(model));
        }

        (_model, _outputDir, _batchSize, _maxSteps, _loggingSteps) = (model, outputDir, batchSize, maxSteps, loggingSteps);
        _tokenizer = tokenizer ?? HuggingFaceTokenizers.HuggingFaceModelTokenizer(path: model.SourceDirectory ?? throw new ArgumentException(
            "The model was not loaded from a folder, so its tokenizer is unknown. Pass one.", nameof(tokenizer)));
        _dataset = dataset ?? Datasets.AlpacaCleanedDataset(_tokenizer, new LoadOptions { Source = datasetPath! });
    }

    /// <summary>Learning rate. Default: 3e-4.</summary>
    public double LearningRate { get; init; } = 3e-4;

    /// <summary>Steps over which the rate rises from 0; it then falls along a cosine. Default: 0.</summary>
    public int WarmupSteps { get; init; }

    /// <summary>Largest 2-norm of the gradient. Default: 1.</summary>
    public double MaxGradNorm { get; init; } = 1;

    /// <summary>Seed of the order of samples and of dropout. Default: 42.</summary>
    public int Seed { get; init; } = 42;

    /// <summary>Where progress shows. Default: nowhere.</summary>
    public RunConsole Console { get; init; } = RunConsole.Silent;

    /// <summary>Trains the adapters.</summary>
    /// <param name="stop">Ends the training after the step under way.</param>
    /// <returns>The mean loss of each step.</returns>
    /// <exception cref="TrainingException">The loss is no number any more.</exception>
    /// <exception cref="DatasetException">A sample does not fit the model, or too few fill a batch.</exception>
    public IReadOnlyList<double> Train(CancellationToken stop = default)
    {
        Training.Seed.Set(Seed, rank: 0);
        NamedParameter[] trained = Trained();
        using AdamW optimizer = new(trained, LearningRate, weightDecay: 0.01);
        LrSchedule schedule = LrSchedulers.GetCosineScheduleWithWarmup(optimizer, WarmupSteps, _maxSteps);
        LinearCrossEntropyLoss loss = new();
        using BatchLoader loader = new(_dataset, _batchSize, Collate.Find("torchtune.data.padded_collate_sft", _dataset, _tokenizer.PadId), true, Seed);
        using MetricsFile metrics = new(_outputDir);
        List<double> losses = [];
        _model.train();
        for (int epoch = 0; losses.Count < _maxSteps && !stop.IsCancellationRequested; epoch++)
        {
            foreach (Batch batch in loader.Epoch(epoch, 0, stop).Take(_maxSteps - losses.Count))
            {
                StepSums sums = TrainStep.Backward(_model, loss, [FinetuneData.Checked(batch, _model.Shape.VocabSize)]);
                double norm = Gradients.ScaleAndClip(trained, sums.GradientScale, MaxGradNorm) ?? 0;
                if (!double.IsFinite(sums.MeanLoss) || !double.IsFinite(norm))
                {
                    throw new TrainingException(FormattableString.Invariant(
                        $"Step {losses.Count + 1}: loss {sums.MeanLoss}, gradient norm {norm}. Lower {nameof(LearningRate)} ({LearningRate}) or look for broken samples."));
                }

                double lr = optimizer.Lr;
                optimizer.Step();
                optimizer.ZeroGrad();
                schedule.Step();
                losses.Add(sums.MeanLoss);
                if (losses.Count % _loggingSteps == 0)
                {
                    metrics.Log(losses.Count, ("loss", sums.MeanLoss), ("lr", lr), ("grad_norm", norm));
                    Console.Line(FormattableString.Invariant($"Step {losses.Count} | loss:{sums.MeanLoss} lr:{lr} grad_norm:{norm}"));
                }
            }
        }

        return losses;
    }

    /// <summary>The adapters that may learn, everything else frozen.</summary>
    private NamedParameter[] Trained()
    {
        Dictionary<string, Parameter> chosen = Adapters.GetAdapterParams(_model).Where(a => a.Value.requires_grad)
            .ToDictionary(a => a.Key, a => a.Value, StringComparer.Ordinal);
        if (chosen.Count == 0)
        {
            throw new ArgumentException("All adapters are frozen. Let some learn with Adapters.SetTrainableParams.");
        }

        Adapters.SetTrainableParams(_model, chosen);
        return [.. chosen.Select(a => new NamedParameter(a.Key, a.Value))];
    }

    /// <summary>Saves the adapters as a folder that Hugging Face PEFT loads; over a quantised base, the base goes in beside them, in bitsandbytes' layout.</summary>
    /// <param name="path">The folder; null for <c>adapter</c> in the output folder.</param>
    /// <returns>The folder.</returns>
    public string SaveModel(string? path = null)
    {
        string folder = path ?? Path.Combine(_outputDir, "adapter");
        PeftAdapter adapter = AdapterModel.ToPeft(_model, _model.SourceDirectory);
        AtomicFolder.Write(folder, temporary =>
        {
            if (AdapterModel.Quantization(_model) is { } format)
            {
                if (_model.SourceDirectory is { } source)
                {
                    CompanionFiles.Copy(source, temporary);
                }

                LazyTensors weights = AdapterModel.QuantizedWeights(_model);
                ShardedWriter.Write(temporary, weights.Infos, weights.Read);
                BnbConfig.Write(temporary, format);
            }

            adapter.Write(temporary, AdapterModel.Tensors(_model), _model.Weights);
        });
        return folder;
    }
}
