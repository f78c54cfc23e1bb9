using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>What is added to token embeddings before the first layer: learned positions, segments, a norm, dropout.</summary>
/// <remarks>State-dict keys <c>pos_embeddings</c> [T, D], and where a family has them <c>type_embeddings</c> [S, D] and <c>norm</c>.</remarks>
public sealed class InputStage : Module<Tensor, Tensor>
{
    [ComponentName(Name = "pos_embeddings")]
    private readonly Embedding _positions;

    [ComponentName(Name = "type_embeddings")]
    private readonly Embedding? _types;

    [ComponentName(Name = "norm")]
    private readonly LayerNorm? _norm;

    private readonly double _dropout;

    /// <summary>Builds the stage.</summary>
    /// <param name="positions">A row for each position.</param>
    /// <param name="types">A row for each kind of segment, or null.</param>
    /// <param name="norm">Norm of the sum, or null.</param>
    /// <param name="dropout">Dropout rate while training.</param>
    public InputStage(Embedding positions, Embedding? types = null, LayerNorm? norm = null, double dropout = 0)
        : base(nameof(InputStage))
    {
        (_positions, _types, _norm, _dropout) = (positions, types, norm, dropout);
        RegisterComponents();
    }

    /// <summary>Applies the stage at positions 0 to T−1, in the first segment.</summary>
    /// <param name="x">Token embeddings, [B, T, D].</param>
    public override Tensor forward(Tensor x) => Apply(x, arange(x.shape[1], ScalarType.Int64, x.device), null);

    /// <summary>Applies the stage.</summary>
    /// <param name="x">Token embeddings, [B, T, D].</param>
    /// <param name="positions">[T] or [B, T], int64.</param>
    /// <param name="types">Segment of each token, [B, T], int64; null for the first.</param>
    /// <exception cref="ArgumentException">A text is longer than the table of positions.</exception>
    public Tensor Apply(Tensor x, Tensor positions, Tensor? types)
    {
        using DisposeScope scope = NewDisposeScope();
        long rows = _positions.Weight.shape[0];

        // Only a text longer than the table can run over it: then it is worth waiting for a GPU's answer, which would end the process otherwise.
        if ((positions.dim() == 1 || x.shape[1] > rows) && positions.max().item<long>() is { } last && last >= rows)
        {
            throw new ArgumentException(
                $"A text has {last + 1} tokens, and this model has learned positions for {rows}. Set tokenizer.max_seq_len to at most {rows}.");
        }

        Tensor sum = x + _positions.forward(positions);
        if (_types is not null)
        {
            sum = sum + (types is null ? _types.Weight.narrow(0, 0, 1) : _types.forward(types));
        }

        sum = _norm?.forward(sum) ?? sum;
        return (training && _dropout > 0 ? functional.dropout(sum, _dropout, training: true) : sum).MoveToOuterDisposeScope();
    }
}
