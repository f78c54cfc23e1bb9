using TuneSharp.Data;
using TuneSharp.Kernels;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Training;
using TuneSharp.Training.Optimizers;

namespace TuneSharp.Recipes;

/// <summary>
/// Takes the optimizer's step inside the backward pass: as soon as a layer's gradients are there they are used and dropped, so those of one
/// layer at a time are held. The same losses as with the step after it, to the last bit.
/// </summary>
internal sealed class StepInBackward : IDisposable
{
    private const string LayerPrefix = "layers.";

    private readonly TransformerDecoder _model;
    private readonly Optimizer _optimizer;
    private readonly HashSet<int>[] _ofLayer;
    private readonly HashSet<int> _rest = [];
    private double _scale;

    public StepInBackward(TransformerDecoder model, Optimizer optimizer)
    {
        (_model, _optimizer) = (model, optimizer);
        _ofLayer = [.. Enumerable.Range(0, model.Shape.NumLayers).Select(_ => new HashSet<int>())];
        for (int i = 0; i < optimizer.Parameters.Count; i++)
        {
            string[] parts = optimizer.Parameters[i].Name.Split('.', 3);
            bool layered = optimizer.Parameters[i].Name.StartsWith(LayerPrefix, StringComparison.Ordinal);
            (layered ? _ofLayer[int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture)] : _rest).Add(i);
        }

        model.LayerDone = Take;
    }

    /// <summary>Loss, backward pass and step of one micro-batch.</summary>
    /// <param name="loss">The loss.</param>
    /// <param name="read">The micro-batch.</param>
    /// <param name="check">Sees the loss before anything is changed; throws to stop.</param>
    public StepSums Run(ILoss loss, Batch read, Action<double> check)
    {
        using DisposeScope scope = NewDisposeScope();
        using Batch batch = read.To(_model.Device);
        Tensor hidden = _model.Hidden(batch.Tokens, batch.InputPos, mask: null, batch.SeqLens);
        Tensor sum = loss.Sum(_model, hidden, batch.Labels);
        StepSums sums = new(sum.item<float>(), batch.NumTargets, batch.NumTokens);
        check(sums.MeanLoss);
        _scale = sums.GradientScale;
        sum.backward();
        ActivationCheckpoint.ThrowIfFailed();
        foreach (HashSet<int> left in _ofLayer)
        {
            Take(left); // the first layer of a frozen embedding has no mark below it
        }

        Take(_rest);
        return sums;
    }

    /// <inheritdoc/>
    public void Dispose() => _model.LayerDone = null;

    private void Take(int layer) => Take(_ofLayer[layer]);

    private void Take(HashSet<int> chosen)
    {
        if (chosen.Count == 0)
        {
            return;
        }

        Gradients.Scale([.. chosen.Order().Select(i => _optimizer.Parameters[i])], _scale);
        _optimizer.Step(chosen);
        _optimizer.ZeroGrad(chosen);
    }
}
