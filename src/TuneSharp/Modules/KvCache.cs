namespace TuneSharp.Modules;

/// <summary>Keys and values of the tokens seen so far, for every layer, so that generation computes each token once.</summary>
/// <remarks>One fixed block a layer, [B, K, capacity, H]; nothing is allocated while decoding. Not thread-safe.</remarks>
public sealed class KvCache : IDisposable
{
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;

    /// <summary>Allocates the blocks.</summary>
    /// <param name="numLayers">Layers.</param>
    /// <param name="batch">Rows.</param>
    /// <param name="numKvHeads">Key heads, K.</param>
    /// <param name="capacity">Most tokens held.</param>
    /// <param name="headDim">Head width, H.</param>
    /// <param name="dtype">Element type.</param>
    /// <param name="device">Device.</param>
    public KvCache(int numLayers, long batch, long numKvHeads, long capacity, long headDim, ScalarType dtype, Device device)
    {
        Capacity = capacity;
        Tensor Block() => zeros([batch, numKvHeads, capacity, headDim], dtype, device).DetachFromDisposeScope();
        _keys = [.. Enumerable.Range(0, numLayers).Select(_ => Block())];
        _values = [.. Enumerable.Range(0, numLayers).Select(_ => Block())];
    }

    /// <summary>Most tokens held.</summary>
    public long Capacity { get; }

    /// <summary>Tokens held so far.</summary>
    public long Length { get; private set; }

    /// <summary>Adds a layer's new keys and values and returns all of that layer's.</summary>
    /// <param name="layer">Layer number.</param>
    /// <param name="k_BKTH">New keys, [B, K, T, H].</param>
    /// <param name="v_BKTH">New values.</param>
    /// <returns>Keys and values so far, [B, K, S, H], views of the cache.</returns>
    public (Tensor Keys, Tensor Values) Append(int layer, Tensor k_BKTH, Tensor v_BKTH)
    {
        long added = k_BKTH.shape[2];
        if (Length + added > Capacity)
        {
            throw new InvalidOperationException(
                $"The KV cache holds {Capacity} tokens; {Length} are in it and {added} more do not fit. Make it with a larger capacity.");
        }

        _keys[layer].narrow(2, Length, added).copy_(k_BKTH);
        _values[layer].narrow(2, Length, added).copy_(v_BKTH);
        return (_keys[layer].narrow(2, 0, Length + added), _values[layer].narrow(2, 0, Length + added));
    }

    /// <summary>Counts the tokens that all layers have appended.</summary>
    /// <param name="tokens">How many.</param>
    public void Advance(long tokens) => Length += tokens;

    /// <summary>Forgets everything; the blocks stay.</summary>
    public void Reset() => Length = 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor t in _keys.Concat(_values))
        {
            t.Dispose();
        }
    }
}
