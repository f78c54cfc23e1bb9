namespace TuneSharp.Modules.Moe;

/// <summary>Tokens in the order of the experts they go to: each expert's are one slice, and the slices lie one after the other.</summary>
/// <remarks>Letters: T tokens, K experts of a token, M = T·K rows, E experts, D width.</remarks>
internal sealed class ExpertGroups
{
    private readonly long _topK;
    private readonly Tensor _order_M; // where the row in each sorted place comes from
    private readonly Tensor _back_M; // in which sorted place each row is
    private int[]? _counts;

    /// <summary>Sorts.</summary>
    /// <param name="ids_TK">The experts of each token, int64.</param>
    /// <param name="numExperts">E.</param>
    public ExpertGroups(Tensor ids_TK, int numExperts)
    {
        _topK = ids_TK.shape[1];
        Tensor flat_M = ids_TK.reshape(-1);
        (Expert_M, _order_M) = flat_M.sort(dim: 0, descending: false, stable: true);
        _back_M = _order_M.argsort();
        Tensor experts_E = arange(numExperts, ScalarType.Int64, ids_TK.device);
        Ends_E = searchsorted(Expert_M, experts_E, out_int32: true, right: true);
    }

    /// <summary>The expert of each sorted row, [M], int64.</summary>
    public Tensor Expert_M { get; }

    /// <summary>Where each expert's slice ends, [E], int32: stays on the device.</summary>
    public Tensor Ends_E { get; }

    /// <summary>Rows of each expert. On a GPU this waits for it.</summary>
    public IReadOnlyList<int> Counts
    {
        get
        {
            if (_counts is null)
            {
                using Tensor host = Ends_E.cpu();
                int[] ends = host.data<int>().ToArray();
                _counts = [.. ends.Select((end, i) => end - (i == 0 ? 0 : ends[i - 1]))];
            }

            return _counts;
        }
    }

    /// <summary>Each token once for each of its experts, sorted. Every row is written once in both directions, so the result does not depend on timing.</summary>
    /// <param name="x_TD">Tokens.</param>
    /// <returns>[M, D].</returns>
    public Tensor Sort(Tensor x_TD)
    {
        Tensor rows_MD = _topK == 1 ? x_TD : x_TD.unsqueeze(1).expand(-1, _topK, -1).reshape(-1, x_TD.shape[1]);
        return rows_MD.index_select(0, _order_M);
    }

    /// <summary>A number for each token and expert, sorted.</summary>
    /// <param name="w_TK">The numbers.</param>
    /// <returns>[M, 1].</returns>
    public Tensor SortShares(Tensor w_TK) => w_TK.reshape(-1).index_select(0, _order_M).unsqueeze(1);

    /// <summary>Adds up the rows of each token.</summary>
    /// <param name="y_MD">Sorted rows.</param>
    /// <returns>[T, D].</returns>
    public Tensor Sum(Tensor y_MD)
    {
        Tensor rows_MD = y_MD.index_select(0, _back_M);
        return _topK == 1 ? rows_MD : rows_MD.reshape(-1, _topK, y_MD.shape[1]).sum(dim: 1);
    }

    /// <summary>Runs each expert that has rows on its slice, in their order.</summary>
    /// <param name="x_MD">Sorted rows.</param>
    /// <param name="expert">Number and slice to result.</param>
    public Tensor ForEach(Tensor x_MD, Func<int, Tensor, Tensor> expert)
    {
        List<Tensor> parts = [];
        long start = 0;
        for (int e = 0; e < Counts.Count; e++)
        {
            if (Counts[e] > 0)
            {
                parts.Add(expert(e, x_MD.narrow(0, start, Counts[e])));
                start += Counts[e];
            }
        }

        return parts.Count == 1 ? parts[0] : cat(parts, 0);
    }
}
