using TorchSharp;
using TuneSharp.Config;
using TuneSharp.Training.Metrics;

namespace TuneSharp.Cli.Tests.EndToEnd;

/// <summary>Takes down how many tensors are alive at each step.</summary>
public sealed class TensorCountLogger : IMetricLogger
{
    private static readonly List<long> Seen = [];

    /// <summary>The step from which on the count must not change.</summary>
    public const int Settled = 10;

    /// <summary>Alive tensors at each line of the last run.</summary>
    public static IReadOnlyList<long> Counts => Seen;

    [Component("tunesharp.tests.TensorCountLogger")]
    public static TensorCountLogger Create()
    {
        Seen.Clear();
        return new TensorCountLogger();
    }

    public void LogConfig(string yaml)
    {
    }

    public void Log(long step, params ReadOnlySpan<(string Name, double Value)> metrics)
    {
        if (step == Settled)
        {
#pragma warning disable RS0030 // What earlier tests and the start of the run left to the collector must not fall into the count.
            GC.Collect();
            GC.WaitForPendingFinalizers();
#pragma warning restore RS0030
        }

        Seen.Add(torch.Tensor.TotalCount);
    }

    public void Dispose()
    {
    }
}

/// <summary>A step leaves nothing behind.</summary>
public class LeakTests
{
    [Theory]
    [InlineData("lora", "~clip_grad_norm", "save_every_n_steps=1000")]
    [InlineData("lora", "clip_grad_norm=1.0", "model.use_dora=True", "model.lora_dropout=0.1", "enable_activation_checkpointing=True", "save_every_n_steps=5", "checkpointer.keep_last_n_checkpoints=1")]
    [InlineData("lora", "gradient_accumulation_steps=2", "dtype=bf16", "save_every_n_steps=5", "checkpointer.keep_last_n_checkpoints=1")]
    [InlineData("full", "clip_grad_norm=1.0", "epochs=40", "max_steps_per_epoch=5", "checkpointer.keep_last_n_checkpoints=1")]
    public void Live_tensors_stay_as_many_from_step_10_to_step_200(string recipe, params string[] settings)
    {
        ComponentRegistry.Register(typeof(TensorCountLogger).Assembly);
        using TinyRun run = new();
        string[] all =
        [
            "metric_logger={_component_: tunesharp.tests.TensorCountLogger}", "~metric_logger.log_dir", "batch_size=2", "epochs=20", "max_steps_per_epoch=10",
            "dataset={_component_: torchtune.datasets.text_completion_dataset, source: json, column: output, data_files: " + run.Data + "}", .. settings,
        ];
        Ends.Well(recipe == "lora" ? run.Lora(all) : run.Full(all));
        Assert.Equal(200, TensorCountLogger.Counts.Count);
        // The first save makes some handles that stay; it happens before step 10. Batches that the loader's thread made ahead are alive too: at most its queue and the one in its hands, three tensors each.
        long[] after = [.. TensorCountLogger.Counts.Skip(TensorCountLogger.Settled - 1)];
        Assert.True(after.Max() - after.Min() <= Ahead, string.Join(' ', after));
    }

    private const int Ahead = 15;
}
