using TuneSharp.Native;

namespace TuneSharp.Kernels;

/// <summary>Root-mean-square norm over rows on a GPU: one launch each way. Formulas as in <see cref="FusedRmsNorm"/>.</summary>
internal static class GpuRmsNorm
{
    /// <summary>x·r·(weight + offset).</summary>
    /// <param name="x">[..., D].</param>
    /// <param name="weight">[D], of the same dtype.</param>
    /// <param name="eps">Added to the mean square.</param>
    /// <param name="offset">Added to the weight: 1 in Gemma's norms.</param>
    public static Tensor Forward(Tensor x, Tensor weight, double eps, double offset = 0) => Run(x, null, null, weight, eps, offset);

    /// <summary>s = x + d, and s·r·(weight + offset).</summary>
    /// <param name="x">[..., D].</param>
    /// <param name="d">The same shape.</param>
    /// <param name="weight">[D].</param>
    /// <param name="eps">Added to the mean square.</param>
    /// <param name="sum">Takes s; may be <paramref name="x"/> or <paramref name="d"/> itself.</param>
    /// <param name="offset">Added to the weight.</param>
    public static Tensor AddForward(Tensor x, Tensor d, Tensor weight, double eps, Tensor sum, double offset = 0) => Run(x, d, sum, weight, eps, offset);

    /// <summary>The gradients of x and, where it is wanted, of the weight.</summary>
    /// <param name="x">What was normed.</param>
    /// <param name="weight">[D].</param>
    /// <param name="gradient">Of the result, dense.</param>
    /// <param name="eps">Added to the mean square.</param>
    /// <param name="wantsWeight">Whether the weight's gradient is wanted.</param>
    /// <param name="offset">Added to the weight.</param>
    /// <param name="others">What x's gradient has from elsewhere, added to it; or null.</param>
    /// <param name="into">Takes x's gradient; may be any of the inputs but x. Null for a new tensor.</param>
    public static (Tensor X, Tensor? Weight) Backward(
        Tensor x, Tensor weight, Tensor gradient, double eps, bool wantsWeight, double offset = 0, Tensor? others = null, Tensor? into = null)
    {
        long width = weight.shape[0], rows = x.numel() / width;
        Tensor dx = into ?? empty_like(x);
        (int X, int Y) block = GpuKernel.RowBlock(width);
        long blocks = GpuKernel.Blocks(rows, block.Y);
        Tensor? parts = null;
        int shared = 0;
        if (wantsWeight)
        {
            blocks = Math.Min(blocks, 2L * CudaKernels.Processors);
            parts = empty([blocks, width], ScalarType.Float32, x.device);
            shared = checked((int)(block.Y * width * sizeof(float)));
        }

        GpuKernel.Run("RmsNorm", "rms_norm_backward_" + GpuKernel.Suffix(x.dtype, width), x.device, (blocks, 1), block,
        [
            GpuKernel.Address(x), GpuKernel.Address(weight), GpuKernel.Address(gradient), GpuKernel.Address(others), GpuKernel.Address(dx),
            GpuKernel.Address(parts), (ulong)rows, (ulong)width, GpuKernel.Float(eps), GpuKernel.Float(offset),
        ], shared);
        return (dx, parts?.sum(dim: 0).to(weight.dtype));
    }

    private static Tensor Run(Tensor x, Tensor? d, Tensor? sum, Tensor weight, double eps, double offset)
    {
        long width = weight.shape[0], rows = x.numel() / width;
        Tensor y = empty_like(x);
        (int X, int Y) block = GpuKernel.RowBlock(width);
        GpuKernel.Run("RmsNorm", "rms_norm_" + GpuKernel.Suffix(x.dtype, width), x.device, (GpuKernel.Blocks(rows, block.Y), 1), block,
        [
            GpuKernel.Address(x), GpuKernel.Address(d), GpuKernel.Address(weight), GpuKernel.Address(sum), GpuKernel.Address(y),
            (ulong)rows, (ulong)width, GpuKernel.Float(eps), GpuKernel.Float(offset),
        ]);
        return y;
    }
}
