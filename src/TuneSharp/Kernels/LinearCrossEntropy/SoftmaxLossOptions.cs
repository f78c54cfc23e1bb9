namespace TuneSharp.Kernels;

/// <summary>What a cross-entropy does besides −log softmax(z)[y]. The default does nothing besides.</summary>
/// <param name="SoftCap">c: logits become c·tanh(z/c) first (Gemma 2, https://arxiv.org/abs/2408.00118); 0 for none.</param>
/// <param name="LabelSmoothing">ε: the target is 1−ε at the label plus ε/V everywhere (https://arxiv.org/abs/1512.00567).</param>
/// <param name="ZLoss">λ: λ·(log Σe^z)² is added, which keeps logits from drifting (https://arxiv.org/abs/2204.02311).</param>
public readonly record struct SoftmaxLossOptions(double SoftCap = 0, double LabelSmoothing = 0, double ZLoss = 0)
{
    /// <summary>Says what cannot be.</summary>
    /// <exception cref="ArgumentException">The first mistake, with its value.</exception>
    public SoftmaxLossOptions Checked()
    {
        if (LabelSmoothing is not (>= 0 and < 1))
        {
            throw new ArgumentException(FormattableString.Invariant($"label_smoothing is {LabelSmoothing}; it must lie in [0, 1)."));
        }

        if (!(ZLoss >= 0 && double.IsFinite(ZLoss)))
        {
            throw new ArgumentException(FormattableString.Invariant($"z_loss is {ZLoss}; it must be zero or a small positive number, such as 1e-4."));
        }

        return SoftCap >= 0 && double.IsFinite(SoftCap)
            ? this
            : throw new ArgumentException(FormattableString.Invariant($"The cap on logits is {SoftCap}; it must be positive, or 0 for none."));
    }
}
