using TuneSharp.Data;
using TuneSharp.Kernels;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;

namespace TuneSharp.Recipes;

/// <summary>Sums over the micro-batches of one optimizer step.</summary>
/// <param name="LossSum">Loss summed over learned tokens.</param>
/// <param name="NumTargets">Learned tokens.</param>
/// <param name="NumTokens">Real tokens.</param>
internal readonly record struct StepSums(double LossSum, long NumTargets, long NumTokens)
{
    /// <summary>Mean loss per learned token.</summary>
    public double MeanLoss => LossSum / Math.Max(1, NumTargets);

    /// <summary>What gradients of a summed loss are multiplied by.</summary>
    public double GradientScale => 1.0 / Math.Max(1, NumTargets);
}

/// <summary>The forward and backward passes of one optimizer step.</summary>
internal static class TrainStep
{
    /// <summary>
    /// Adds the gradients of the summed loss of all micro-batches. Dividing once by the tokens of the whole step lets short and
    /// long micro-batches weigh by their length, so accumulation does not change the result.
    /// </summary>
    public static StepSums Backward(TransformerDecoder model, ILoss loss, IReadOnlyList<Batch> microBatches)
    {
        StepSums sums = default;
        foreach (Batch read in microBatches)
        {
            using DisposeScope scope = NewDisposeScope();
            using Batch batch = read.To(model.Device);
            Tensor hidden = Hidden(model, batch);
            Tensor sum = loss.Sum(model, hidden, batch.Labels);
            if (model.Balance is { Coefficient: > 0 } balance)
            {
                // A mean over rows beside a sum over targets: it weighs as much as the targets that are summed.
                sum = sum + (balance.Loss(hidden) * (balance.Coefficient * batch.NumTargets));
            }

            sum.backward();
            ActivationCheckpoint.ThrowIfFailed();
            sums = new(sums.LossSum + sum.item<float>(), sums.NumTargets + batch.NumTargets, sums.NumTokens + batch.NumTokens);
        }

        return sums;
    }

    /// <summary>What the model gives for a batch, before the head.</summary>
    /// <exception cref="DatasetException">A label is no class of the model.</exception>
    public static Tensor Hidden(TransformerDecoder model, Batch batch)
    {
        if (model.Shape.NumClasses > 0 && batch.MaxLabel >= model.Shape.NumClasses)
        {
            throw new DatasetException(
                $"A row has the class {batch.MaxLabel}, and the model has classes 0 to {model.Shape.NumClasses - 1}. Set num_classes (num_labels in " +
                "config.json) to the number of classes, or mend the labels. For text without classes choose a model that predicts tokens.");
        }

        IReadOnlyList<int[]>? seqLens = model.Shape.Bidirectional ? batch.SeqLensWithPadding : batch.SeqLens;
        return model.Hidden(batch.Tokens, batch.InputPos, mask: null, seqLens);
    }
}
