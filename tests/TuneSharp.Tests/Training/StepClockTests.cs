using TuneSharp.Training;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Training;

public sealed class StepClockTests
{
    [Fact]
    public void Speed_is_tokens_over_the_time_of_the_step()
    {
        FakeTime time = new();
        StepClock clock = new(time);
        time.Pass(2);
        clock.Tick(1000);
        Assert.Equal(500, clock.TokensPerSecond);
        Assert.Equal(500, clock.SmoothedTokensPerSecond);
        time.Pass(60); // a save
        clock.Restart();
        time.Pass(1);
        clock.Tick(1000);
        Assert.Equal((1, 1000.0), (clock.Seconds, clock.TokensPerSecond));
        Assert.Equal(550, clock.SmoothedTokensPerSecond, 1e-9);
    }

    [Fact]
    public void A_clock_that_stands_still_gives_a_finite_speed()
    {
        StepClock clock = new(new FakeTime());
        clock.Tick(10);
        Assert.True(double.IsFinite(clock.TokensPerSecond));
    }

    [Fact]
    public void Memory_of_the_process_is_told_and_its_peak_is_no_less()
    {
        MemoryUse memory = new(CPU);
        Assert.True(memory.UsedGiB() is > 0.01 and < 1000);
        Assert.True(memory.PeakGiB() >= memory.UsedGiB() * 0.5);
        double before = memory.PeakGiB()!.Value;
        using (ones(64, 1024, 1024))
        {
            Assert.True(memory.PeakGiB() >= before);
        }

        Assert.True(memory.PeakGiB() >= 0.25); // the 256 MiB above are gone, the peak stays
    }
}
