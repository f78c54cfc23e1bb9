using static TorchSharp.torch.nn;

namespace TuneSharp.Generation;

/// <summary>Chooses the next token of each row.</summary>
/// <remarks>
/// Sampling is argmax(p / e) with e ~ Exp(1), which draws from p without a sum over it; torchtune does the same.
/// Letters: B rows, V vocabulary.
/// </remarks>
internal sealed class Sampler : IDisposable
{
    private readonly GenerationOptions _options;
    private readonly Generator? _generator;

    /// <summary>Prepares the choice.</summary>
    public Sampler(GenerationOptions options)
    {
        _options = options.Checked();
        if (options.Seed is { } seed)
        {
            _generator = new Generator((ulong)seed);
        }
    }

    /// <summary>The next ids, [B], int64.</summary>
    /// <param name="logits_BV">fp32.</param>
    public Tensor Choose(Tensor logits_BV)
    {
        using DisposeScope scope = NewDisposeScope();
        if (_options.Temperature == 0)
        {
            return logits_BV.argmax(-1).MoveToOuterDisposeScope();
        }

        Tensor z_BV = logits_BV / _options.Temperature;
        if (_options.TopK is { } k && k < z_BV.shape[1])
        {
            Tensor least_B1 = z_BV.topk(k, -1).values.narrow(1, k - 1, 1);
            z_BV = z_BV.masked_fill(z_BV.lt(least_B1), float.NegativeInfinity);
        }

        Tensor p_BV = functional.softmax(z_BV, -1);
        if (_options.TopP is { } topP)
        {
            (Tensor sorted_BV, Tensor order_BV) = p_BV.sort(-1, descending: true);
            // A token stays while the tokens before it have not reached the share: the likeliest always stays.
            Tensor drop_BV = (sorted_BV.cumsum(-1) - sorted_BV).ge(topP);
            p_BV = p_BV.masked_fill(zeros_like(drop_BV).scatter(1, order_BV, drop_BV), 0);
        }

        // Drawn on the CPU whatever the device: one seed gives one answer everywhere, and TorchSharp's generators know no GPU.
        Tensor e_BV = empty(p_BV.shape, ScalarType.Float32).exponential_(1, _generator).to(p_BV.device);
        return (p_BV / e_BV).argmax(-1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => _generator?.Dispose();
}
