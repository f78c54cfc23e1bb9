using TuneSharp.Native;

namespace TuneSharp.Backend;

/// <summary>ATen operators that TorchSharp lacks or guards badly, called through libtorch's dispatcher.</summary>
/// <remarks>
/// Each operator is wrapped once here, with its schema as a comment; results join the current <c>DisposeScope</c>, and
/// autograd records through every call. Arguments of the schema type <c>Scalar</c> cannot be passed.
/// </remarks>
public static partial class Aten
{
    private static ReadOnlySpan<byte> Plain => "\0"u8;

    /// <summary>Root-mean-square norm over the last dimension, in the input's own dtype with fp32 accumulation.</summary>
    /// <param name="x">Input, [..., D].</param>
    /// <param name="weight">Scale, [D], or null.</param>
    /// <param name="eps">Added to the mean square.</param>
    public static Tensor RmsNorm(Tensor x, Tensor? weight, double eps)
    {
        // rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor
        Span<ulong> s = [Handle(x), Ints([x.shape[^1]]), Optional(weight), AtenApi.Some(Float(eps))];
        AtenApi.Call("aten::rms_norm\0"u8, Plain, s);
        return Take(s[0]);
    }

    /// <summary>GELU by its tanh formula.</summary>
    /// <param name="x">Any shape.</param>
    public static Tensor GeluTanh(Tensor x)
    {
        // gelu(Tensor self, *, str approximate='none') -> Tensor
        Span<ulong> s = [Handle(x), AtenApi.NewString("tanh"u8)];
        AtenApi.Call("aten::gelu\0"u8, Plain, s);
        return Take(s[0]);
    }

    /// <summary>Rows of a table.</summary>
    /// <param name="weight">[V, D].</param>
    /// <param name="indices">Row numbers, any shape, int64; one beyond the table is an error.</param>
    /// <returns>[..., D].</returns>
    public static Tensor Embedding(Tensor weight, Tensor indices)
    {
        // embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor
        Span<ulong> s = [Handle(weight), Handle(indices), unchecked((ulong)-1L), Bool(false), Bool(false)];
        AtenApi.Call("aten::embedding\0"u8, Plain, s);
        return Take(s[0]);
    }

    /// <summary>Scaled dot-product attention.</summary>
    /// <param name="q">Queries, [B, N, T, H].</param>
    /// <param name="k">Keys, [B, K, S, H]; K divides N when <paramref name="groupedQuery"/> is set.</param>
    /// <param name="v">Values, as keys.</param>
    /// <param name="mask">Boolean (true: attend) or additive mask broadcastable to [B, N, T, S], or null.</param>
    /// <param name="causal">Query t sees keys 0 to t; not together with a mask.</param>
    /// <param name="scale">Factor on the scores; null for 1/√H.</param>
    /// <param name="dropout">Dropout rate on the attention weights.</param>
    /// <param name="groupedQuery">Let N/K query heads share each key head.</param>
    public static Tensor ScaledDotProductAttention(
        Tensor q, Tensor k, Tensor v, Tensor? mask, bool causal, double? scale = null, double dropout = 0, bool groupedQuery = false)
    {
        // scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0,
        //                              bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor
        Span<ulong> s =
        [
            Handle(q), Handle(k), Handle(v), Optional(mask), Float(dropout), Bool(causal),
            scale is { } value ? AtenApi.Some(Float(value)) : 0, Bool(groupedQuery),
        ];
        AtenApi.Call("aten::scaled_dot_product_attention\0"u8, Plain, s);
        return Take(s[0]);
    }

    /// <summary>Matrix product with broadcasting, whose shape errors can be caught.</summary>
    /// <param name="a">[..., M, K].</param>
    /// <param name="b">[..., K, N].</param>
    public static Tensor Matmul(Tensor a, Tensor b)
    {
        // matmul(Tensor self, Tensor other) -> Tensor
        Span<ulong> s = [Handle(a), Handle(b)];
        AtenApi.Call("aten::matmul\0"u8, Plain, s);
        return Take(s[0]);
    }

    /// <summary>Rows in groups, each group times its own matrix; or, for two matrices, each group of columns times its group of rows.</summary>
    /// <param name="a">[M, K], or [K, M] with groups of columns. Rows are multiples of 16 bytes.</param>
    /// <param name="b">[G, K, N], or [M, N].</param>
    /// <param name="ends">Where each group ends, [G], int32.</param>
    /// <returns>[M, N], or [G, K, N].</returns>
    public static Tensor GroupedMm(Tensor a, Tensor b, Tensor ends)
    {
        // _grouped_mm(Tensor self, Tensor mat2, Tensor? offs=None, Tensor? bias=None, ScalarType? out_dtype=None) -> Tensor
        Span<ulong> s = [Handle(a), Handle(b), Optional(ends), 0, 0];
        AtenApi.Call("aten::_grouped_mm\0"u8, Plain, s);
        return Take(s[0]);
    }

    /// <summary>One AdamW step for many parameters at once, in place. Add 1 to each step count before the call.</summary>
    /// <param name="parameters">Weights.</param>
    /// <param name="gradients">Their gradients.</param>
    /// <param name="firstMoments">Running means of the gradients.</param>
    /// <param name="secondMoments">Running means of their squares.</param>
    /// <param name="maxSecondMoments">Running maxima, when <paramref name="amsgrad"/>; else empty.</param>
    /// <param name="steps">fp32 scalars.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="beta1">Decay of the first moment.</param>
    /// <param name="beta2">Decay of the second moment.</param>
    /// <param name="weightDecay">Decoupled decay (AdamW) or added to the gradient (Adam).</param>
    /// <param name="eps">Added to the root.</param>
    /// <param name="amsgrad">Use the running maximum of the second moment.</param>
    /// <param name="maximize">Climb instead of descend.</param>
    /// <param name="decoupled">True for AdamW, false for Adam with an L2 term.</param>
    public static void FusedAdam(
        IReadOnlyList<Tensor> parameters, IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> firstMoments,
        IReadOnlyList<Tensor> secondMoments, IReadOnlyList<Tensor> maxSecondMoments, IReadOnlyList<Tensor> steps,
        double lr, double beta1, double beta2, double weightDecay, double eps, bool amsgrad, bool maximize, bool decoupled)
    {
        // _fused_adamw_(Tensor(a!)[] self, Tensor(b!)[] grads, Tensor(c!)[] exp_avgs, Tensor(d!)[] exp_avg_sqs,
        //   Tensor(e!)[] max_exp_avg_sqs, Tensor[] state_steps, *, float lr, float beta1, float beta2, float weight_decay,
        //   float eps, bool amsgrad, bool maximize, Tensor? grad_scale=None, Tensor? found_inf=None) -> ()
        Span<ulong> s =
        [
            Tensors(parameters), Tensors(gradients), Tensors(firstMoments), Tensors(secondMoments), Tensors(maxSecondMoments),
            Tensors(steps), Float(lr), Float(beta1), Float(beta2), Float(weightDecay), Float(eps), Bool(amsgrad), Bool(maximize), 0, 0,
        ];
        AtenApi.Call(decoupled ? "aten::_fused_adamw_\0"u8 : "aten::_fused_adam_\0"u8, Plain, s);
    }

    /// <summary>Multiplies every tensor by one scalar tensor, in place.</summary>
    /// <param name="tensors">What is scaled.</param>
    /// <param name="factor">A 0-dim tensor.</param>
    public static void ForeachMul(IReadOnlyList<Tensor> tensors, Tensor factor)
    {
        // _foreach_mul_.Tensor(Tensor(a!)[] self, Tensor other) -> ()
        Span<ulong> s = [Tensors(tensors), Handle(factor)];
        AtenApi.Call("aten::_foreach_mul_\0"u8, "Tensor\0"u8, s);
    }

    /// <summary>A CPU tensor over memory that somebody else owns and keeps alive. Never write to one over a read-only mapping.</summary>
    /// <param name="data">First byte of the first element.</param>
    /// <param name="shape">Extents; the elements lie in row-major order.</param>
    /// <param name="dtype">Element type.</param>
    public static unsafe Tensor FromPointer(byte* data, ReadOnlySpan<long> shape, ScalarType dtype)
    {
        Span<long> strides = stackalloc long[shape.Length];
        long step = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            strides[i] = step;
            step *= shape[i];
        }

        return Tensor.UnsafeCreateTensor(AtenApi.FromBlob(data, shape, strides, (int)(sbyte)dtype));
    }

    /// <summary>Address of a tensor's first element, in the memory of its device.</summary>
    /// <param name="tensor">A dense tensor.</param>
    public static unsafe byte* DataPointer(Tensor tensor) => (byte*)AtenApi.DataPointer(tensor.Handle);

    private static ulong Handle(Tensor t) => AtenApi.NewHandle(t.Handle);

    private static ulong Optional(Tensor? t) => t is null ? 0 : AtenApi.Some(Handle(t));

    private static ulong Bool(bool value) => value ? 1UL : 0UL;

    private static ulong Float(double value) => BitConverter.DoubleToUInt64Bits(value);

    private static ulong Ints(ReadOnlySpan<long> values) =>
        AtenApi.NewList(System.Runtime.InteropServices.MemoryMarshal.Cast<long, ulong>(values));

    private static ulong Tensors(IReadOnlyList<Tensor> tensors)
    {
        ulong[] handles = new ulong[tensors.Count];
        for (int i = 0; i < handles.Length; i++)
        {
            handles[i] = Handle(tensors[i]);
        }

        return AtenApi.NewList(handles);
    }

    private static Tensor Take(ulong word) => Tensor.UnsafeCreateTensor((IntPtr)word);
}
