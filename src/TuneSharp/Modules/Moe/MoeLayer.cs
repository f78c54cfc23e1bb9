using static TorchSharp.torch.nn;

namespace TuneSharp.Modules.Moe;

/// <summary>A feed-forward block of many experts, of which each token sees a few. Keys <c>router</c>, <c>experts</c>, <c>shared_expert</c>.</summary>
/// <remarks>
/// Papers: https://arxiv.org/abs/1701.06538, https://arxiv.org/abs/2401.04088. Tokens are sorted by expert, and each expert computes one
/// contiguous slice. Letters: T tokens, K experts of a token, M = T·K rows, E experts, D width.
/// </remarks>
public sealed class MoeLayer : Module<Tensor, Tensor>
{
    [ComponentName(Name = "router")]
    private readonly Linear _router;

    [ComponentName(Name = "experts")]
    private readonly Experts _experts;

    [ComponentName(Name = "shared_expert")]
    private readonly FeedForward? _sharedExpert;

    private readonly MoeConfig _config;
    private readonly RouterBalance? _balance;

    /// <summary>Builds the block.</summary>
    /// <param name="config">Its numbers.</param>
    /// <param name="router">D to E.</param>
    /// <param name="experts">The experts.</param>
    /// <param name="sharedExpert">An expert for all tokens, or null.</param>
    /// <param name="balance">Who watches how evenly experts are used, or null.</param>
    public MoeLayer(MoeConfig config, Linear router, Experts experts, FeedForward? sharedExpert = null, RouterBalance? balance = null)
        : base(nameof(MoeLayer))
    {
        (_config, _router, _experts, _sharedExpert, _balance) = (config.Checked(), router, experts, sharedExpert, balance);
        RegisterComponents();
    }

    /// <summary>Applies the block.</summary>
    /// <param name="x">[..., D].</param>
    public override Tensor forward(Tensor x)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x_TD = x.reshape(-1, x.shape[^1]);
        Tensor scores_TE = _router.forward(x_TD);
        scores_TE = _balance?.Watch(scores_TE) ?? scores_TE;
        (Tensor shares_TK, Tensor ids_TK) = Route(scores_TE);
        _balance?.Count(scores_TE, ids_TK);

        ExpertGroups groups = new(ids_TK, _config.NumExperts);
        Tensor shares_M1 = groups.SortShares(shares_TK.to(x.dtype));
        Tensor x_MD = groups.Sort(x_TD);
        bool onInput = _config.Routing == Routing.SigmoidOnInput;
        Tensor y_MD = _experts.Apply(onInput ? x_MD * shares_M1 : x_MD, groups);
        Tensor y_TD = groups.Sum(onInput ? y_MD : y_MD * shares_M1);
        if (_sharedExpert is not null)
        {
            y_TD = y_TD + _sharedExpert.forward(x_TD);
        }

        return y_TD.reshape(x.shape).MoveToOuterDisposeScope();
    }

    /// <summary>The experts of each token and what each counts for.</summary>
    private (Tensor Shares_TK, Tensor Ids_TK) Route(Tensor scores_TE)
    {
        switch (_config.Routing)
        {
            case Routing.SoftmaxThenTop:
                (Tensor shares_TK, Tensor ids_TK) = scores_TE.softmax(-1, ScalarType.Float32).topk(_config.TopK);
                return (_config.NormTopK ? shares_TK / shares_TK.sum(dim: -1, keepdim: true) : shares_TK, ids_TK);
            case Routing.TopThenSoftmax:
                (Tensor best_TK, ids_TK) = scores_TE.topk(_config.TopK);
                return (best_TK.softmax(-1), ids_TK);
            default:
                (best_TK, ids_TK) = scores_TE.topk(_config.TopK);
                return (best_TK.to(ScalarType.Float32).sigmoid(), ids_TK);
        }
    }
}
