using FsCheck.Xunit;
using TorchSharp;
using TuneSharp.Generation;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Generation;

public sealed class SamplerTests
{
    /// <summary>log of the probabilities 0.5, 0.25, 0.15, 0.1, in another order.</summary>
    private static readonly double[] Probabilities = [0.15, 0.5, 0.1, 0.25];

    [Property(MaxTest = 40)]
    public void Temperature_zero_takes_the_likeliest(int seed)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(seed);
        Tensor logits = randn(5, 33);
        using Sampler sampler = new(new GenerationOptions { Temperature = 0, TopK = 3, TopP = 0.5 });
        Assert.Equal(logits.argmax(1).data<long>().ToArray(), sampler.Choose(logits).data<long>().ToArray());
    }

    [Property(MaxTest = 40)]
    public void Top_k_never_leaves_the_k_likeliest_and_top_p_never_the_nucleus(byte k, byte share, int seed)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(seed);
        Tensor logits = randn(1, 33).expand(200, 33);
        (int topK, double topP) = (1 + (k % 40), (1 + share) / 256.0);
        long[] ranked = logits[0].argsort(0, descending: true).data<long>().ToArray();
        double[] p = [.. logits[0].to(ScalarType.Float64).softmax(0).data<double>()];

        using Sampler byRank = new(new GenerationOptions { TopK = topK, Seed = seed });
        Assert.Subset(ranked.Take(topK).ToHashSet(), Chosen(byRank, logits));

        List<long> nucleus = [];
        double reached = 0;
        foreach (long id in ranked)
        {
            nucleus.Add(id);
            reached += p[id];
            if (reached > topP + 1e-6)
            {
                break;
            }
        }

        using Sampler byShare = new(new GenerationOptions { TopP = topP, Seed = seed });
        Assert.Subset(nucleus.ToHashSet(), Chosen(byShare, logits));
    }

    [Fact]
    public void Frequencies_are_the_probabilities() => Frequencies(new GenerationOptions { Seed = 1 }, Probabilities);

    [Fact]
    public void A_temperature_sharpens_and_flattens()
    {
        double[] squared = [.. Probabilities.Select(p => p * p)], rooted = [.. Probabilities.Select(Math.Sqrt)];
        Frequencies(new GenerationOptions { Seed = 2, Temperature = 0.5 }, squared);
        Frequencies(new GenerationOptions { Seed = 3, Temperature = 2 }, rooted);
    }

    [Fact]
    public void Top_k_keeps_the_proportions_of_what_it_keeps() => Frequencies(new GenerationOptions { Seed = 4, TopK = 2 }, [0, 0.5, 0, 0.25]);

    [Fact]
    public void Top_p_keeps_tokens_until_the_share_is_reached()
    {
        Frequencies(new GenerationOptions { Seed = 5, TopP = 0.6 }, [0, 0.5, 0, 0.25]);
        Frequencies(new GenerationOptions { Seed = 6, TopP = 0.8 }, [0.15, 0.5, 0, 0.25]);
        Frequencies(new GenerationOptions { Seed = 7, TopP = 0.01 }, [0, 1, 0, 0]); // the likeliest always stays
    }

    [Fact]
    public void A_seed_decides_all_choices()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor logits = randn(64, 50);
        long[] Draw(long? seed)
        {
            using Sampler sampler = new(new GenerationOptions { Seed = seed });
            return [.. sampler.Choose(logits).data<long>(), .. sampler.Choose(logits).data<long>()];
        }

        long[] first = Draw(11);
        randn(7); // the process's generator is not the one in use
        Assert.Equal(first, Draw(11));
        Assert.NotEqual(first, Draw(12));
        Assert.NotEqual(first[..64], first[64..]);
        Assert.NotEqual(Draw(null), Draw(null));
        Draw(-1);
    }

    [Theory]
    [InlineData(-0.1, null, null, "temperature is -0.1")]
    [InlineData(double.NaN, null, null, "temperature is NaN")]
    [InlineData(1.0, 0, null, "top_k is 0")]
    [InlineData(1.0, null, 0.0, "top_p is 0")]
    [InlineData(1.0, null, 1.5, "top_p is 1.5")]
    [InlineData(1.0, null, double.NaN, "top_p is NaN")]
    public void Settings_that_cannot_be_are_refused(double temperature, int? topK, double? topP, string words) =>
        Assert.Contains(words, Assert.Throws<ArgumentException>(
            () => new GenerationOptions { Temperature = temperature, TopK = topK, TopP = topP }.Checked()).Message);

    private static HashSet<long> Chosen(Sampler sampler, Tensor logits) => [.. sampler.Choose(logits).data<long>()];

    private static void Frequencies(GenerationOptions options, double[] weights)
    {
        using DisposeScope scope = NewDisposeScope();
        const int Draws = 40_000;
        Tensor logits = tensor(Probabilities).log().to(ScalarType.Float32).unsqueeze(0).expand(Draws, 4);
        using Sampler sampler = new(options);
        long[] ids = [.. sampler.Choose(logits).data<long>()];
        for (int id = 0; id < 4; id++)
        {
            double expected = weights[id] / weights.Sum(), seen = ids.Count(i => i == id) / (double)Draws;
            Assert.InRange(seen, expected - 0.0125, expected + 0.0125); // five standard deviations of a frequency of 0.5
            Assert.Equal(expected == 0, seen == 0);
        }
    }
}
