using TorchSharp;
using TuneSharp.Training;
using TuneSharp.Training.Optimizers;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Training;

public sealed class LrScheduleTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly AdamW _optimizer;

    public LrScheduleTests() => _optimizer = new AdamW([new("w", new(zeros(2)))], lr: 0.01);

    public static TheoryData<string> Names =>
        ["cosine", "linear", "constant_with_warmup", "cosine_with_restarts", "polynomial", "wsd"];

    [Theory]
    [MemberData(nameof(Names))]
    public void Rates_equal_the_reference(string name)
    {
        float[] expected = GoldenTensors.Read(Repo.Golden("optim/io.safetensors"))["schedule." + name].data<float>().ToArray();
        LrSchedule schedule = Create(name, -1);
        foreach (float rate in expected)
        {
            Assert.Equal(rate, schedule.Lr, 1e-7);
            Assert.Equal(schedule.Lr, _optimizer.Lr);
            schedule.Step();
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_resumed_schedule_goes_on_where_it_stood(string name)
    {
        LrSchedule whole = Create(name, -1);
        _optimizer.Lr = 0.01;
        LrSchedule resumed = Create(name, lastEpoch: 11);
        Assert.Equal(12, resumed.StepCount);
        for (int step = 12; step < 40; step++)
        {
            Assert.Equal(whole.GetLr(step), resumed.Lr);
            resumed.Step();
        }
    }

    [Fact]
    public void The_constant_schedule_keeps_the_rate()
    {
        LrSchedule schedule = LrSchedulers.GetConstantSchedule(_optimizer, 10);
        schedule.Step();
        Assert.Equal(0.01, _optimizer.Lr);
    }

    [Fact]
    public void Rates_out_of_range_are_refused_with_their_value()
    {
        Assert.Contains("-3", Assert.Throws<ArgumentException>(() => LrSchedulers.GetLinearScheduleWithWarmup(_optimizer, -3, 30)).Message);
        Assert.Contains("0.5", Assert.Throws<ArgumentException>(
            () => LrSchedulers.GetPolynomialDecayScheduleWithWarmup(_optimizer, 5, 30, lrEnd: 0.5)).Message);
        Assert.Contains("sine", Assert.Throws<ArgumentException>(() => LrSchedulers.GetWsdSchedule(_optimizer, 5, 10, 30, decayType: "sine")).Message);
        Assert.Contains("30", Assert.Throws<ArgumentException>(() => LrSchedulers.GetWsdSchedule(_optimizer, 25, 10, 30)).Message);
        Assert.Contains("-2", Assert.Throws<ArgumentException>(() => LrSchedulers.GetConstantSchedule(_optimizer, 10, -2)).Message);
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _scope.Dispose();
    }

    private LrSchedule Create(string name, long lastEpoch) => name switch
    {
        "cosine" => LrSchedulers.GetCosineScheduleWithWarmup(_optimizer, 5, 30, lastEpoch: lastEpoch),
        "linear" => LrSchedulers.GetLinearScheduleWithWarmup(_optimizer, 5, 30, lastEpoch),
        "constant_with_warmup" => LrSchedulers.GetConstantScheduleWithWarmup(_optimizer, 5, 30, lastEpoch),
        "cosine_with_restarts" => LrSchedulers.GetCosineWithHardRestartsScheduleWithWarmup(_optimizer, 5, 30, 2, lastEpoch),
        "polynomial" => LrSchedulers.GetPolynomialDecayScheduleWithWarmup(_optimizer, 5, 30, 1e-4, 2, lastEpoch),
        _ => LrSchedulers.GetWsdSchedule(_optimizer, 5, 10, 30, lastEpoch: lastEpoch),
    };
}
