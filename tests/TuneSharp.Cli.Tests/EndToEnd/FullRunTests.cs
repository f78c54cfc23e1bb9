using TuneSharp.Checkpointing;

namespace TuneSharp.Cli.Tests.EndToEnd;

/// <summary><c>tune run full_finetune_single_device</c>, whole.</summary>
public class FullRunTests
{
    [Fact]
    public void A_run_learns_and_leaves_a_whole_model()
    {
        using TinyRun run = new();
        Ends.Well(run.Full("max_steps_per_epoch=10"));
        double[] losses = run.Losses();
        Assert.Equal(10, losses.Length);
        Assert.True(losses[^1] < losses[0] - 0.2, string.Join(' ', losses));
        foreach (string file in (string[])["model.safetensors", "config.json", "tokenizer.json", "recipe_state.safetensors"])
        {
            Assert.True(File.Exists(run.Saved("epoch_0", file)), file + " is missing");
        }

        Assert.False(File.Exists(run.Saved("epoch_0", "adapter_config.json")));
        using SafetensorsFile before = new(Path.Combine(run.Model, "model.safetensors"));
        using SafetensorsFile after = new(run.Saved("epoch_0", "model.safetensors"));
        Assert.Equal(before.Tensors.Keys.Order(StringComparer.Ordinal), after.Tensors.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_model_from_nothing_needs_no_weights()
    {
        using TinyRun run = new();
        File.Delete(Path.Combine(run.Model, "model.safetensors"));
        Ends.Well(run.Full("from_scratch=True", "max_steps_per_epoch=8"));
        double[] losses = run.Losses();
        Assert.True(losses[^1] < losses[0], string.Join(' ', losses));
        using SafetensorsFile after = new(run.Saved("epoch_0", "model.safetensors"));
        Assert.Contains("lm_head.weight", after.Tensors.Keys);
    }

    [Fact]
    public void Activation_checkpointing_changes_no_bit()
    {
        using TinyRun plain = new("llama3_2_tied");
        using TinyRun saving = new("llama3_2_tied");
        Ends.Well(plain.Full("enable_activation_checkpointing=False"));
        Ends.Well(saving.Full("enable_activation_checkpointing=True"));
        Assert.Equal(plain.Losses(), saving.Losses());
        TinyRun.SameTensors(plain.Saved("epoch_0", "model.safetensors"), saving.Saved("epoch_0", "model.safetensors"));
    }

    [Fact]
    public void Accumulation_does_not_change_the_losses()
    {
        using TinyRun whole = new();
        using TinyRun parts = new();
        Ends.Well(whole.Full("clip_grad_norm=1.0"));
        Ends.Well(parts.Full("clip_grad_norm=1.0", "batch_size=1", "gradient_accumulation_steps=4"));
        Assert.All(whole.Losses().Zip(parts.Losses()), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        Assert.Equal(6, parts.Losses().Length);
    }

    [Fact]
    public void What_it_saved_is_what_a_next_run_starts_from()
    {
        using TinyRun run = new();
        Ends.Well(run.Full());
        double last = run.Losses()[^1];
        string first = run.Out;
        run.Out = Path.Combine(run.Root, "again");
        Ends.Well(run.Full($"checkpointer.checkpoint_dir={Path.Combine(first, "epoch_0")}", "max_steps_per_epoch=1"));
        Assert.True(run.Losses()[0] < last + 0.3, $"{run.Losses()[0]} after {last}");
    }
}
