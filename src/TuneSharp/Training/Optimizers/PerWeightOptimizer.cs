namespace TuneSharp.Training.Optimizers;

/// <summary>An optimizer that updates one weight after the other: for those without a fused kernel.</summary>
public abstract class PerWeightOptimizer : Optimizer
{
    private readonly double _l2;
    private readonly bool _maximize;

    /// <summary>Creates it.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="l2">Weight of the L2 term that joins each gradient; 0 where decay is decoupled.</param>
    /// <param name="maximize">Climb instead of descend.</param>
    private protected PerWeightOptimizer(IReadOnlyList<NamedParameter> parameters, double lr, double l2, bool maximize)
        : base(parameters, lr) => (_l2, _maximize) = (l2, maximize);

    /// <summary>Updates one weight in place.</summary>
    /// <param name="index">Index into <see cref="Optimizer.Parameters"/>.</param>
    /// <param name="weight">The weight.</param>
    /// <param name="grad">Its gradient, sign and L2 term settled; not to be changed.</param>
    private protected abstract void Update(int index, Tensor weight, Tensor grad);

    private protected sealed override void Update()
    {
        for (int k = 0; k < ActiveIndices.Count; k++)
        {
            using DisposeScope scope = NewDisposeScope(); // the temporaries of one weight at a time
            (Tensor weight, Tensor grad) = (ActiveWeights[k], ActiveGradients[k]);
            if (_maximize)
            {
                grad = grad.neg();
            }

            if (_l2 != 0)
            {
                grad = grad.add(weight, _l2);
            }

            Update(ActiveIndices[k], weight, grad);
        }
    }

    /// <summary>mean ← decay·mean + (1 - decay)·grad, in place.</summary>
    private protected static void Average(Tensor mean, Tensor grad, double decay) => mean.mul_(decay).add_(grad, 1 - decay);

    /// <summary>mean ← decay·mean + (1 - decay)·grad², in place.</summary>
    private protected static void AverageSquare(Tensor mean, Tensor grad, double decay) => mean.mul_(decay).addcmul_(grad, grad, 1 - decay);

    /// <summary>Bytes of a whole copy of a weight.</summary>
    private protected static long BytesOf(Tensor weight) => weight.numel() * weight.element_size();
}
