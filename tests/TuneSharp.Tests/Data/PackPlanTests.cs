using FsCheck;
using FsCheck.Xunit;
using TuneSharp.Data;

namespace TuneSharp.Tests.Data;

public sealed class PackPlanTests
{
    /// <summary>Lengths as chats have them: mostly short, some long (log-normal, cut at the pack).</summary>
    private static int[] Varied(int count, int size, int seed)
    {
        Random random = new(seed);
        double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        return [.. Enumerable.Range(0, count).Select(_ => Math.Clamp((int)Math.Exp(5.5 + (0.8 * Normal())), 1, size))];
    }

    private static PackPlan Plan(int[] lengths, int size, PackingStrategy strategy, bool split = false, int? maxPacks = null) =>
        PackPlan.Make(lengths.Length, i => lengths[i], size, split, strategy, maxPacks, i => $"sample {i + 1}");

    [Theory]
    [InlineData(2048, 20_000)]
    [InlineData(4096, 20_000)]
    [InlineData(2048, 1_000)]
    [InlineData(8192, 200_000)]
    public void Best_fit_fills_98_percent_and_greedy_less(int size, int count)
    {
        int[] lengths = Varied(count, size, seed: 1);
        double best = Plan(lengths, size, PackingStrategy.BestFit).Fill;
        Assert.InRange(best, 0.98, 1);
        Assert.True(Plan(lengths, size, PackingStrategy.Greedy).Fill < best);
    }

    [Fact]
    public void Best_fit_puts_each_into_the_fullest_pack_with_room()
    {
        PackPlan plan = Plan([3, 6, 4, 7, 5], 10, PackingStrategy.BestFit);
        Assert.Equal(3, plan.Count);
        Assert.Equal([new(0, 0, 3), new(3, 0, 7)], plan[0].ToArray());
        Assert.Equal([new(1, 0, 6), new(2, 0, 4)], plan[1].ToArray());
        Assert.Equal([new(4, 0, 5)], plan[2].ToArray());
    }

    [Fact]
    public void Best_fit_cuts_what_is_longer_than_a_pack_when_asked_to()
    {
        PackPlan plan = Plan([25, 5], 10, PackingStrategy.BestFit, split: true);
        Assert.Equal(3, plan.Count);
        Assert.Equal([new(0, 20, 5), new(1, 0, 5)], plan[2].ToArray());
        Assert.Contains("sample 1 is too long to pack (25 > 10 tokens)", Assert.Throws<DatasetException>(() => Plan([25, 5], 10, PackingStrategy.BestFit)).Message, StringComparison.Ordinal);
    }

    [Property]
    public bool Every_token_is_in_one_pack_and_no_pack_is_too_full(PositiveInt[] lengths, PositiveInt room, bool split, bool bestFit)
    {
        int[] given = [.. lengths.Select(l => l.Get)];
        int size = split ? room.Get : given.DefaultIfEmpty(0).Max() + room.Get;
        PackPlan plan = Plan(given, size, bestFit ? PackingStrategy.BestFit : PackingStrategy.Greedy, split);
        HashSet<(int, int)> seen = [];
        for (int p = 0; p < plan.Count; p++)
        {
            int sum = 0;
            foreach (PackPiece piece in plan[p])
            {
                sum += piece.Count;
                for (int i = 0; i < piece.Count; i++)
                {
                    if (!seen.Add((piece.Sample, piece.From + i)))
                    {
                        return false;
                    }
                }
            }

            if (sum == 0 || sum > size)
            {
                return false;
            }
        }

        return seen.Count == given.Sum() && seen.All(s => s.Item2 < given[s.Item1]);
    }

    [Fact]
    public void A_limit_on_packs_keeps_the_first() =>
        Assert.Equal(3, Plan(Varied(100, 512, 2), 512, PackingStrategy.BestFit, maxPacks: 3).Count);
}
