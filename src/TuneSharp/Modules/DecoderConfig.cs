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

    /// <summary>Share of each head that rotary positions turn.</summary>
    public double PartialRotaryFactor { get; init; } = 1;

    /// <summary>Layers without rotary positions (NoPE), by number; empty when all have them.</summary>
    public IReadOnlyList<int> NoRopeLayers { get; init; } = [];

    /// <summary>Tokens that a query of a sliding layer sees, itself included; null when no layer slides.</summary>
    public long? SlidingWindow { get; init; }

    /// <summary>Layers with a sliding window, by number; null for all, if there is a window.</summary>
    public IReadOnlyList<int>? SlidingLayers { get; init; }

    /// <summary>Base of the rotary frequencies in sliding layers, unstretched; null when they have the others'.</summary>
    public double? SlidingRopeBase { get; init; }

    /// <summary>Stretching of the rotary frequencies in sliding layers with a base of their own, or null.</summary>
    public RopeScaling? SlidingRopeScaling { get; init; }

    /// <summary>Factor on attention scores; null for 1/√<see cref="HeadDim"/>.</summary>
    public double? AttnScale { get; init; }

    /// <summary>Cap on attention scores, or null.</summary>
    public double? AttnSoftCap { get; init; }

    /// <summary>Cap on logits, or null.</summary>
    public double? LogitSoftCap { get; init; }

    /// <summary>Growth of the queries with their position, or null.</summary>
    public QueryTemperature? Temperature { get; init; }

    /// <summary>Factor on embeddings, rounded to the weights' dtype.</summary>
    public double EmbedScale { get; init; } = 1;

    /// <summary>What feed-forward blocks apply to their gate.</summary>
    public GateActivation Activation { get; init; } = GateActivation.Silu;

    /// <summary>Dropout rate on attention weights.</summary>
    public double AttnDropout { get; init; }

    /// <summary>The head is the embedding table itself.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Biases on the attention's projections.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Biases in the feed-forward blocks.</summary>
    public bool MlpBias { get; init; }

    /// <summary>A bias on the attention's output projection; null for as <see cref="AttentionBias"/>.</summary>
    public bool? AttentionOutputBias { get; init; }

    /// <summary>Outputs of a classifier's head; 0 for a language model.</summary>
    public long NumClasses { get; init; }

    /// <summary>Positions are rows of a learned table of <see cref="MaxSeqLen"/> rows, and nothing is rotated (GPT-2, BERT).</summary>
    public bool LearnedPositions { get; init; }

    /// <summary>Every token sees all tokens of its text, later ones too (BERT).</summary>
    public bool Bidirectional { get; init; }

    /// <summary>Kinds of segments that tokens can belong to, each with a row of a learned table; 0 for none.</summary>
    public long NumTokenTypes { get; init; }

    /// <summary>Dropout rate on what attention and feed-forward blocks add.</summary>
    public double ResidDropout { get; init; }

    /// <summary>Dropout rate on embeddings.</summary>
    public double EmbedDropout { get; init; }

    /// <summary>Dropout rate before a classifier's head.</summary>
    public double ClassifierDropout { get; init; }

    /// <summary>Scores of layer i are divided by i + 1 as well.</summary>
    public bool AttnScaleByLayer { get; init; }

    /// <summary>The experts of the feed-forward blocks; null for a dense model.</summary>
    public Moe.MoeConfig? Moe { get; init; }

    /// <summary>Length of the pieces that rotated layers see by themselves; null for none (Llama 4).</summary>
    public long? AttnChunk { get; init; }

    /// <summary>Queries and keys are normed after the rotation, without weights.</summary>
    public bool NormAfterRope { get; init; }

    /// <summary>What all weight names in the files begin with, as in <c>language_model.</c>.</summary>
    public string FilePrefix { get; init; } = "";

    /// <summary>Whether a layer has a sliding window.</summary>
    /// <param name="layer">Its number.</param>
    public bool Slides(int layer) => SlidingWindow is not null && (SlidingLayers?.Contains(layer) ?? true);

    /// <summary>What the queries of each layer see and how they are turned; layers that agree share one kind.</summary>
    public IReadOnlyList<LayerKind> Kinds()
    {
        if (LearnedPositions)
        {
            return [.. Enumerable.Repeat(new LayerKind(Rope: null, Causal: !Bidirectional), NumLayers)];
        }

        Rope rope = new(HeadDim, MaxSeqLen, RopeBase, RopeScaling, PartialRotaryFactor);
        Rope near = SlidingRopeBase is { } theta ? new(HeadDim, MaxSeqLen, theta, SlidingRopeScaling, PartialRotaryFactor) : rope;
        return
        [
            .. Enumerable.Range(0, NumLayers).Select(i => new LayerKind(
                NoRopeLayers.Contains(i) ? null : Slides(i) ? near : rope, Slides(i) ? SlidingWindow : null, Chunk: null, Temperature)),
        ];
    }

    /// <summary>How the attention of this model departs from the plain softmax.</summary>
    public AttentionOptions AttentionOptions() => new() { Scale = AttnScale, SoftCap = AttnSoftCap, Dropout = AttnDropout };

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
