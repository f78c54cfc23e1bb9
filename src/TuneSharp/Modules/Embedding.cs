using TuneSharp.Backend;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>A row of a table for each token id. State-dict key <c>weight</c> [V, D].</summary>
public sealed class Embedding : Module<Tensor, Tensor>
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    /// <summary>Builds the table.</summary>
    /// <param name="vocabSize">Rows.</param>
    /// <param name="embedDim">Columns.</param>
    public Embedding(long vocabSize, long embedDim)
        : base(nameof(Embedding))
    {
        _weight = BuildScope.NewParameter(w => w.normal_(0, Linear.InitStd), always: false, vocabSize, embedDim);
        RegisterComponents();
    }

    /// <summary>The table, [V, D].</summary>
    public Parameter Weight => _weight;

    /// <summary>Looks ids up.</summary>
    /// <param name="tokens">Ids, [B, T], int64.</param>
    /// <returns>[B, T, D].</returns>
    public override Tensor forward(Tensor tokens) => Aten.Embedding(_weight, tokens);
}
