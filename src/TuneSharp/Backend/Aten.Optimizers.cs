using TuneSharp.Native;

namespace TuneSharp.Backend;

public static partial class Aten
{
    /// <summary>One SGD step for many parameters at once, in place.</summary>
    /// <param name="parameters">Weights.</param>
    /// <param name="gradients">Their gradients.</param>
    /// <param name="momentumBuffers">One for each weight, or empty when <paramref name="momentum"/> is 0.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="weightDecay">L2 term added to the gradient.</param>
    /// <param name="momentum">Decay of the buffer.</param>
    /// <param name="dampening">Share of the gradient that the buffer does not take.</param>
    /// <param name="nesterov">Look one step ahead.</param>
    /// <param name="maximize">Climb instead of descend.</param>
    /// <param name="firstStep">The buffers are empty: they take the gradient whole.</param>
    public static void FusedSgd(
        IReadOnlyList<Tensor> parameters, IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> momentumBuffers,
        double lr, double weightDecay, double momentum, double dampening, bool nesterov, bool maximize, bool firstStep)
    {
        // _fused_sgd_(Tensor(a!)[] self, Tensor(b!)[] grads, Tensor(c!)[] momentum_buffer_list, *, float weight_decay,
        //   float momentum, float lr, float dampening, bool nesterov, bool maximize, bool is_first_step,
        //   Tensor? grad_scale=None, Tensor? found_inf=None) -> ()
        Span<ulong> s =
        [
            Tensors(parameters), Tensors(gradients), Tensors(momentumBuffers), Float(weightDecay), Float(momentum), Float(lr),
            Float(dampening), Bool(nesterov), Bool(maximize), Bool(firstStep), 0, 0,
        ];
        AtenApi.Call("aten::_fused_sgd_\0"u8, Plain, s);
    }

    /// <summary>The 2-norm of all elements, summed and returned in fp32 whatever the input's dtype.</summary>
    /// <param name="x">Any shape.</param>
    /// <returns>A scalar on the input's device.</returns>
    public static Tensor Norm2(Tensor x)
    {
        // vector_norm takes a Scalar, which cannot be passed; the Frobenius norm of a single row is the same number.
        // linalg_matrix_norm.str_ord(Tensor self, str ord='fro', int[] dim=[-2,-1], bool keepdim=False, *, ScalarType? dtype=None) -> Tensor
        using Tensor row = x.reshape(1, -1);
        Span<ulong> s =
        [
            Handle(row), AtenApi.NewString("fro"u8), Ints([-2, -1]), Bool(false), AtenApi.Some((ulong)(int)(sbyte)ScalarType.Float32),
        ];
        AtenApi.Call("aten::linalg_matrix_norm\0"u8, "str_ord\0"u8, s);
        return Take(s[0]);
    }
}
