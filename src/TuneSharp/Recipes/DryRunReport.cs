using TuneSharp.Checkpointing;
using TuneSharp.Data;
using TuneSharp.Modules;
using TuneSharp.Training;
using TuneSharp.Training.Optimizers;

namespace TuneSharp.Recipes;

/// <summary>What a run would be, told without running it: parameters, steps, memory. The model is built on the meta device.</summary>
internal static class DryRunReport
{
    /// <summary>Prints the report.</summary>
    /// <param name="cfg">The run.</param>
    /// <param name="console">Where to.</param>
    /// <param name="freeze">Leaves only what the recipe trains trainable.</param>
    public static void Print(FinetuneConfig cfg, RunConsole console, Action<TransformerDecoder> freeze)
    {
        cfg.Check();
        RunSetup.Device(cfg.Device);
        Checkpointer checkpointer = cfg.Checkpointer.Build();
        using TransformerDecoder model = RunSetup.Model(cfg, META, checkpointer);
        freeze(model);
        IModelTokenizer tokenizer = cfg.Tokenizer.Build();
        using FinetuneData data = new(cfg, console, tokenizer, model.Shape.VocabSize, cfg.Seed ?? 0);
        NamedParameter[] trained = MemoryPlan.Trained(model);
        using Optimizer optimizer = cfg.Optimizer.Build((object)trained);

        long all = model.parameters().Sum(p => p.numel());
        long learned = trained.Sum(p => p.Value.numel());
        console.Line(FormattableString.Invariant($"parameters   {all:N0}, trained {learned:N0} ({100.0 * learned / all:0.##} %)"));
        console.Line(FormattableString.Invariant($"data         {data.Size}"));
        console.Line(FormattableString.Invariant(
            $"steps        {data.StepsPerEpoch:N0} an epoch x {cfg.Epochs} = {data.StepsPerEpoch * cfg.Epochs:N0}, each of {cfg.BatchSize} x {cfg.GradientAccumulationSteps} samples"));

        MemoryInputs inputs = MemoryPlan.Read(cfg, model, trained, optimizer, data.LongestSample);
        foreach (string line in EstimateReport.Lines(inputs, MemoryEstimate.Of(inputs)))
        {
            console.Line(line);
        }
    }
}
