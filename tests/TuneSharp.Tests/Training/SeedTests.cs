using TuneSharp.Training;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Training;

public sealed class SeedTests
{
    [Fact]
    public void One_seed_gives_one_stream_and_ranks_differ()
    {
        Assert.Equal(42, Seed.Set(42, 0));
        using Tensor first = randn(4);
        Assert.Equal(43, Seed.Set(42, 1));
        using Tensor other = randn(4);
        Seed.Set(42, 0);
        using Tensor again = randn(4);
        Assert.True(first.equal(again).all().item<bool>());
        Assert.False(first.equal(other).any().item<bool>());
    }

    [Fact]
    public void Without_a_seed_one_is_drawn() => Assert.NotEqual(Seed.Set(null, 0), Seed.Set(null, 0));

    [Fact]
    public void Derived_seeds_depend_on_seed_and_name_alone()
    {
        Seed.Set(7, 0);
        Assert.Equal(Seed.Derive(7, "sampler"), Seed.Derive("sampler"));
        Assert.NotEqual(Seed.Derive("sampler"), Seed.Derive("lora"));
        Assert.NotEqual(Seed.Derive(7, "sampler"), Seed.Derive(8, "sampler"));
        Assert.True(Enumerable.Range(0, 100).All(seed => Seed.Derive(seed, "x") >= 0));
    }
}
