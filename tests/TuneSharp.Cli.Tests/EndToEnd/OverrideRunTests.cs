using System.Globalization;
using TuneSharp.Checkpointing;
using TuneSharp.Config;
using TuneSharp.Training.Optimizers;

namespace TuneSharp.Cli.Tests.EndToEnd;

/// <summary>Overrides in all their spellings, seen in what a run does.</summary>
public class OverrideRunTests
{
    /// <summary>Every optimizer under torch's name, found in the program.</summary>
    public static TheoryData<string> Optimizers { get; } =
    [.. typeof(Optimizer).Assembly.GetTypes()
        .Where(t => t.IsSubclassOf(typeof(Optimizer)))
        .SelectMany(t => t.GetCustomAttributes(typeof(ComponentAttribute), inherit: false).Cast<ComponentAttribute>())
        .Select(a => a.Name)
        .Where(n => n.StartsWith("torch.optim.", StringComparison.Ordinal))
        .Order(StringComparer.Ordinal)];

    [Fact]
    public void There_are_torchs_optimizers() => Assert.Superset(
        new HashSet<string>(["AdamW", "Adam", "SGD", "RMSprop", "Adagrad", "NAdam", "Adafactor", "Muon"], StringComparer.Ordinal),
        new HashSet<string>(Optimizers.Select(o => o.Data["torch.optim.".Length..]), StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Optimizers))]
    public void Every_optimizer_trains_through_a_config(string name)
    {
        // Rates that suit the rules: SGD's gradient is small, Adadelta's unit is its own past step.
        double lr = name switch { "torch.optim.SGD" => 1, "torch.optim.Adadelta" => 50, _ => 1e-2 };
        using TinyRun run = new();
        Ends.Well(run.Lora(
            $"optimizer={{_component_: {name}}}", string.Create(CultureInfo.InvariantCulture, $"optimizer.lr={lr}"), "~lr_scheduler", "clip_grad_norm=1.0", "epochs=2"));
        double[] losses = run.Losses();
        Assert.True(losses[^1] < losses[0], string.Join(' ', losses));
    }

    [Fact]
    public void Both_spellings_mean_the_same()
    {
        using TinyRun ours = new();
        using TinyRun theirs = new();
        Ends.Well(ours.Lora("batch_size=2", "optimizer.lr=0.001", "model.lora_rank=8", "epochs=2"));
        Ends.Well(theirs.Lora("--train.batch_size", "2", "--optimizer.params.lr", "0.001", "lora_rank=8", "--train.num_epochs=2"));
        Assert.Equal(ours.Losses(), theirs.Losses());
        Assert.Equal(12, theirs.Losses().Length);
        using SafetensorsFile adapter = new(theirs.Saved("epoch_1", "adapter_model.safetensors"));
        Assert.All(adapter.Tensors.Values, t => Assert.Contains(8, t.Shape));
    }

    [Fact]
    public void A_swapped_optimizer_keeps_the_arguments_it_knows()
    {
        using TinyRun run = new();
        CliResult result = run.Lora("~optimizer.fused", "optimizer=torch.optim.SGD", "~lr_scheduler", "max_steps_per_epoch=2");
        Ends.Well(result);
        Assert.Contains("_component_: torch.optim.SGD", result.Out, StringComparison.Ordinal);
        Assert.Contains("lr: 0.005", result.Out, StringComparison.Ordinal);
        Assert.Equal([5e-3, 5e-3], run.Losses("lr"));
    }

    [Fact]
    public void A_removed_schedule_leaves_the_rate_alone()
    {
        using TinyRun with = new();
        using TinyRun without = new();
        Ends.Well(with.Lora());
        Ends.Well(without.Lora("~lr_scheduler"));
        Assert.Equal(0, with.Losses("lr")[0]);
        Assert.True(with.Losses("lr").Distinct().Count() > 3);
        Assert.All(without.Losses("lr"), lr => Assert.Equal(5e-3, lr));
    }

    [Fact]
    public void Targets_of_adapters_are_the_ones_that_the_command_line_names()
    {
        using TinyRun run = new();
        Ends.Well(run.Lora("lora_attn_modules=[q_proj,v_proj]", "apply_lora_to_mlp=False", "max_steps_per_epoch=2"));
        using SafetensorsFile adapter = new(run.Saved("epoch_0", "adapter_model.safetensors"));
        Assert.Equal(2 * 2 * 2, adapter.Tensors.Count); // layers x targets x (A, B)
        Assert.All(adapter.Tensors.Keys, k => Assert.True(k.Contains("q_proj", StringComparison.Ordinal) || k.Contains("v_proj", StringComparison.Ordinal), k));
    }
}
