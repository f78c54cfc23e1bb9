namespace TuneSharp.Kernels;

/// <summary>The gated activation of two linears with adapters on a GPU, their low-rank products added on the way: no pass over memory is spent on that.</summary>
internal static class GpuSwiGluLow
{
    private const int Threads = 256;
    private const int Columns = 32 * (Threads / 32); // of a block
    private const int Rows = 8 * 16;

    /// <summary>Whether gate, up and down have adapters of one rank that the kernels know.</summary>
    public static bool Fits(LinearPart gate, LinearPart up, LinearPart down) =>
        gate.A is not null && up.A is not null && down.A is not null && gate.A.shape[0] is 16 or 32 && up.A.shape[0] == gate.A.shape[0]
        && down.A.shape[0] == gate.A.shape[0] && gate.B!.dtype == ScalarType.BFloat16 && gate.B.shape[0] % 32 == 0
        && gate.B.is_contiguous() && up.B!.is_contiguous() && down.A.is_contiguous();

    /// <summary>act(gate + s·lowGate·Bᵀ) ∘ (up + s·lowUp·Bᵀ).</summary>
    /// <param name="gate">The base's product, [M, F].</param>
    /// <param name="up">The base's product.</param>
    /// <param name="lowGate">x·Aᵀ, [M, R].</param>
    /// <param name="lowUp">x·Aᵀ.</param>
    /// <param name="p">The layer's parts.</param>
    /// <param name="into">Takes the result; may be either input. Null for a new tensor.</param>
    public static Tensor Forward(Tensor gate, Tensor up, Tensor lowGate, Tensor lowUp, LayerParts p, Tensor? into)
    {
        Tensor y = into ?? empty_like(gate);
        Run("swiglu_low_", gate, p,
        [
            GpuKernel.Address(gate), GpuKernel.Address(up), GpuKernel.Address(lowGate), GpuKernel.Address(lowUp), GpuKernel.Address(p.Gate.B),
            GpuKernel.Address(p.Up.B), GpuKernel.Address(y), (ulong)gate.shape[0], (ulong)gate.shape[1], GpuKernel.Float(p.Gate.Scale), GpuKernel.Float(p.Up.Scale),
        ]);
        return y;
    }

    /// <summary>Gradients of gate and up over them, and the forward result over the incoming gradient, which lacks its adapter's part.</summary>
    /// <param name="gate">The base's product, [M, F].</param>
    /// <param name="up">The base's product.</param>
    /// <param name="gradient">dy·W of the product down, [M, F].</param>
    /// <param name="lowGate">x·Aᵀ, [M, R].</param>
    /// <param name="lowUp">x·Aᵀ.</param>
    /// <param name="backDown">dy·B of the product down, [M, R].</param>
    /// <param name="p">The layer's parts.</param>
    public static void Backward(Tensor gate, Tensor up, Tensor gradient, Tensor lowGate, Tensor lowUp, Tensor backDown, LayerParts p)
    {
        using Tensor turned = p.Down.A!.t();
        using Tensor aDown = turned.contiguous(); // [F, R]
        Run("swiglu_low_backward_", gate, p,
        [
            GpuKernel.Address(gate), GpuKernel.Address(up), GpuKernel.Address(gradient), GpuKernel.Address(lowGate), GpuKernel.Address(lowUp),
            GpuKernel.Address(backDown), GpuKernel.Address(p.Gate.B), GpuKernel.Address(p.Up.B), GpuKernel.Address(aDown), (ulong)gate.shape[0],
            (ulong)gate.shape[1], GpuKernel.Float(p.Gate.Scale), GpuKernel.Float(p.Up.Scale), GpuKernel.Float(p.Down.Scale),
        ]);
    }

    private static void Run(string kernel, Tensor like, LayerParts p, ReadOnlySpan<ulong> arguments) =>
        GpuKernel.Run(
            "SwiGluLow", kernel + (p.Gelu ? "gelu_" : "silu_") + (p.Gate.A!.shape[0] == 16 ? "16" : "32"), like.device,
            (GpuKernel.Blocks(like.shape[1], Columns), GpuKernel.Blocks(like.shape[0], Rows)), (Threads, 1), arguments);
}
