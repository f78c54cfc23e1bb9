using TuneSharp.Kernels;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>
/// A layer: h = x + sa_scale(attn(sa_norm(x))), then h + mlp_scale(mlp(mlp_norm(h))), where each of the four norms may be missing.
/// Keys <c>attn</c>, <c>mlp</c>, <c>sa_norm</c>, <c>mlp_norm</c>, <c>sa_scale</c>, <c>mlp_scale</c>.
/// </summary>
/// <remarks>
/// Llama norms before (sa_norm, mlp_norm), OLMo 2 after (sa_scale, mlp_scale), Gemma 2 and 3 both. torchtune counterpart:
/// <c>TransformerSelfAttentionLayer</c> in <c>torchtune/modules/transformer.py</c>.
/// </remarks>
public sealed class TransformerLayer : Module<Tensor, AttentionContext, Tensor>
{
    [ComponentName(Name = "attn")]
    private readonly Module<Tensor, AttentionContext, Tensor> _attn;

    [ComponentName(Name = "mlp")]
    private readonly Module<Tensor, Tensor> _mlp;

    [ComponentName(Name = "sa_norm")]
    private readonly Module<Tensor, Tensor>? _saNorm;

    [ComponentName(Name = "mlp_norm")]
    private readonly Module<Tensor, Tensor>? _mlpNorm;

    [ComponentName(Name = "sa_scale")]
    private readonly Module<Tensor, Tensor>? _saScale;

    [ComponentName(Name = "mlp_scale")]
    private readonly Module<Tensor, Tensor>? _mlpScale;

    /// <summary>Builds a layer.</summary>
    /// <param name="kind">What its queries see and how they are turned.</param>
    /// <param name="attn">Attention.</param>
    /// <param name="mlp">Feed-forward block, dense or of experts, [B, T, D] to the same.</param>
    /// <param name="saNorm">Norm before the attention.</param>
    /// <param name="mlpNorm">Norm before the feed-forward block.</param>
    /// <param name="saScale">Norm after the attention.</param>
    /// <param name="mlpScale">Norm after the feed-forward block.</param>
    public TransformerLayer(
        LayerKind kind, Module<Tensor, AttentionContext, Tensor> attn, Module<Tensor, Tensor> mlp, Module<Tensor, Tensor>? saNorm = null,
        Module<Tensor, Tensor>? mlpNorm = null, Module<Tensor, Tensor>? saScale = null, Module<Tensor, Tensor>? mlpScale = null)
        : base(nameof(TransformerLayer))
    {
        (Kind, _attn, _mlp) = (kind, attn, mlp);
        (_saNorm, _mlpNorm, _saScale, _mlpScale) = (saNorm, mlpNorm, saScale, mlpScale);
        RegisterComponents();
    }

    /// <summary>What its queries see and how they are turned.</summary>
    public LayerKind Kind { get; }

    /// <summary>What its own backward pass computes again: attention and feed-forward block by themselves. A whole layer is the decoder's to repeat.</summary>
    internal RecomputedPart Recompute { get; set; }

    /// <summary>Tokens that the feed-forward block takes at a time while training; 0 for all.</summary>
    internal long TileTokens { get; set; }

    /// <summary>Dropout rate on what attention and feed-forward block add, while training.</summary>
    public double Dropout { get; init; }

    /// <summary>BERT's order: the norms come after each sum, sa_norm(x + attn(x)), then mlp_norm(h + mlp(h)).</summary>
    public bool NormsAfterSum { get; init; }

    /// <summary>Whether the kernels on a GPU can attend as this layer does.</summary>
    internal bool FitsKernels => Kind is { Chunk: null, Causal: true } && _attn is MultiHeadAttention { FitsKernels: true };

    /// <summary>Whether the fused layer can run this one, as far as its structure goes.</summary>
    internal bool IsFused => Parts() is not null;

    /// <summary>Applies the layer in the way that suits it: as one fused function, or module by module.</summary>
    /// <param name="x">[B, T, D].</param>
    /// <param name="context">Positions, mask, cache; of this layer's kind.</param>
    /// <param name="checkpoint">Keep only the input for the backward pass, and compute the layer again there.</param>
    /// <param name="offload">Takes the kept input to the host; or null.</param>
    internal Tensor Run(Tensor x, AttentionContext context, bool checkpoint, ActivationOffload? offload = null)
    {
        if (checkpoint && offload is not null)
        {
            return ActivationCheckpoint.Run((input, kept) => Run(input, context.With(kept), checkpoint: false), x, context.Tensors, offload);
        }

        if (context is { Plan: { } plan, QueryScale: null } && Parts() is { } parts && FusedLayer.Fits(x, parts))
        {
            return FusedLayer.Apply(x, parts, context.Angles, plan, checkpoint);
        }

        return checkpoint
            ? ActivationCheckpoint.Run((input, kept) => forward(input, context.With(kept)), x, context.Tensors, offload)
            : forward(x, context);
    }

    private LayerParts? Parts()
    {
        bool whole = !NormsAfterSum && (!training || (Recompute == RecomputedPart.None && TileTokens == 0 && Dropout == 0));
        return whole && _saNorm is RmsNorm saNorm && _mlpNorm is RmsNorm mlpNorm && _saScale is null && _mlpScale is null && _mlp is FeedForward mlp && _attn is MultiHeadAttention attention
            ? attention.Parts(saNorm, mlpNorm, mlp)
            : null;
    }

    /// <summary>Applies the layer.</summary>
    /// <param name="x">[B, T, D].</param>
    /// <param name="context">Positions, mask, cache; of this layer's kind.</param>
    public override Tensor forward(Tensor x, AttentionContext context)
    {
        using DisposeScope scope = NewDisposeScope();
        RecomputedPart again = training ? Recompute : RecomputedPart.None;
        Tensor h = again == RecomputedPart.None
            ? Attend(x, context)
            : ActivationCheckpoint.Run((input, kept) => Attend(input, context.With(kept)), x, context.Tensors);
        bool tiled = training && TileTokens > 0 && h.shape[0] * h.shape[1] > TileTokens && _mlp is FeedForward;
        Tensor y = tiled ? FeedTiles(h) : again == RecomputedPart.AttnMlp ? ActivationCheckpoint.Run(Feed, h) : Feed(h);
        return y.MoveToOuterDisposeScope();
    }

    private Tensor Attend(Tensor x, AttentionContext context)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor y = NormsAfterSum
            ? Normed(_saNorm, x + Dropped(_attn.forward(x, context)))
            : x + Normed(_saScale, Dropped(_attn.forward(Normed(_saNorm, x), context)));
        return y.MoveToOuterDisposeScope();
    }

    private Tensor Feed(Tensor h)
    {
        using DisposeScope scope = NewDisposeScope();
        if (ActivationCheckpoint.TakeSkip() && _mlp is FeedForward dense && !NormsAfterSum && _mlpScale is null && Dropout == 0)
        {
            // Run again for its gradients, the layer needs no result of its last product.
            return (h + dense.Compute(Normed(_mlpNorm, h), ofValue: false)).MoveToOuterDisposeScope();
        }

        Tensor y = NormsAfterSum
            ? Normed(_mlpNorm, h + Dropped(_mlp.forward(h)))
            : h + Normed(_mlpScale, Dropped(_mlp.forward(Normed(_mlpNorm, h))));
        return y.MoveToOuterDisposeScope();
    }

    /// <summary>No token's result depends on another's, so tiles of tokens give the same, and only one tile's width of F is ever there.</summary>
    private Tensor FeedTiles(Tensor h)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor[] tiles = h.reshape(-1, h.shape[^1]).split(TileTokens);
        return cat([.. tiles.Select(tile => ActivationCheckpoint.Run(Feed, tile))], 0).reshape(h.shape).MoveToOuterDisposeScope();
    }

    private Tensor Dropped(Tensor x) => training && Dropout > 0 ? functional.dropout(x, Dropout, training: true) : x;

    private static Tensor Normed(Module<Tensor, Tensor>? norm, Tensor x) => norm?.forward(x) ?? x;
}
