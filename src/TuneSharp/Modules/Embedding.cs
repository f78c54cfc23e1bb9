using TuneSharp.Backend;
using TuneSharp.Kernels;
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
    /// <param name="quantization">How the table is held, or null for plain numbers.</param>
    public Embedding(long vocabSize, long embedDim, Quantization? quantization = null)
        : base(nameof(Embedding))
    {
        _weight = quantization is null
            ? BuildScope.NewParameter(w => w.normal_(0, Linear.InitStd), always: false, vocabSize, embedDim)
            : BuildScope.NewQuantized(w => w.normal_(0, Linear.InitStd), quantization, vocabSize, embedDim);
        RegisterComponents();
    }

    /// <summary>The table, [V, D].</summary>
    public Parameter Weight => _weight;

    /// <summary>Looks ids up.</summary>
    /// <param name="tokens">Ids, [B, T], int64.</param>
    /// <returns>[B, T, D].</returns>
    public override Tensor forward(Tensor tokens)
    {
        if (_weight is not QuantizedParameter quantised)
        {
            return Aten.Embedding(_weight, tokens);
        }

        using DisposeScope scope = NewDisposeScope();
        return quantised.DenseRows(tokens.reshape(-1)).reshape([.. tokens.shape, -1]).MoveToOuterDisposeScope();
    }

    /// <summary>x·Wᵀ: what a head does that is tied to this table.</summary>
    /// <param name="hidden">[..., D].</param>
    /// <returns>[..., V].</returns>
    public Tensor Project(Tensor hidden) =>
        _weight is QuantizedParameter quantised ? QuantizedProduct.Apply(hidden, quantised) : functional.linear(hidden, _weight);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && _weight is QuantizedParameter quantised)
        {
            quantised.Release();
        }

        base.Dispose(disposing);
    }
}
