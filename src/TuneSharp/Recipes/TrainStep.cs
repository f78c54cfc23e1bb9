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
            Tensor hidden = model.Hidden(batch.Tokens, batch.InputPos, mask: null, batch.SeqLens);
            Tensor sum = loss.Sum(model, hidden, batch.Labels);
            sum.backward();
            ActivationCheckpoint.ThrowIfFailed();
            sums = new(sums.LossSum + sum.item<float>(), sums.NumTargets + batch.NumTargets, sums.NumTokens + batch.NumTokens);
        }

        return sums;
    }
}
