using TuneSharp.Checkpointing;
using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Training;
using TuneSharp.Training.Optimizers;

namespace TuneSharp.Recipes;

/// <summary>Trains all weights of a model, from a checkpoint or from nothing.</summary>
/// <remarks>torchtune counterpart: <c>recipes/full_finetune_single_device.py</c>. Under its distributed name it runs as a group of one process.</remarks>
[Recipe("full_finetune_single_device")]
[Recipe("full_finetune_distributed")]
public static class FullFinetune
{
    /// <summary>Runs it.</summary>
    /// <param name="cfg">What to do.</param>
    /// <param name="console">Where progress shows.</param>
    /// <param name="stop">Asks for a save and a clean end.</param>
    public static void Run(FullFinetuneConfig cfg, RunConsole console, CancellationToken stop)
    {
        // ---- 1. Where we run ----
        cfg.Check();
        Device device = RunSetup.Device(cfg.Device);
        Checkpointer checkpointer = cfg.Checkpointer.Build();
        ResumePoint? resume = RunSetup.Resume(cfg, checkpointer, console);
        int seed = RunSetup.Seed(cfg, resume);

        // ---- 2. What we train ----
        using TransformerDecoder model = RunSetup.Model(cfg, device, checkpointer, initialise: cfg.FromScratch);
        if (resume is not null)
        {
            using ITensorSource weights = resume.OpenWeights();
            WeightLoader.Load(weights, model.NamedParameters(), model.Weights, _ => false);
        }
        else if (!cfg.FromScratch)
        {
            model.Initialise(checkpointer.LoadBase(model.NamedParameters(), model.Weights, model.IsFreshHead));
        }

        model.Activations = cfg.Activations(model.Shape.EmbedDim);

        // ---- 3. What we train on ----
        IModelTokenizer tokenizer = cfg.Tokenizer.Build();
        using FinetuneData data = new(cfg, console, tokenizer, model.Shape.VocabSize, seed, resume, stop);
        long lastStep = data.StepsPerEpoch * cfg.Epochs;

        // ---- 4. How we train ----
        NamedParameter[] trained = [.. model.named_parameters().Select(p => new NamedParameter(p.name, p.parameter))];
        using Optimizer optimizer = cfg.Optimizer.Build((object)trained);
        long firstStep = RunSetup.Restore(resume, optimizer);
        long step = firstStep;
        LrSchedule? schedule = cfg.LrScheduler?.Build(optimizer, lastStep, step - 1);
        ILoss loss = cfg.Loss.Build();
        OutOfMemory.WarnIfTight(cfg, console, model, trained, optimizer, data.LongestSample);
        using RunLog log = new(cfg, console, model, data, seed, step, lastStep);
        log.Sample("before training", tokenizer);

        using StepInBackward? inBackward = cfg.OptimizerInBwd ? new(model, optimizer) : null; // leaves no gradients for what follows it

        // ---- 5. The loop ----
        model.train();
        foreach (IReadOnlyList<Batch> microBatches in data.Steps(step, lastStep, stop))
        {
            Seed.ForStep(seed, step);
            StepSums sums = inBackward is null
                ? TrainStep.Backward(model, loss, microBatches)
                : inBackward.Run(loss, microBatches[0], mean => RunSetup.StopOnNaN(mean, null, step + 1, optimizer.Lr, checkpointer));
            double? gradNorm = Gradients.ScaleAndClip(trained, sums.GradientScale, cfg.ClipGradNorm);
            RunSetup.StopOnNaN(sums.MeanLoss, gradNorm, step + 1, optimizer.Lr, checkpointer);
            double lr = optimizer.Lr;
            optimizer.Step();
            optimizer.ZeroGrad();
            schedule?.Step();
            step++;

            log.Step(step, sums, lr, gradNorm);
            if (cfg.RunValEveryNSteps is { } every && step % every == 0)
            {
                log.Validation(step, data.ValidationLoss(model, loss, stop));
            }

            if (step < lastStep && step % (cfg.SaveEveryNSteps ?? data.StepsPerEpoch) == 0)
            {
                RunSetup.Save(cfg, checkpointer, model, optimizer, step, data, seed);
            }
        }

        // ---- 6. What we leave behind ----
        string? saved = step == firstStep ? resume?.Folder : RunSetup.Save(cfg, checkpointer, model, optimizer, step, data, seed);
        log.Finish(saved, step < lastStep);
        log.Sample("after training", tokenizer);
    }

    /// <summary>Tells what <see cref="Run"/> would do.</summary>
    /// <param name="cfg">What to do.</param>
    /// <param name="console">Where to.</param>
    public static void DryRun(FullFinetuneConfig cfg, RunConsole console) => DryRunReport.Print(cfg, console, _ => { });
}
