using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>Attention whose queries, keys and values come from one linear, as GPT-2's. State-dict keys <c>qkv_proj</c>, <c>output_proj</c>.</summary>
/// <remarks>Letters: B rows, T new tokens, S all tokens, N heads, H head width.</remarks>
public sealed class FusedQkvAttention : Module<Tensor, AttentionContext, Tensor>
{
    [ComponentName(Name = "qkv_proj")]
    private readonly Linear _qkvProj;

    [ComponentName(Name = "output_proj")]
    private readonly Linear _outputProj;

    private readonly int _layer;
    private readonly long _headDim;
    private readonly AttentionOptions _options;

    /// <summary>Builds the attention of one layer.</summary>
    /// <param name="layer">The layer's number, which is its place in the KV cache.</param>
    /// <param name="headDim">Head width.</param>
    /// <param name="qkvProj">D to 3·N·H: all queries, then all keys, then all values.</param>
    /// <param name="outputProj">N·H to D.</param>
    /// <param name="options">Departures from the plain softmax.</param>
    public FusedQkvAttention(int layer, long headDim, Linear qkvProj, Linear outputProj, AttentionOptions options)
        : base(nameof(FusedQkvAttention))
    {
        (_layer, _headDim, _qkvProj, _outputProj, _options) = (layer, headDim, qkvProj, outputProj, options);
        RegisterComponents();
    }

    /// <summary>Attends.</summary>
    /// <param name="x">[B, T, D].</param>
    /// <param name="context">Mask, cache.</param>
    /// <returns>[B, T, D].</returns>
    public override Tensor forward(Tensor x, AttentionContext context)
    {
        using DisposeScope scope = NewDisposeScope();
        (long b, long t) = (x.shape[0], x.shape[1]);
        Tensor[] parts = _qkvProj.forward(x).reshape(b, t, 3, -1, _headDim).unbind(2);
        (Tensor q_BNTH, Tensor k_BNSH, Tensor v_BNSH) = (parts[0].transpose(1, 2), parts[1].transpose(1, 2), parts[2].transpose(1, 2));
        bool causal = context.Causal;
        if (context.Cache is { } cache)
        {
            causal = cache.Length == 0;
            (k_BNSH, v_BNSH) = cache.Append(_layer, k_BNSH, v_BNSH);
        }

        Tensor y_BNTH = Attention.Attend(q_BNTH, k_BNSH, v_BNSH, context, causal, training ? _options.Dropout : 0, _options);
        return _outputProj.forward(y_BNTH.transpose(1, 2).reshape(b, t, -1)).MoveToOuterDisposeScope();
    }
}
