namespace TuneSharp.Kernels;

/// <summary>act(gate) ∘ up on a GPU: one launch each way. Formulas as in <see cref="FusedSwiGlu"/>.</summary>
internal static class GpuSwiGlu
{
    private const int Threads = 256;

    /// <summary>act(gate) ∘ up.</summary>
    /// <param name="gate">Dense.</param>
    /// <param name="up">The same shape.</param>
    /// <param name="gelu">GELU by its tanh formula instead of silu.</param>
    /// <param name="into">Takes the result; may be either input. Null for a new tensor.</param>
    public static Tensor Forward(Tensor gate, Tensor up, bool gelu = false, Tensor? into = null)
    {
        Tensor y = into ?? empty_like(gate);
        Run("swiglu_", gate, gelu, [GpuKernel.Address(gate), GpuKernel.Address(up), GpuKernel.Address(y), (ulong)gate.numel()]);
        return y;
    }

    /// <summary>Both gradients, and the forward result again where it is wanted. Each may lie over an input.</summary>
    /// <param name="gate">Dense.</param>
    /// <param name="up">The same shape.</param>
    /// <param name="gradient">Of the result, dense.</param>
    /// <param name="dGate">Takes the gate's gradient.</param>
    /// <param name="dUp">Takes up's gradient.</param>
    /// <param name="gelu">GELU by its tanh formula instead of silu.</param>
    /// <param name="again">Takes the forward result, or null.</param>
    public static void Backward(Tensor gate, Tensor up, Tensor gradient, Tensor dGate, Tensor dUp, bool gelu = false, Tensor? again = null) =>
        Run("swiglu_backward_", gate, gelu,
        [
            GpuKernel.Address(gate), GpuKernel.Address(up), GpuKernel.Address(gradient), GpuKernel.Address(dGate), GpuKernel.Address(dUp),
            GpuKernel.Address(again), (ulong)gate.numel(),
        ]);

    private static void Run(string kernel, Tensor like, bool gelu, ReadOnlySpan<ulong> arguments) =>
        GpuKernel.Run(
            "SwiGlu", kernel + (gelu ? "gelu_" : "silu_") + GpuKernel.Suffix(like.dtype, like.numel()), like.device,
            (GpuKernel.Blocks(like.numel(), Threads * 8), 1), (Threads, 1), arguments);
}
