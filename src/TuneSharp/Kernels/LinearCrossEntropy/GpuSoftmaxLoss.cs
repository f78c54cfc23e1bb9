namespace TuneSharp.Kernels;

/// <summary>Cross-entropy of rows of logits and, in their place, its gradient, on a GPU and without waiting for it.</summary>
internal static class GpuSoftmaxLoss
{
    private const int Threads = 512; // two blocks on a multiprocessor: one reads while the other sums up

    /// <summary>No label: every target counts.</summary>
    public const int NoIgnored = int.MinValue;

    /// <summary>The rows' losses; a label beyond the vocabulary gives NaN.</summary>
    /// <param name="logits">[C, V], dense; holds the gradient afterwards if that is wanted.</param>
    /// <param name="targets">[C], int64, dense.</param>
    /// <param name="losses">[C], fp32; takes the losses.</param>
    /// <param name="wantsGradient">Whether to overwrite the logits.</param>
    /// <param name="options">Cap, smoothing, z-loss.</param>
    /// <param name="ignore">The label that does not count.</param>
    public static void Rows(
        Tensor logits, Tensor targets, Tensor losses, bool wantsGradient, SoftmaxLossOptions options = default, int ignore = NoIgnored)
    {
        long width = logits.shape[1];
        GpuKernel.Run("SoftmaxLoss", "softmax_loss_" + GpuKernel.Suffix(logits.dtype, width), logits.device, (logits.shape[0], 1), (Threads, 1),
        [
            GpuKernel.Address(logits), GpuKernel.Address(targets), GpuKernel.Address(losses), (ulong)width, unchecked((uint)ignore), wantsGradient ? 1UL : 0,
            GpuKernel.Float(options.LabelSmoothing), GpuKernel.Float(options.ZLoss), GpuKernel.Float(options.SoftCap),
        ]);
    }
}
