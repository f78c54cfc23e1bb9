using System.Text.Json.Nodes;
using TuneSharp.Backend;
using TuneSharp.Checkpointing;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Training;
using TuneSharp.Training.Optimizers;

namespace TuneSharp.Recipes;

/// <summary>What both fine-tuning recipes do in the same way: build, resume, save, stop on nonsense.</summary>
internal static class RunSetup
{
    /// <summary>The device a config names; <c>auto</c> is a GPU where there is one.</summary>
    public static Device Device(string name)
    {
        TorchBackend.EnsureLoaded();
        return TorchBackend.ParseDevice(name == "auto" ? cuda.is_available() ? "cuda" : "cpu" : name);
    }

    /// <summary>Builds the model of a config. Base weights stay as memory comes when a checkpoint is loaded next.</summary>
    public static TransformerDecoder Model(FinetuneConfig cfg, Device device, Checkpointer checkpointer, bool initialise = false)
    {
        using BuildScope scope = new(device, cfg.Dtype, initialise, vocabSize: cfg.ResizeTokenEmbeddings);

        // Only a model without a folder of its own asks how large the vocabulary is.
        bool asks = cfg.Model.Name == Models.Transformer.TransformerBuilders.Name;
        return cfg.Model.Build(checkpointer, asks ? cfg.Tokenizer.Build() : null);
    }

    /// <summary>Where to go on, if the config asks to.</summary>
    public static ResumePoint? Resume(FinetuneConfig cfg, Checkpointer checkpointer, RunConsole console)
    {
        if (!cfg.ResumeFromCheckpoint && !checkpointer.ShouldResume)
        {
            return null;
        }

        ResumePoint point = checkpointer.FindResumePoint() ?? throw new CheckpointException(
            $"resume_from_checkpoint is set, but {checkpointer.OutputDir} holds no save with a training state. " +
            "Set resume_from_checkpoint=False to start anew, or name the output_dir of the run that was stopped.");
        console.Line($"Resuming from {point.Folder}, after step {point.Step}.");
        return point;
    }

    /// <summary>Restores the optimizer and says after which step; 0 without a save.</summary>
    public static long Restore(ResumePoint? resume, Optimizer optimizer)
    {
        if (resume is null)
        {
            return 0;
        }

        using DisposeScope scope = NewDisposeScope();
        optimizer.LoadState(resume.ReadState().Tensors);
        return resume.Step;
    }

    /// <summary>The seed of a run: a resumed one goes on with its first seed, or the order of samples would change.</summary>
    public static int Seed(FinetuneConfig cfg, ResumePoint? resume)
    {
        int? saved = (int?)resume?.ReadNumbers()["seed"];
        return Training.Seed.Set(saved ?? cfg.Seed, rank: 0);
    }

    /// <summary>Ends a run whose loss or gradient is no number any more; weights and saves stay as they were before the step.</summary>
    public static void StopOnNaN(double loss, double? gradNorm, long step, double lr, Checkpointer checkpointer)
    {
        if (double.IsFinite(loss) && double.IsFinite(gradNorm ?? 0))
        {
            return;
        }

        string what = double.IsFinite(loss) ? FormattableString.Invariant($"gradient norm is {gradNorm}") : FormattableString.Invariant($"loss is {loss}");
        throw new TrainingException(FormattableString.Invariant(
            $"Step {step}: the {what} (learning rate {lr:0.###e+0}). The weights of this step were not updated, and no save was touched. ") +
            "Lower optimizer.lr, add warm-up (lr_scheduler.num_warmup_steps), set clip_grad_norm=1.0, or look for broken samples; " +
            $"saves up to here are in {checkpointer.OutputDir}.");
    }

    /// <summary>Saves the run: adapters or all weights, and what resuming needs.</summary>
    public static string Save(
        FinetuneConfig cfg, Checkpointer checkpointer, TransformerDecoder model, Optimizer optimizer, long step, FinetuneData data, int seed)
    {
        bool adaptersOnly = cfg is LoraFinetuneConfig { SaveAdapterWeightsOnly: true };
        Kernels.Quantization? held = cfg is LoraFinetuneConfig { SaveQuantizedBase: true } ? AdapterModel.Quantization(model) : null;
        (long epoch, long inEpoch) = Math.DivRem(step, data.StepsPerEpoch);
        JsonObject numbers = new() { ["seed"] = seed, ["step"] = step, ["steps_per_epoch"] = data.StepsPerEpoch };
        data.SaveState(numbers);
        using DisposeScope scope = NewDisposeScope();
        return checkpointer.Save(new SaveRequest
        {
            Map = model.Weights,
            Config = model.HfConfig,
            Weights = adaptersOnly || held is not null ? LazyTensors.None : AdapterModel.MergedWeights(model),
            QuantizedWeights = held is null ? null : AdapterModel.QuantizedWeights(model),
            Quantization = held,
            Adapter = model.Lora is null ? null : AdapterModel.ToPeft(model, checkpointer.BaseModelName),
            AdapterTensors = model.Lora is null ? LazyTensors.None : AdapterModel.Tensors(model),
            State = new TrainingState(numbers, optimizer.StateTensors()),
            Step = step,
            Epoch = (int)Math.Max(0, epoch - 1),
            IsStep = cfg.SaveEveryNSteps is not null || inEpoch != 0,
        });
    }
}

/// <summary>Training cannot go on. The message says what happened and what to change.</summary>
public sealed class TrainingException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What happened, with values, and the fix.</param>
    public TrainingException(string message)
        : base(message)
    {
    }

    /// <summary>Creates an empty exception.</summary>
    public TrainingException()
    {
    }

    /// <summary>Creates the exception with a cause.</summary>
    /// <param name="message">What happened, with values, and the fix.</param>
    /// <param name="inner">The cause.</param>
    public TrainingException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
