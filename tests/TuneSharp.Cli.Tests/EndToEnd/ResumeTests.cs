using System.Globalization;

namespace TuneSharp.Cli.Tests.EndToEnd;

/// <summary>Resuming at a step equals never stopping, to the last bit.</summary>
public class ResumeTests
{
    /// <summary>Recipe, and steps of an epoch: the save of step 3 lies inside an epoch, at its end, and before one that is crossed.</summary>
    public static TheoryData<string, int> Cases { get; } = new()
    {
        { "lora", 6 }, { "lora", 3 }, { "lora", 2 }, { "full", 6 }, { "full", 3 }, { "full", 2 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Stopping_at_step_3_changes_nothing_after(string recipe, int stepsPerEpoch)
    {
        string[] settings =
        [
            string.Create(CultureInfo.InvariantCulture, $"max_steps_per_epoch={stepsPerEpoch}"),
            string.Create(CultureInfo.InvariantCulture, $"epochs={6 / stepsPerEpoch}"), "save_every_n_steps=3", "clip_grad_norm=1.0",
        ];
        using TinyRun whole = new();
        using TinyRun parts = new();
        Ends.Well(Run(whole, recipe, settings));
        Ends.Well(Run(parts, recipe, settings));
        Assert.Equal(6, whole.Losses().Length);
        foreach (string entry in Directory.GetFileSystemEntries(parts.Out).Where(e => Path.GetFileName(e) != "step_3"))
        {
            Remove(entry);
        }

        CliResult resumed = Run(parts, recipe, [.. settings, "resume_from_checkpoint=True"]);
        Ends.Well(resumed);
        Assert.Contains("after step 3", resumed.Out, StringComparison.Ordinal);
        Assert.Equal(whole.Losses()[3..], parts.Losses());
        Assert.Equal(whole.Losses("lr")[3..], parts.Losses("lr"));
        Assert.Equal(whole.Losses("grad_norm")[3..], parts.Losses("grad_norm"));
        foreach (string file in Directory.GetFiles(Path.Combine(whole.Out, "step_6"), "*.safetensors"))
        {
            TinyRun.SameTensors(file, parts.Saved("step_6", Path.GetFileName(file)));
        }
    }

    [Fact]
    public void Dropout_goes_on_where_it_was()
    {
        string[] settings = ["model.lora_dropout=0.3", "save_every_n_steps=3"];
        using TinyRun whole = new();
        Ends.Well(whole.Lora(settings));
        double[] losses = whole.Losses();
        Remove(Path.Combine(whole.Out, "step_6"));
        Ends.Well(whole.Lora([.. settings, "resume_from_checkpoint=True"]));
        Assert.Equal(losses, whole.Losses());
    }

    [Theory]
    [InlineData("lora")]
    [InlineData("full")]
    public async Task A_stopped_run_saves_says_so_and_goes_on(string recipe)
    {
        using TinyRun whole = new();
        using TinyRun stopped = new();
        string[] settings = ["epochs=4", "max_steps_per_epoch=10", "clip_grad_norm=1.0"];
        Ends.Well(Run(whole, recipe, settings));

        using CancellationTokenSource stop = new();
        Task watcher = Task.Run(() =>
        {
            string metrics = Path.Combine(stopped.Out, "metrics.jsonl");
            while (!File.Exists(metrics) || new FileInfo(metrics).Length == 0)
            {
                Thread.Sleep(1);
            }

            stop.Cancel();
        }, TestContext.Current.CancellationToken);
        CliResult result = recipe == "lora" ? stopped.Lora(stop.Token, settings) : stopped.Full(stop.Token, settings);
        await watcher.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        Assert.Equal(130, result.Code);
        Assert.DoesNotContain("error:", result.Error, StringComparison.Ordinal);
        int done = stopped.Losses().Length;
        Assert.InRange(done, 1, 39);
        Assert.Contains("go on with resume_from_checkpoint=True", result.Out, StringComparison.Ordinal);

        Ends.Well(Run(stopped, recipe, [.. settings, "resume_from_checkpoint=True"]));
        Assert.Equal(whole.Losses(), stopped.Losses());
        TinyRun.SameTensors(whole.Saved("epoch_3", "model.safetensors"), stopped.Saved("epoch_3", "model.safetensors"));
    }

    [Fact]
    public void A_run_that_was_stopped_before_its_first_step_saves_over_nothing()
    {
        using TinyRun run = new();
        Ends.Well(run.Lora());
        IReadOnlyDictionary<string, string> before = TinyRun.Contents(Path.Combine(run.Out, "epoch_0"));
        using CancellationTokenSource stop = new();
        stop.Cancel();
        CliResult result = run.Lora(stop.Token);
        Assert.Equal(130, result.Code);
        Assert.Contains("Stopped before the first step; nothing was saved.", result.Out, StringComparison.Ordinal);
        Assert.Equal(before, TinyRun.Contents(Path.Combine(run.Out, "epoch_0")));
    }

    [Fact]
    public void A_finished_run_that_is_resumed_trains_no_step_more()
    {
        using TinyRun run = new();
        Ends.Well(run.Lora());
        IReadOnlyDictionary<string, string> before = TinyRun.Contents(Path.Combine(run.Out, "epoch_0"));
        Ends.Well(run.Lora("resume_from_checkpoint=True"));
        Assert.Equal(6, run.Losses().Length);
        Assert.Equal(before, TinyRun.Contents(Path.Combine(run.Out, "epoch_0")));
    }

    [Fact]
    public void Nothing_to_resume_is_said()
    {
        using TinyRun run = new();
        Ends.Badly(run.Lora("resume_from_checkpoint=True"), 1, run.Out, "holds no save", "resume_from_checkpoint=False");
    }

    private static CliResult Run(TinyRun run, string recipe, params string[] settings) => recipe == "lora" ? run.Lora(settings) : run.Full(settings);

    private static void Remove(string entry)
    {
        if (Directory.Exists(entry))
        {
            Directory.Delete(entry, recursive: true);
        }
        else
        {
            File.Delete(entry);
        }
    }
}
