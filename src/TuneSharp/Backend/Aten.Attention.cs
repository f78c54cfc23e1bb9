using TuneSharp.Native;

namespace TuneSharp.Backend;

/// <summary>What an attention operator's backward pass needs besides its inputs.</summary>
/// <param name="Out">The result, laid out as the queries.</param>
/// <param name="LogSumExp">One number a row of scores.</param>
/// <param name="SeedA">State of the generator.</param>
/// <param name="SeedB">State of the generator.</param>
internal readonly record struct AttentionResult(Tensor Out, Tensor LogSumExp, Tensor SeedA, Tensor SeedB);

public static partial class Aten
{
    // Operators grow optional arguments at their end from one libtorch to the next: a word of zero is `None` for each.
    private const int SpareWords = 24;

    private static readonly Lock ScriptGate = new();
    private static jit.CompilationUnit? _script;

    /// <summary>Flash attention over samples laid end to end; libtorch's own kernel, without autograd.</summary>
    /// <param name="q">[tokens, N, H], bf16.</param>
    /// <param name="k">[tokens, K, H]; K divides N.</param>
    /// <param name="v">As <paramref name="k"/>.</param>
    /// <param name="starts">[samples + 1], int32, on the device: where each sample begins, and the end.</param>
    /// <param name="longest">Tokens of the longest sample.</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <param name="window">Keys that a query sees before itself; null for all.</param>
    internal static AttentionResult FlashVarlen(Tensor q, Tensor k, Tensor v, Tensor starts, long longest, double scale, long? window)
    {
        // _flash_attention_forward(Tensor query, Tensor key, Tensor value, Tensor? cum_seq_q, Tensor? cum_seq_k, SymInt max_q, SymInt max_k,
        //   float dropout_p, bool is_causal, bool return_debug_mask, *, float? scale=None, SymInt? window_size_left=None,
        //   SymInt? window_size_right=None, Tensor? seqused_k=None, Tensor? alibi_slopes=None)
        //   -> (Tensor output, Tensor softmax_logsumexp, Tensor rng_state, Tensor unused, Tensor debug_attn_mask)
        Span<ulong> s = stackalloc ulong[SpareWords];
        s.Clear();
        Put(s,
        [
            Handle(q), Handle(k), Handle(v), Optional(starts), Optional(starts), (ulong)longest, (ulong)longest, Float(0), Bool(true), Bool(false),
            AtenApi.Some(Float(scale)), window is { } w ? AtenApi.Some((ulong)w) : 0, window is null ? 0 : AtenApi.Some(0),
        ]);
        AtenApi.Call("aten::_flash_attention_forward\0"u8, Plain, s);
        Take(s[4]).Dispose();
        return new AttentionResult(Take(s[0]), Take(s[1]), Take(s[2]), Take(s[3]));
    }

    /// <summary>The gradients of <see cref="FlashVarlen"/>.</summary>
    internal static (Tensor Q, Tensor K, Tensor V) FlashVarlenBackward(
        Tensor gradient, Tensor q, Tensor k, Tensor v, AttentionResult result, Tensor starts, long longest, double scale, long? window)
    {
        // _flash_attention_backward(Tensor grad_out, Tensor query, Tensor key, Tensor value, Tensor out, Tensor logsumexp, Tensor cum_seq_q,
        //   Tensor cum_seq_k, SymInt max_q, SymInt max_k, float dropout_p, bool is_causal, Tensor rng_state, Tensor unused, *, float? scale=None,
        //   SymInt? window_size_left=None, SymInt? window_size_right=None) -> (Tensor, Tensor, Tensor)
        Span<ulong> s = stackalloc ulong[SpareWords];
        s.Clear();
        Put(s,
        [
            Handle(gradient), Handle(q), Handle(k), Handle(v), Handle(result.Out), Handle(result.LogSumExp), Handle(starts), Handle(starts),
            (ulong)longest, (ulong)longest, Float(0), Bool(true), Handle(result.SeedA), Handle(result.SeedB), AtenApi.Some(Float(scale)),
            window is { } w ? AtenApi.Some((ulong)w) : 0, window is null ? 0 : AtenApi.Some(0),
        ]);
        AtenApi.Call("aten::_flash_attention_backward\0"u8, Plain, s);
        return (Take(s[0]), Take(s[1]), Take(s[2]));
    }

    /// <summary>Causal attention of rows of one length by cuDNN, without autograd.</summary>
    /// <param name="q">[B, N, T, H], bf16; any strides with dense heads.</param>
    /// <param name="k">[B, K, T, H]; K divides N.</param>
    /// <param name="v">As <paramref name="k"/>.</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <param name="causal">Whether queries see earlier keys only.</param>
    internal static AttentionResult CudnnAttention(Tensor q, Tensor k, Tensor v, double scale, bool causal = true)
    {
        // Among this operator's results are numbers between tensors, and the dispatcher's C interface reads such results in the wrong order:
        // TorchScript calls it and picks the tensors.
        Tensor[] r = (Tensor[])Script().invoke("forward", q, k, v, scale, causal);
        return new AttentionResult(r[0], r[1], r[2], r[3]);
    }

    private static jit.CompilationUnit Script()
    {
        lock (ScriptGate)
        {
            return _script ??= jit.compile("""
                def forward(q: Tensor, k: Tensor, v: Tensor, scale: float, causal: bool) -> List[Tensor]:
                    o = torch._scaled_dot_product_cudnn_attention(q, k, v, None, True, 0.0, causal, False, scale=scale)
                    return [o[0], o[1], o[6], o[7]]

                """);
        }
    }

    /// <summary>The gradients of <see cref="CudnnAttention"/>.</summary>
    internal static (Tensor Q, Tensor K, Tensor V) CudnnAttentionBackward(
        Tensor gradient, Tensor q, Tensor k, Tensor v, AttentionResult result, double scale, bool causal = true)
    {
        // _scaled_dot_product_cudnn_attention_backward(Tensor grad_out, Tensor query, Tensor key, Tensor value, Tensor out, Tensor logsumexp,
        //   Tensor philox_seed, Tensor philox_offset, Tensor attn_bias, Tensor cum_seq_q, Tensor cum_seq_k, SymInt max_q, SymInt max_k,
        //   float dropout_p, bool is_causal, *, float? scale=None) -> (Tensor, Tensor, Tensor)
        using Tensor none = Undefined();
        Span<ulong> s = stackalloc ulong[SpareWords];
        s.Clear();
        Put(s,
        [
            Handle(gradient), Handle(q), Handle(k), Handle(v), Handle(result.Out), Handle(result.LogSumExp), Handle(result.SeedA), Handle(result.SeedB),
            Handle(none), Handle(none), Handle(none), (ulong)q.shape[2], (ulong)k.shape[2], Float(0), Bool(causal), AtenApi.Some(Float(scale)),
        ]);
        AtenApi.Call("aten::_scaled_dot_product_cudnn_attention_backward\0"u8, Plain, s);
        return (Take(s[0]), Take(s[1]), Take(s[2]));
    }

    /// <summary>A tensor that is none: what libtorch passes where a schema has no optional.</summary>
    private static Tensor Undefined() => Take(AtenApi.Undefined());

    private static void Put(Span<ulong> stack, ReadOnlySpan<ulong> words) => words.CopyTo(stack);
}
