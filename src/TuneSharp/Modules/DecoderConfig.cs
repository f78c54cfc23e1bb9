namespace TuneSharp.Modules;

/// <summary>The numbers that make one decoder differ from another of the same structure.</summary>
public sealed record DecoderConfig
{
    private readonly long? _headDim;

    /// <summary>Rows of the embedding table.</summary>
    public required long VocabSize { get; init; }

    /// <summary>Layers.</summary>
    public required int NumLayers { get; init; }

    /// <summary>Query heads.</summary>
    public required int NumHeads { get; init; }

    /// <summary>Key/value heads; divides <see cref="NumHeads"/>.</summary>
    public required int NumKvHeads { get; init; }

    /// <summary>Width of the hidden states.</summary>
    public required long EmbedDim { get; init; }

    /// <summary>Width inside the feed-forward blocks.</summary>
    public required long HiddenDim { get; init; }

    /// <summary>Longest sequence, in tokens.</summary>
    public required long MaxSeqLen { get; init; }

    /// <summary>Width of a head. Default: <see cref="EmbedDim"/> / <see cref="NumHeads"/>.</summary>
    public long HeadDim { get => _headDim ?? EmbedDim / NumHeads; init => _headDim = value; }

    /// <summary>Added to the mean square in norms.</summary>
    public double NormEps { get; init; } = 1e-5;

    /// <summary>Base of the rotary frequencies.</summary>
    public double RopeBase { get; init; } = 10_000;

    /// <summary>Stretching of the rotary frequencies, or null.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>Dropout rate on attention weights.</summary>
    public double AttnDropout { get; init; }

    /// <summary>The head is the embedding table itself.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Biases on the attention's projections.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Biases in the feed-forward blocks.</summary>
    public bool MlpBias { get; init; }

    /// <summary>Outputs of a classifier's head; 0 for a language model.</summary>
    public long NumClasses { get; init; }

    /// <summary>The same with a classifier's head.</summary>
    /// <param name="numClasses">Its outputs.</param>
    /// <exception cref="ArgumentException">Fewer than one.</exception>
    public DecoderConfig WithClasses(long numClasses) => numClasses < 1
        ? throw new ArgumentException($"num_classes is {numClasses}; it must be at least 1.")
        : this with { NumClasses = numClasses };

    /// <summary>Llama 2's rule for the width inside feed-forward blocks: ⅔ of 4·width, rounded up to a multiple of 256.</summary>
    /// <param name="embedDim">Width of the hidden states.</param>
    public static long DefaultHiddenDim(long embedDim) => (8 * embedDim / 3 + 255) / 256 * 256;

    /// <summary>Says what does not fit together.</summary>
    /// <exception cref="ArgumentException">The first mismatch, with its values.</exception>
    public DecoderConfig Checked()
    {
        foreach ((string name, long value) in new (string, long)[]
        {
            ("vocab_size", VocabSize), ("num_layers", NumLayers), ("num_heads", NumHeads), ("num_kv_heads", NumKvHeads),
            ("embed_dim", EmbedDim), ("intermediate_dim", HiddenDim), ("max_seq_len", MaxSeqLen), ("head_dim", _headDim ?? 1),
        })
        {
            if (value <= 0)
            {
                throw new ArgumentException($"{name} is {value}; it must be positive.");
            }
        }

        if (NumHeads % NumKvHeads != 0)
        {
            throw new ArgumentException($"num_heads ({NumHeads}) must be divisible by num_kv_heads ({NumKvHeads}).");
        }

        return _headDim is null && EmbedDim % NumHeads != 0
            ? throw new ArgumentException($"embed_dim ({EmbedDim}) must be divisible by num_heads ({NumHeads}).")
            : this;
    }
}
