using TuneSharp.Config;
using TuneSharp.Modules;
using TuneSharp.Recipes;

namespace TuneSharp.Tests.Recipes;

public sealed class MemoryTests
{
    [Fact]
    public void Every_change_that_saves_is_smaller_and_the_fewest_that_fit_are_taken()
    {
        MemoryInputs inputs = Inputs("llama3_1/8B_lora_single_device", "enable_activation_checkpointing=False");
        long now = MemoryEstimate.Of(inputs).Total;
        Assert.All(Remedies.For(inputs), r => Assert.True(r.After.Total < now));
        (IReadOnlyList<Remedy> one, bool fits) = Remedies.ToFit(inputs, now - 1);
        Assert.True(fits);
        Assert.Single(one);
        Assert.False(Remedies.ToFit(inputs, 1L << 30).Fits);
        Assert.Empty(Remedies.ToFit(inputs, now).Steps);
    }

    [Fact]
    public void More_tokens_more_memory_and_never_less()
    {
        long before = 0;
        foreach (int length in (int[])[256, 1024, 2048, 8192])
        {
            long total = MemoryEstimate.Of(Inputs("llama3_2/1B_full_single_device") with { Length = length }).Total;
            Assert.True(total >= before);
            before = total;
        }
    }

    [Fact]
    public void Running_out_of_memory_names_the_largest_holders_and_two_ways_out()
    {
        FinetuneConfig cfg = Load("llama3_1/8B_full_single_device", "optimizer_in_bwd=False");
        Exception cause = new System.Runtime.InteropServices.ExternalException("CUDA out of memory. Tried to allocate 2.00 GiB.");
        Assert.True(OutOfMemory.Is(cause));
        Assert.True(OutOfMemory.Is(new InvalidOperationException("x", cause)));
        Assert.False(OutOfMemory.Is(new InvalidOperationException("CUDA error: an illegal memory access was encountered")));
        TrainingException told = OutOfMemory.Explain(cause, cfg);
        Assert.Matches(@"No memory left on cuda: this run needs about [\d.]+ GiB\. Most is held by optimizer 29\.\d+, \w+ 14\.96, \w+ 14\.96\.", told.Message);
        Assert.Matches(@"Ways out: \S.* \([\d.]+ GiB; .*\), or \S.* \([\d.]+ GiB; ", told.Message);
        Assert.Same(cause, told.InnerException);
    }

    [Theory]
    [InlineData("enable_activation_checkpointing=True", RecomputedPart.Full, 1)]
    [InlineData("enable_activation_checkpointing=False", RecomputedPart.None, 1)]
    [InlineData("ac_mode=selective ac_option=2", RecomputedPart.Full, 2)]
    [InlineData("ac_mode=selective ac_option=op", RecomputedPart.AttnMlp, 1)]
    [InlineData("ac_mode=attn+mlp ac_option=3", RecomputedPart.AttnMlp, 3)]
    [InlineData("ac_mode=attn enable_activation_checkpointing=True", RecomputedPart.Attn, 1)]
    [InlineData("ac_mode=none enable_activation_checkpointing=True", RecomputedPart.None, 1)]
    public void Checkpointing_is_what_the_config_says(string words, RecomputedPart part, int every)
    {
        FinetuneConfig cfg = Load("llama3_2/1B_lora_single_device", words.Split(' '));
        cfg.Check();
        ActivationPolicy policy = cfg.Activations(64);
        Assert.Equal((part, every, 0L), (policy.Recompute, policy.EveryNth, policy.TileTokens));
    }

    [Fact]
    public void Checkpointing_that_cannot_be_is_refused_all_at_once()
    {
        FinetuneConfig cfg = Load(
            "llama3_2/1B_lora_single_device", "ac_mode=some", "ac_option=0", "enable_activation_offloading=True", "enable_activation_checkpointing=False");
        ConfigException refused = Assert.Throws<ConfigException>(cfg.Check);
        Assert.Equal(3, refused.Problems.Count);
        Assert.Contains("ac_mode is some", refused.Message, StringComparison.Ordinal);
        Assert.Contains("ac_option is 0", refused.Message, StringComparison.Ordinal);
        Assert.Contains("set enable_activation_checkpointing=True too", refused.Message, StringComparison.Ordinal);
    }

    private static FinetuneConfig Load(string name, params string[] overrides) => (FinetuneConfig)ConfigLoader.Load(
        name, RecipeRegistry.Find(ConfigCatalog.Find(name)!.Recipe!)!, ["device=cuda", "optimizer=torch.optim.AdamW", .. overrides]).Value;

    private static MemoryInputs Inputs(string name, params string[] overrides) => MemoryPlan.Read(Load(name, overrides), null);
}
