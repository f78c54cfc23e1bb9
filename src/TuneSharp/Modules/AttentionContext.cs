using TuneSharp.Kernels;

namespace TuneSharp.Modules;

/// <summary>What the attention of every layer of one <see cref="LayerKind"/> needs besides the hidden states, made once per forward pass.</summary>
/// <param name="Angles">Rotary cosines and sines of the new tokens, [T or B×T, 1, H/2, 2]; null where nothing turns.</param>
/// <param name="Mask">[B, 1, T, S], true where a query may look; null for plain causal attention.</param>
/// <param name="SeqLens">Lengths of the samples packed into each row; null when rows are one sample.</param>
/// <param name="Cache">Keys and values of earlier tokens; null when there are none.</param>
public sealed record AttentionContext(
    Tensor? Angles, Tensor? Mask = null, IReadOnlyList<int[]>? SeqLens = null, KvCache? Cache = null)
{
    /// <summary>Factor on the queries, [T, 1, 1] or [B, T, 1, 1]; null for none.</summary>
    public Tensor? QueryScale { get; init; }

    /// <summary>Without a mask, a query sees no later key.</summary>
    public bool Causal { get; init; } = true;

    /// <summary>What queries see, for the kernels on a GPU; null where these cannot run. There is no <see cref="Mask"/> beside it.</summary>
    internal AttentionPlan? Plan { get; init; }

    /// <summary>The tensors that a layer reads while it trains, for activation checkpointing.</summary>
    internal IReadOnlyList<Tensor> Tensors => [.. ((Tensor?[])[Angles, Mask, QueryScale, Plan?.Starts]).OfType<Tensor>()];

    /// <summary>The same with other handles of <see cref="Tensors"/>.</summary>
    internal AttentionContext With(IReadOnlyList<Tensor> tensors)
    {
        int next = 0;
        Tensor? Next(Tensor? mine) => mine is null ? null : tensors[next++];
        return this with
        {
            Angles = Next(Angles), Mask = Next(Mask), QueryScale = Next(QueryScale), Plan = Plan?.With(Next(Plan.Starts)),
        };
    }
}

/// <summary>Makes the contexts of one forward pass, one for each kind of layer.</summary>
/// <remarks>Letters: B rows, T new tokens, S all tokens.</remarks>
internal sealed class AttentionContexts
{
    private readonly Tensor? _positions; // of the new tokens; null for 0 to T−1
    private readonly Tensor? _given;
    private readonly Tensor? _mask;
    private readonly IReadOnlyList<int[]>? _seqLens;
    private readonly KvCache? _cache;
    private readonly long _length;
    private readonly Device _device;
    private readonly long _rows;
    private readonly bool _planned;
    private readonly Dictionary<LayerKind, AttentionContext> _contexts = [];
    private readonly Dictionary<Rope, Tensor> _angles = [];

    /// <summary>Checks the arguments of a forward pass and completes its mask.</summary>
    /// <param name="tokens">[B, T].</param>
    /// <param name="positions">[T] or [B, T], or null.</param>
    /// <param name="mask">[B, 1, T, S], or null.</param>
    /// <param name="seqLens">Lengths of the samples packed into each row, or null.</param>
    /// <param name="cache">Earlier keys and values, or null.</param>
    /// <param name="kernels">All layers can attend by the kernels on a GPU, which need no mask.</param>
    public AttentionContexts(
        Tensor tokens, Tensor? positions, Tensor? mask, IReadOnlyList<int[]>? seqLens, KvCache? cache, bool kernels = false)
    {
        (_rows, _length, _device, _seqLens, _cache) = (tokens.shape[0], tokens.shape[1], tokens.device, seqLens, cache);
        _planned = kernels && mask is null && cache is null && _length > 1;
        _positions = positions is null && Earlier > 0 ? arange(Earlier, All, ScalarType.Int64, _device) : positions;
        _given = mask;
        if (seqLens is not null)
        {
            Attention.CheckSeqLens(seqLens, tokens.shape[0], _length);
            mask ??= Attention.PrefersMask(_device) && !_planned ? Attention.BlockCausalMask(seqLens, _length, _device) : null;
        }
        else if (mask is null && _length > 1 && Earlier > 0)
        {
            // libtorch's causal flag would put the triangle at the first key, not after those that the cache holds.
            mask = Causal();
        }

        _mask = mask;
    }

    private long Earlier => _cache?.Length ?? 0;

    private long All => Earlier + _length;

    /// <summary>Positions of the new tokens, [T] or [B, T].</summary>
    public Tensor Positions => _positions ?? arange(_length, ScalarType.Int64, _device);

    /// <summary>The context of a kind of layer.</summary>
    public AttentionContext For(LayerKind kind)
    {
        if (!_contexts.TryGetValue(kind, out AttentionContext? context))
        {
            _contexts[kind] = context = !kind.Causal ? Everywhere() : new AttentionContext(AnglesOf(kind.Rope), _planned ? null : MaskOf(kind), _seqLens, _cache)
            {
                Plan = _planned ? AttentionPlan.Of(_rows, _length, _seqLens, kind.Window, _device) : null,
                QueryScale = kind.Temperature?.Factors(Positions),
            };
        }

        return context;
    }

    /// <summary>Every query sees its whole sample.</summary>
    private AttentionContext Everywhere()
    {
        if (_cache is not null)
        {
            throw new ArgumentException("A model whose tokens see later ones (an encoder) has no KV cache: it does not generate text.");
        }

        Tensor? mask = _given ?? (_seqLens is null ? null : Attention.BlockMask(_seqLens, _length, _device));
        return new AttentionContext(Angles: null, mask) { Causal = false };
    }

    private Tensor? AnglesOf(Rope? rope)
    {
        if (rope is null)
        {
            return null;
        }

        if (Earlier > 0 && rope.ChangesBetween(Earlier, All))
        {
            throw new InvalidOperationException(
                $"The model's rotary frequencies change between {Earlier} and {All} tokens, and what the KV cache holds was computed with the " +
                "old ones. Reset the cache and give all tokens again.");
        }

        if (!_angles.TryGetValue(rope, out Tensor? angles))
        {
            _angles[rope] = angles = rope.Angles(_positions, _length, _device);
        }

        return angles;
    }

    private Tensor? MaskOf(LayerKind kind)
    {
        // A reach that covers the longest sample hides nothing: the mask, and the kernels that go without, stay as they are.
        long longest = _seqLens is null ? All : _seqLens.Max(row => row.Max());
        Tensor? first = null; // the earliest key that each query sees, [T, 1] or [B, T, 1]
        Tensor Index() => arange(Earlier, All, ScalarType.Int64, _device);
        if (kind.Window is { } window && window < longest)
        {
            first = Index() - (window - 1);
        }

        if (kind.Chunk is { } chunk && chunk < longest)
        {
            Tensor start = Index() - Positions.remainder(chunk);
            first = first is null ? start : maximum(first, start);
        }

        if (first is null)
        {
            return _mask;
        }

        Tensor reached = arange(All, ScalarType.Int64, _device).ge(first.unsqueeze(-1));
        reached = reached.dim() == 2 ? reached.unsqueeze(0).unsqueeze(0) : reached.unsqueeze(1);
        return reached.logical_and(_mask ?? (_seqLens is null ? Causal() : Attention.BlockCausalMask(_seqLens, _length, _device)));
    }

    private Tensor Causal() => ones([1, 1, _length, All], ScalarType.Bool, _device).tril(Earlier);
}
