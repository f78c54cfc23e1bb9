using TuneSharp.Data;
using TuneSharp.Generation;
using TuneSharp.Modules;
using TuneSharp.Training;
using TuneSharp.Training.Metrics;

namespace TuneSharp.Recipes;

/// <summary>All that a run shows and writes while it trains: progress line, metrics, samples, and the loss curve at the end.</summary>
internal sealed class RunLog : IDisposable
{
    private readonly FinetuneConfig _cfg;
    private readonly RunConsole _console;
    private readonly TransformerDecoder _model;
    private readonly long _stepsPerEpoch;
    private readonly IReadOnlyList<IMetricLogger> _loggers;
    private readonly ProgressLine _progress;
    private readonly StepClock _clock;
    private readonly MemoryUse _memory;

    public RunLog(
        FinetuneConfig cfg, RunConsole console, TransformerDecoder model, FinetuneData data, int seed, long firstStep, long lastStep)
    {
        (_cfg, _console, _model, _stepsPerEpoch) = (cfg, console, model, data.StepsPerEpoch);
        long all = model.parameters().Sum(p => p.numel());
        long trained = model.parameters().Where(p => p.requires_grad).Sum(p => p.numel());
        console.Line(FormattableString.Invariant(
            $"{all:N0} parameters, {trained:N0} trained ({100.0 * trained / all:0.##} %), {cfg.Dtype} on {model.Device}, seed {seed}."));
        console.Line(FormattableString.Invariant(
            $"{data.Size}; batch {cfg.BatchSize} x {cfg.GradientAccumulationSteps} accumulated = {data.StepsPerEpoch:N0} steps an epoch; steps {firstStep + 1:N0} to {lastStep:N0}."));
        MetricsFile always = new(cfg.OutputDir);
        always.LogConfig(Config.ConfigLoader.ToYaml(cfg));
        _loggers = cfg.MetricLogger is { } chosen ? [always, chosen.Build(cfg.OutputDir, console)] : [always];
        _progress = console.Progress(firstStep, lastStep);
        _clock = new StepClock(console.Time);
        _memory = new MemoryUse(model.Device);
    }

    /// <summary>Takes down an optimizer step.</summary>
    public void Step(long step, StepSums sums, double lr, double? gradNorm)
    {
        _clock.Tick(sums.NumTokens);
        int epoch = (int)((step - 1) / _stepsPerEpoch);
        _progress.Update(new StepReport(epoch, step, sums.MeanLoss, lr, _clock.SmoothedTokensPerSecond, _memory.UsedGiB()));
        if (step % _cfg.LogEveryNSteps != 0)
        {
            return;
        }

        List<(string, double)> values = [("loss", sums.MeanLoss), ("lr", lr), ("tokens_per_second_per_gpu", _clock.TokensPerSecond)];
        if (gradNorm is { } norm)
        {
            values.Add(("grad_norm", norm));
        }

        if (_cfg.LogPeakMemoryStats && _memory.PeakGiB() is { } peak)
        {
            values.Add((MemoryUse.PeakKey, peak));
        }

        Log(step, [.. values]);
    }

    /// <summary>Takes down a validation.</summary>
    public void Validation(long step, double loss)
    {
        Log(step, ("val_loss", loss));
        _console.Line(FormattableString.Invariant($"step {step}: val_loss {loss:0.####}"));
        _clock.Restart();
    }

    /// <summary>Answers the config's sample prompt, if it has one.</summary>
    public void Sample(string when, IModelTokenizer tokenizer)
    {
        if (_cfg.Sample is not { } sample)
        {
            return;
        }

        int[] prompt = tokenizer.TokenizeMessages([new Message(Role.User, sample.User), new Message(Role.Assistant, "")], inference: true).Tokens;
        GenerationOptions greedy = new() { Temperature = 0, MaxNewTokens = sample.MaxNewTokens, StopTokens = tokenizer.StopTokens };
        int[] answer = TextGenerator.Generate(_model, [prompt], greedy)[0];
        _console.Line($"{when}:  {sample.User}\n    {tokenizer.DecodeAnswer(answer).Trim().ReplaceLineEndings(" ")}");
    }

    /// <summary>Draws the loss curve and says where everything is.</summary>
    public void Finish(string? savedTo, bool stopped)
    {
        _progress.Dispose();
        if (savedTo is null)
        {
            _console.Line("Stopped before the first step; nothing was saved.");
            return;
        }

        string? curve = LossCurve.Draw(_cfg.OutputDir, Path.GetFileName(Path.GetFullPath(_cfg.OutputDir)));
        _console.Line(stopped ? $"Stopped. Saved to {savedTo}; go on with resume_from_checkpoint=True." : $"Saved to {savedTo}");
        _console.Line($"Metrics in {MetricsFile.PathIn(_cfg.OutputDir)}{(curve is null ? "" : ", loss curve in " + curve)}");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _progress.Dispose();
        foreach (IMetricLogger logger in _loggers)
        {
            logger.Dispose();
        }
    }

    private void Log(long step, params ReadOnlySpan<(string Name, double Value)> values)
    {
        foreach (IMetricLogger logger in _loggers)
        {
            logger.Log(step, values);
        }
    }
}
