using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>A pre-norm layer: x + attn(norm(x)), then x + mlp(norm(x)). Keys <c>attn</c>, <c>mlp</c>, <c>sa_norm</c>, <c>mlp_norm</c>.</summary>
/// <remarks>torchtune counterpart: <c>TransformerSelfAttentionLayer</c> in <c>torchtune/modules/transformer.py</c>.</remarks>
public sealed class TransformerLayer : Module<Tensor, AttentionContext, Tensor>
{
    [ComponentName(Name = "attn")]
    private readonly MultiHeadAttention _attn;

    [ComponentName(Name = "mlp")]
    private readonly FeedForward _mlp;

    [ComponentName(Name = "sa_norm")]
    private readonly RmsNorm _saNorm;

    [ComponentName(Name = "mlp_norm")]
    private readonly RmsNorm _mlpNorm;

    /// <summary>Builds a layer.</summary>
    /// <param name="attn">Attention.</param>
    /// <param name="mlp">Feed-forward block.</param>
    /// <param name="saNorm">Norm before the attention.</param>
    /// <param name="mlpNorm">Norm before the feed-forward block.</param>
    public TransformerLayer(MultiHeadAttention attn, FeedForward mlp, RmsNorm saNorm, RmsNorm mlpNorm)
        : base(nameof(TransformerLayer))
    {
        (_attn, _mlp, _saNorm, _mlpNorm) = (attn, mlp, saNorm, mlpNorm);
        RegisterComponents();
    }

    /// <summary>Applies the layer.</summary>
    /// <param name="x">[B, T, D].</param>
    /// <param name="context">Positions, mask, cache.</param>
    public override Tensor forward(Tensor x, AttentionContext context)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor h = x + _attn.forward(_saNorm.forward(x), context);
        return (h + _mlp.forward(_mlpNorm.forward(h))).MoveToOuterDisposeScope();
    }
}
