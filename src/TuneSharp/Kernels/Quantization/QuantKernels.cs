namespace TuneSharp.Kernels;

/// <summary>What a device can do faster than libtorch's operators. Each method may decline; the caller then takes the plain way.</summary>
internal interface IQuantKernels
{
    /// <summary>Quantises in blocks; see <see cref="BlockwiseCpu.Encode"/>.</summary>
    /// <returns>False when these tensors are none that it takes; nothing was written then.</returns>
    bool Encode(Tensor x, CodeBook book, int block, Tensor codes, Tensor absmax);

    /// <summary>Gives numbers back; see <see cref="BlockwiseCpu.Decode"/>.</summary>
    /// <returns>False when these tensors are none that it takes.</returns>
    bool Decode(Tensor codes, Tensor absmax, CodeBook book, int block, Tensor y);

    /// <summary>Gives a whole weight back in one pass, nested scales included.</summary>
    /// <param name="weight">The weight.</param>
    /// <param name="y">Receives it; [as the weight], dense, of the weight's own dtype.</param>
    /// <returns>False when it is none that it takes.</returns>
    bool Dequantize(QuantizedTensor weight, Tensor y);

    /// <summary>One step of an 8-bit optimizer over one weight; see <see cref="Blockwise8Step"/>.</summary>
    /// <returns>False when these tensors are none that it takes.</returns>
    bool Step(in Blockwise8Step step);
}

/// <summary>Chooses who quantises: the CPU's kernels, the GPU's if somebody installed them, or libtorch's operators.</summary>
internal static class QuantKernels
{
    /// <summary>The GPU's kernels; null where there are none.</summary>
    public static IQuantKernels? Cuda { get; set; } = new GpuQuantKernels();

    /// <summary>Those that may be asked for a tensor; null for none.</summary>
    public static IQuantKernels? For(Tensor t) => KernelChoice.Fused && t.device_type == DeviceType.CUDA ? Cuda : null;

    /// <summary>Quantises in blocks.</summary>
    /// <param name="x">Any floating-point dtype.</param>
    /// <param name="book">The codes.</param>
    /// <param name="block">Elements that share a scale.</param>
    /// <param name="codes">Receives the codes, uint8: n, or ⌈n/2⌉ for a 4-bit book.</param>
    /// <param name="absmax">Receives the scales, fp32.</param>
    public static void Encode(Tensor x, CodeBook book, int block, Tensor codes, Tensor absmax)
    {
        if (KernelChoice.Fused && x.device_type == DeviceType.CPU)
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor dense = (x.dtype is ScalarType.Float32 or ScalarType.BFloat16 ? x : x.to(ScalarType.Float32)).contiguous();
            if (dense.numel() > 0)
            {
                BlockwiseCpu.Encode(dense, book, block, codes, absmax);
            }
        }
        else if (For(x)?.Encode(x, book, block, codes, absmax) != true)
        {
            BlockwisePlain.Encode(x, book, block, codes, absmax);
        }
    }

    /// <summary>Gives numbers back.</summary>
    /// <param name="codes">The codes.</param>
    /// <param name="absmax">The scales, fp32.</param>
    /// <param name="book">What codes stand for.</param>
    /// <param name="block">Elements that share a scale.</param>
    /// <param name="y">Receives the numbers; dense, any floating-point dtype.</param>
    public static void Decode(Tensor codes, Tensor absmax, CodeBook book, int block, Tensor y)
    {
        if (KernelChoice.Fused && KernelChoice.FitsCpu(y))
        {
            BlockwiseCpu.Decode(codes, absmax, book, block, y);
        }
        else if (For(y)?.Decode(codes, absmax, book, block, y) != true)
        {
            BlockwisePlain.Decode(codes, absmax, book, block, y);
        }
    }
}
