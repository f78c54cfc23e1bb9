using TuneSharp.Training.Optimizers;

namespace TuneSharp.Training;

/// <summary>Sets the optimizer's learning rate to its first value times a factor that depends on the step.</summary>
/// <remarks>As torch's <c>LambdaLR</c>: creating it sets the rate of the first step, and <see cref="Step"/> follows each optimizer step.</remarks>
public sealed class LrSchedule
{
    private readonly Optimizer _optimizer;
    private readonly Func<long, double> _factor;
    private readonly double _base;

    /// <summary>Creates the schedule and sets the rate of the coming step.</summary>
    /// <param name="optimizer">Its rate when this is created is the base rate.</param>
    /// <param name="factor">Factor on the base rate for each step from 0.</param>
    /// <param name="lastEpoch">Last step already done; -1 for none, so a run resumed at step k gives k - 1.</param>
    public LrSchedule(Optimizer optimizer, Func<long, double> factor, long lastEpoch = -1)
    {
        if (lastEpoch < -1)
        {
            throw new ArgumentException($"last_epoch is {lastEpoch}; it is -1 for a new run, or the number of the last step done.");
        }

        _optimizer = optimizer;
        _factor = factor;
        _base = optimizer.Lr;
        StepCount = lastEpoch + 1;
        _optimizer.Lr = Lr;
    }

    /// <summary>Steps done.</summary>
    public long StepCount { get; private set; }

    /// <summary>Rate of the coming step.</summary>
    public double Lr => GetLr(StepCount);

    /// <summary>Moves to the next step's rate.</summary>
    public void Step()
    {
        StepCount++;
        _optimizer.Lr = Lr;
    }

    /// <summary>Rate at any step, for plots and forecasts.</summary>
    /// <param name="step">Step from 0.</param>
    public double GetLr(long step) => _base * _factor(step);
}
