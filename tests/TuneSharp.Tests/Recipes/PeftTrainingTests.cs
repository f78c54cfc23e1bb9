using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Data;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Modules.Peft;
using TuneSharp.Recipes;
using TuneSharp.Training;
using TuneSharp.Training.Optimizers;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Recipes;

/// <summary>Twenty steps of training give the losses, norms, rates and adapters that PEFT and torch gave.</summary>
public sealed class PeftTrainingTests
{
    private const double Tolerance = 1e-4; // relative; the reference's own eager and sdpa paths differ by 1e-6

    public static TheoryData<string> Folders() =>
    [
        .. Directory.EnumerateDirectories(Repo.Golden(""), "peft_*").Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(Folders))]
    public void Twenty_steps_equal_PEFT(string folder)
    {
        using DisposeScope scope = NewDisposeScope();
        using SafetensorsFile io = new(Repo.Golden(folder + "/io.safetensors"));
        using TransformerDecoder model = AdapterModel.Load(Repo.Golden(folder + "/base"), Repo.Golden(folder + "/adapter"));
        NamedParameter[] trained = [.. Adapters.FreezeAllBut(model).Select(a => new NamedParameter(a.Key, a.Value))];
        using AdamW optimizer = new(trained, lr: 5e-3, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.01);
        LrSchedule schedule = LrSchedulers.GetCosineScheduleWithWarmup(optimizer, 3, 20);
        LinearCrossEntropyLoss loss = new();
        float[] losses = io.Read("train.loss").data<float>().ToArray();
        float[] norms = io.Read("train.grad_norm").data<float>().ToArray();
        double[] rates = [.. io.Read("train.lr").to(ScalarType.Float64).data<double>()];
        model.train();
        for (int step = 0; step < losses.Length; step++)
        {
            Tensor ids = io.Read("train.input_ids")[step].to(ScalarType.Int64).clone();
            Tensor labels = io.Read("train.labels")[step].to(ScalarType.Int64);
            Tensor shifted = cat([labels.narrow(1, 1, labels.shape[1] - 1), full([labels.shape[0], 1], -100L, dtype: ScalarType.Int64)], 1);
            long targets = shifted.ne(-100).sum().item<long>();
            StepSums sums = TrainStep.Backward(
                model, loss, [new Batch { Tokens = ids, Labels = shifted, NumTargets = targets, NumTokens = ids.numel() }]);
            Gradients.Scale(trained, sums.GradientScale);
            double norm = Gradients.Clip(trained, 1.0);

            Near(losses[step], sums.MeanLoss, $"loss of step {step}");
            Near(norms[step], norm, $"norm of step {step}");
            Near(rates[step], optimizer.Lr, $"rate of step {step}");
            optimizer.Step();
            optimizer.ZeroGrad();
            schedule.Step();
        }

        foreach (string name in io.Tensors.Keys.Where(k => k.StartsWith("train.final.", StringComparison.Ordinal)))
        {
            MappedName mapped = model.Weights.ToModel(name["train.final.".Length..])!.Value;
            Tensor ours = model.NamedParameters()[mapped.Name];
            Tensor theirs = mapped.Apply(io.Read(name));
            double relative = (ours - theirs).norm().item<float>() / theirs.norm().item<float>();
            Assert.True(relative < 1e-3, $"{name} differs by {relative:E2}"); // twenty steps of AdamW amplify rounding where gradients are tiny
        }
    }

    private static void Near(double expected, double actual, string what) =>
        Assert.True(Math.Abs(expected - actual) <= Tolerance * Math.Max(Math.Abs(expected), 1e-12), $"{what}: expected {expected}, got {actual}");
}
