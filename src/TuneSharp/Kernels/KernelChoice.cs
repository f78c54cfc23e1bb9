namespace TuneSharp.Kernels;

/// <summary>Chooses between our fused kernels and their slow twins, the plain libtorch way.</summary>
/// <remarks>
/// <c>TUNESHARP_KERNELS=reference</c> in the environment switches every kernel to its twin: the first thing to try when numbers look wrong.
/// It is read once, here. Each kernel's own folder decides what it can take (device, dtype, layout); the rest goes to the twin.
/// </remarks>
internal static class KernelChoice
{
    private const string Variable = "TUNESHARP_KERNELS";

    private static readonly bool FromEnvironment = Read(Environment.GetEnvironmentVariable(Variable));

    [ThreadStatic]
    private static bool? _override;

    /// <summary>Whether fused kernels are used at all.</summary>
    public static bool Fused => _override ?? FromEnvironment;

    /// <summary>Forces the choice on this thread until the result is disposed: for tests.</summary>
    public static IDisposable Force(bool fused)
    {
        Undo undo = new(_override);
        _override = fused;
        return undo;
    }

    /// <summary>Whether a CPU kernel can read and write this tensor: dense, row-major, fp32 or bf16.</summary>
    public static bool FitsCpu(Tensor t) =>
        t.device_type == DeviceType.CPU && t.dtype is ScalarType.Float32 or ScalarType.BFloat16 && t.is_contiguous() && t.numel() > 0;

    /// <summary>Whether there is a kernel, on the CPU or a GPU, that can read and write this tensor.</summary>
    public static bool Fits(Tensor t) => t.device_type == DeviceType.CUDA ? GpuKernel.Fits(t) : FitsCpu(t);

    /// <summary>The variable's meaning.</summary>
    /// <exception cref="ArgumentException">Neither unset, <c>fused</c> nor <c>reference</c>.</exception>
    internal static bool Read(string? value) => value switch
    {
        null or "" or "fused" => true,
        "reference" => false,
        _ => throw new ArgumentException($"{Variable} is {value}. Set it to fused or reference, or unset it."),
    };

    private sealed class Undo(bool? before) : IDisposable
    {
        public void Dispose() => _override = before;
    }
}
