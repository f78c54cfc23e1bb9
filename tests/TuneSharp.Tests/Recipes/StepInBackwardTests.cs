using TorchSharp;
using TuneSharp.Data;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Recipes;
using TuneSharp.Tests.Modules;
using TuneSharp.Training;
using TuneSharp.Training.Optimizers;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Recipes;

public sealed class StepInBackwardTests
{
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Losses_and_weights_are_those_of_steps_after_the_backward_pass(bool checkpointed, bool tied)
    {
        (List<double> losses, Dictionary<string, Tensor> weights, int most) after = Train(false, checkpointed, tied), within = Train(true, checkpointed, tied);
        Assert.Equal(after.losses, within.losses);
        Assert.All(after.weights, w => Tiny.Same(w.Value, within.weights[w.Key]));
    }

    [Fact]
    public void Gradients_of_one_layer_at_a_time_are_held()
    {
        (_, _, int most) = Train(true, checkpointed: true, tied: false);
        Assert.InRange(most, 1, 9 + 3); // a layer's nine weights; head, last norm and embedding wait for the end
    }

    private static (List<double> Losses, Dictionary<string, Tensor> Weights, int MostGradients) Train(bool inBackward, bool checkpointed, bool tied)
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Tiny.Model(shape: Tiny.Shape with { TieWordEmbeddings = tied });
        model.train();
        model.Activations = checkpointed ? ActivationPolicy.Full : new ActivationPolicy();
        NamedParameter[] trained = [.. model.named_parameters().Select(p => new NamedParameter(p.name, p.parameter))];
        using AdamW optimizer = new(trained, lr: 0.01);
        LrSchedule schedule = LrSchedulers.GetCosineScheduleWithWarmup(optimizer, 2, 6);
        LinearCrossEntropyLoss loss = new();
        int most = 0;
        using StepInBackward? step = inBackward ? new(model, optimizer) : null;
        if (model.LayerDone is { } done)
        {
            model.LayerDone = layer =>
            {
                most = Math.Max(most, trained.Count(p => p.Value.grad is not null));
                done(layer);
            };
        }

        List<double> losses = [];
        for (int i = 0; i < 5; i++)
        {
            Tensor tokens = Tiny.Tokens(2, 20, seed: i);
            using Batch batch = new() { Tokens = tokens, Labels = tokens.clone(), NumTargets = 40, NumTokens = 40 };
            StepSums sums = step is null ? TrainStep.Backward(model, loss, [batch]) : step.Run(loss, batch, mean => Assert.True(double.IsFinite(mean)));
            Gradients.Scale(trained, sums.GradientScale);
            optimizer.Step();
            optimizer.ZeroGrad();
            schedule.Step();
            losses.Add(sums.MeanLoss);
        }

        return (losses, model.NamedParameters().ToDictionary(p => p.Key, p => p.Value.detach().clone().DetachFromDisposeScope(), StringComparer.Ordinal), most);
    }
}
