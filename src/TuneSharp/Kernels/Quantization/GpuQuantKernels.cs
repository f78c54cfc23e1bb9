using TuneSharp.Native;

namespace TuneSharp.Kernels;

/// <summary>4-bit weights back to numbers in one pass on a GPU, and Adam's steps with 8-bit states.</summary>
internal sealed class GpuQuantKernels : IQuantKernels
{
    private const int Threads = 256;
    private const int GroupsPerThread = 4; // of eight weights each

    /// <inheritdoc/>
    public bool Encode(Tensor x, CodeBook book, int block, Tensor codes, Tensor absmax) => false; // once a run: libtorch's operators do

    /// <inheritdoc/>
    public bool Decode(Tensor codes, Tensor absmax, CodeBook book, int block, Tensor y)
    {
        if (book.Values.Length != 16 || absmax.dtype != ScalarType.Float32)
        {
            return false;
        }

        return Run(codes, absmax, null, 0, book, block, y);
    }

    /// <inheritdoc/>
    public bool Dequantize(QuantizedTensor weight, Tensor y) =>
        weight.Format.Type is QuantType.Nf4 or QuantType.Fp4
        && Run(weight.Codes, weight.Absmax, weight.NestedAbsmax, weight.Offset, CodeBook.Of(weight.Format.Type), weight.Format.BlockSize, y);

    /// <inheritdoc/>
    public bool Step(in Blockwise8Step step)
    {
        if (step.Rule != Rule8.Adam || !GpuKernel.Fits(step.Weight) || !step.Gradient.is_contiguous() || step.Gradient.dtype != step.Weight.dtype)
        {
            return false;
        }

        Device device = step.Weight.device;
        (Tensor first, Tensor firstBounds, _) = CodeBook.Dynamic.On(device);
        (Tensor second, Tensor secondBounds, _) = CodeBook.DynamicUnsigned.On(device);
        long count = step.Weight.numel();
        GpuKernel.Run(
            "Quantize", "adam8_" + GpuKernel.Suffix(step.Weight.dtype), device,
            (Math.Min(GpuKernel.Blocks(count, Blockwise8Step.Block), 8L * CudaKernels.Processors), 1), (Blockwise8Step.Block, 1),
            [
                GpuKernel.Address(step.Weight), GpuKernel.Address(step.Gradient), GpuKernel.Address(step.Codes1), GpuKernel.Address(step.Absmax1),
                GpuKernel.Address(step.Codes2), GpuKernel.Address(step.Absmax2), GpuKernel.Address(first), GpuKernel.Address(second),
                GpuKernel.Address(firstBounds), GpuKernel.Address(secondBounds), (ulong)count, GpuKernel.Float(step.Beta1), GpuKernel.Float(step.Beta2),
                GpuKernel.Float(step.Eps * step.Correction2), GpuKernel.Float(step.StepSize), GpuKernel.Float(1 - (step.Lr * step.WeightDecay)),
            ]);
        return true;
    }

    private static bool Run(Tensor codes, Tensor absmax, Tensor? nested, float offset, CodeBook book, int block, Tensor y)
    {
        if (!GpuKernel.Fits(y) || y.numel() % 8 != 0 || !codes.is_contiguous() || !absmax.is_contiguous() || !System.Numerics.BitOperations.IsPow2(block))
        {
            return false;
        }

        long groups = y.numel() / 8;
        GpuKernel.Run(
            "Quantize", "dequantize4_" + GpuKernel.Suffix(y.dtype), y.device, (GpuKernel.Blocks(groups, Threads * GroupsPerThread), 1), (Threads, 1),
            [
                GpuKernel.Address(codes), GpuKernel.Address(absmax), GpuKernel.Address(nested), GpuKernel.Float(offset),
                GpuKernel.Address(CodeBook.Dynamic.On(y.device).Values), GpuKernel.Address(book.On(y.device).Values), GpuKernel.Address(y), (ulong)groups,
                (ulong)System.Numerics.BitOperations.Log2((uint)block),
            ]);
        return true;
    }
}
