using TuneSharp.Config;
using TuneSharp.Training.Optimizers;

namespace TuneSharp.Training;

/// <summary>The learning-rate schedules by name: torchtune's cosine and the others that transformers' users know.</summary>
/// <remarks>
/// Rates are those of <c>transformers.optimization</c>. Every builder takes the same three values from the recipe, used or not:
/// the optimizer, the number of training steps, and the last step done (-1 for none).
/// </remarks>
public static class LrSchedulers
{
    /// <summary>Linear warm-up, then half a cosine down to 0 (<paramref name="numCycles"/> 0.5).</summary>
    /// <param name="optimizer">The optimizer.</param>
    /// <param name="numWarmupSteps">Steps in which the rate rises from 0.</param>
    /// <param name="numTrainingSteps">All steps, warm-up included.</param>
    /// <param name="numCycles">Waves of the cosine.</param>
    /// <param name="lastEpoch">Last step done.</param>
    [Component("torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup")]
    [Component("torchtune.modules.get_cosine_schedule_with_warmup")] // its name before torchtune 0.4
    [Component("transformers.get_cosine_schedule_with_warmup")]
    public static LrSchedule GetCosineScheduleWithWarmup(
        [Runtime] Optimizer optimizer, long numWarmupSteps, [Runtime] long numTrainingSteps, double numCycles = 0.5, [Runtime] long lastEpoch = -1)
    {
        RequireWarmup(numWarmupSteps);
        return new LrSchedule(
            optimizer,
            step => step < numWarmupSteps
                ? Warmup(step, numWarmupSteps)
                : Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * numCycles * 2 * Progress(step, numWarmupSteps, numTrainingSteps)))),
            lastEpoch);
    }

    /// <summary>Linear warm-up, then several cosines, each from the full rate down to 0.</summary>
    /// <param name="optimizer">The optimizer.</param>
    /// <param name="numWarmupSteps">Steps in which the rate rises from 0.</param>
    /// <param name="numTrainingSteps">All steps, warm-up included.</param>
    /// <param name="numCycles">Number of restarts.</param>
    /// <param name="lastEpoch">Last step done.</param>
    [Component("torchtune.training.lr_schedulers.get_cosine_with_hard_restarts_schedule_with_warmup")]
    [Component("transformers.get_cosine_with_hard_restarts_schedule_with_warmup")]
    public static LrSchedule GetCosineWithHardRestartsScheduleWithWarmup(
        [Runtime] Optimizer optimizer, long numWarmupSteps, [Runtime] long numTrainingSteps, int numCycles = 1, [Runtime] long lastEpoch = -1)
    {
        RequireWarmup(numWarmupSteps);
        double Factor(long step)
        {
            if (step < numWarmupSteps)
            {
                return Warmup(step, numWarmupSteps);
            }

            double progress = Progress(step, numWarmupSteps, numTrainingSteps);
            return progress >= 1 ? 0 : Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * (numCycles * progress % 1.0))));
        }

        return new LrSchedule(optimizer, Factor, lastEpoch);
    }

    /// <summary>Linear warm-up, then a straight line down to 0.</summary>
    /// <param name="optimizer">The optimizer.</param>
    /// <param name="numWarmupSteps">Steps in which the rate rises from 0.</param>
    /// <param name="numTrainingSteps">All steps, warm-up included.</param>
    /// <param name="lastEpoch">Last step done.</param>
    [Component("torchtune.training.lr_schedulers.get_linear_schedule_with_warmup")]
    [Component("transformers.get_linear_schedule_with_warmup")]
    public static LrSchedule GetLinearScheduleWithWarmup(
        [Runtime] Optimizer optimizer, long numWarmupSteps, [Runtime] long numTrainingSteps, [Runtime] long lastEpoch = -1)
    {
        RequireWarmup(numWarmupSteps);
        return new LrSchedule(
            optimizer,
            step => step < numWarmupSteps
                ? Warmup(step, numWarmupSteps)
                : Math.Max(0, (double)(numTrainingSteps - step) / Math.Max(1, numTrainingSteps - numWarmupSteps)),
            lastEpoch);
    }

    /// <summary>The optimizer's own rate throughout.</summary>
    /// <param name="optimizer">The optimizer.</param>
    /// <param name="numTrainingSteps">All steps; not used.</param>
    /// <param name="lastEpoch">Last step done.</param>
    [Component("torchtune.training.lr_schedulers.get_constant_schedule")]
    [Component("transformers.get_constant_schedule")]
    public static LrSchedule GetConstantSchedule([Runtime] Optimizer optimizer, [Runtime] long numTrainingSteps, [Runtime] long lastEpoch = -1) =>
        new(optimizer, _ => 1, lastEpoch);

    /// <summary>Linear warm-up, then the optimizer's own rate.</summary>
    /// <param name="optimizer">The optimizer.</param>
    /// <param name="numWarmupSteps">Steps in which the rate rises from 0.</param>
    /// <param name="numTrainingSteps">All steps; not used.</param>
    /// <param name="lastEpoch">Last step done.</param>
    [Component("torchtune.training.lr_schedulers.get_constant_schedule_with_warmup")]
    [Component("transformers.get_constant_schedule_with_warmup")]
    public static LrSchedule GetConstantScheduleWithWarmup(
        [Runtime] Optimizer optimizer, long numWarmupSteps, [Runtime] long numTrainingSteps, [Runtime] long lastEpoch = -1)
    {
        RequireWarmup(numWarmupSteps);
        return new LrSchedule(optimizer, step => step < numWarmupSteps ? Warmup(step, numWarmupSteps) : 1, lastEpoch);
    }

    /// <summary>Linear warm-up, then a polynomial down to <paramref name="lrEnd"/>.</summary>
    /// <param name="optimizer">The optimizer; its rate must exceed <paramref name="lrEnd"/>.</param>
    /// <param name="numWarmupSteps">Steps in which the rate rises from 0.</param>
    /// <param name="numTrainingSteps">All steps, warm-up included.</param>
    /// <param name="lrEnd">Rate at the end and after it.</param>
    /// <param name="power">Exponent; 1 is a straight line.</param>
    /// <param name="lastEpoch">Last step done.</param>
    [Component("torchtune.training.lr_schedulers.get_polynomial_decay_schedule_with_warmup")]
    [Component("transformers.get_polynomial_decay_schedule_with_warmup")]
    public static LrSchedule GetPolynomialDecayScheduleWithWarmup(
        [Runtime] Optimizer optimizer, long numWarmupSteps, [Runtime] long numTrainingSteps, double lrEnd = 1e-7, double power = 1,
        [Runtime] long lastEpoch = -1)
    {
        RequireWarmup(numWarmupSteps);
        double start = optimizer.Lr;
        if (start <= lrEnd)
        {
            throw new ArgumentException(string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"lr_end is {lrEnd}, but the optimizer starts at lr {start}. Set lr_end below lr."));
        }

        double Factor(long step)
        {
            if (step < numWarmupSteps)
            {
                return Warmup(step, numWarmupSteps);
            }

            if (step > numTrainingSteps)
            {
                return lrEnd / start;
            }

            double left = 1 - ((double)(step - numWarmupSteps) / Math.Max(1, numTrainingSteps - numWarmupSteps));
            return (((start - lrEnd) * Math.Pow(left, power)) + lrEnd) / start;
        }

        return new LrSchedule(optimizer, Factor, lastEpoch);
    }

    /// <summary>Warm-up, a stable stretch at the optimizer's own rate, then decay.</summary>
    /// <param name="optimizer">The optimizer.</param>
    /// <param name="numWarmupSteps">Steps of the rise.</param>
    /// <param name="numDecaySteps">Steps of the decay.</param>
    /// <param name="numTrainingSteps">All steps.</param>
    /// <param name="numStableSteps">Steps between; null for what warm-up and decay leave of all steps.</param>
    /// <param name="warmupType">Shape of the rise: <c>linear</c>, <c>cosine</c> or <c>1-sqrt</c>.</param>
    /// <param name="decayType">Shape of the decay: the same three.</param>
    /// <param name="minLrRatio">Lowest factor, at the start of the rise and the end of the decay.</param>
    /// <param name="numCycles">Waves of a cosine decay.</param>
    /// <param name="lastEpoch">Last step done.</param>
    [Component("torchtune.training.lr_schedulers.get_wsd_schedule")]
    [Component("transformers.get_wsd_schedule")]
    public static LrSchedule GetWsdSchedule(
        [Runtime] Optimizer optimizer, long numWarmupSteps, long numDecaySteps, [Runtime] long numTrainingSteps, long? numStableSteps = null,
        string warmupType = "linear", string decayType = "cosine", double minLrRatio = 0, double numCycles = 0.5, [Runtime] long lastEpoch = -1)
    {
        RequireWarmup(numWarmupSteps);
        RequireShape("warmup_type", warmupType);
        RequireShape("decay_type", decayType);
        long stableEnd = numStableSteps is { } stable ? numWarmupSteps + stable : numTrainingSteps - numDecaySteps;
        if (numDecaySteps < 0 || stableEnd < numWarmupSteps)
        {
            throw new ArgumentException(
                $"num_warmup_steps {numWarmupSteps} and num_decay_steps {numDecaySteps} do not fit into {numTrainingSteps} training steps. Lower one of them.");
        }

        double Floor(double factor) => Math.Max(0, (factor * (1 - minLrRatio)) + minLrRatio);
        double Factor(long step)
        {
            if (step < numWarmupSteps)
            {
                double rise = Warmup(step, numWarmupSteps);
                return Floor(warmupType switch
                {
                    "linear" => rise,
                    "cosine" => 0.5 * (1 - Math.Cos(Math.PI * rise)),
                    _ => 1 - Math.Sqrt(1 - rise),
                });
            }

            if (step < stableEnd)
            {
                return 1;
            }

            if (step >= stableEnd + numDecaySteps)
            {
                return minLrRatio;
            }

            double fall = (double)(step - stableEnd) / Math.Max(1, numDecaySteps);
            return Floor(decayType switch
            {
                "linear" => 1 - fall,
                "cosine" => 0.5 * (1 + Math.Cos(Math.PI * numCycles * 2 * fall)),
                _ => 1 - Math.Sqrt(fall),
            });
        }

        return new LrSchedule(optimizer, Factor, lastEpoch);
    }

    private static double Warmup(long step, long warmup) => (double)step / Math.Max(1, warmup);

    private static double Progress(long step, long warmup, long total) => (double)(step - warmup) / Math.Max(1, total - warmup);

    private static void RequireWarmup(long steps)
    {
        if (steps < 0)
        {
            throw new ArgumentException($"num_warmup_steps is {steps}; it must be at least 0.");
        }
    }

    private static void RequireShape(string key, string shape)
    {
        if (shape is not ("linear" or "cosine" or "1-sqrt"))
        {
            throw new ArgumentException($"{key} is {shape}; it must be linear, cosine or 1-sqrt.");
        }
    }
}
