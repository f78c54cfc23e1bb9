using TuneSharp.Checkpointing;
using TuneSharp.Kernels;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules;

/// <summary>A decoder-only transformer. State-dict keys are torchtune's: <c>tok_embeddings</c>, <c>layers.N</c>, <c>norm</c>, <c>output</c>.</summary>
/// <remarks>
/// torchtune counterpart: <c>torchtune/modules/transformer.py</c>. Not thread-safe. The module owns its parameters; results belong to the
/// caller's <c>DisposeScope</c>. With tied embeddings there is no <c>output.weight</c>: the head reads the table.
/// </remarks>
public sealed class TransformerDecoder : Module<Tensor, Tensor>
{
    [ComponentName(Name = "tok_embeddings")]
    private readonly Embedding _tokEmbeddings;

    [ComponentName(Name = "input")]
    private readonly InputStage? _input;

    [ComponentName(Name = "layers")]
    private readonly TorchSharp.Modules.ModuleList<TransformerLayer> _layers;

    [ComponentName(Name = "norm")]
    private readonly Module<Tensor, Tensor> _norm;

    [ComponentName(Name = "output")]
    private readonly Linear? _output;

    [ComponentName(Name = "output_bias")]
    private readonly Parameter? _outputBias;

    private ActivationPolicy _activations = new();
    private ActivationOffload? _offload;

    /// <summary>Puts a decoder together.</summary>
    /// <param name="shape">Its numbers.</param>
    /// <param name="weights">Its table of weight names.</param>
    /// <param name="tokEmbeddings">Embedding table.</param>
    /// <param name="layers">Layers, first to last.</param>
    /// <param name="norm">Last norm, or whatever stands between the layers and the head.</param>
    /// <param name="output">Head, or null to use the embedding table.</param>
    /// <param name="input">What is done to embeddings before the first layer, or null.</param>
    /// <param name="tiedBias">A bias on the logits of a head that is the embedding table.</param>
    public TransformerDecoder(
        DecoderConfig shape, WeightMap weights, Embedding tokEmbeddings, IEnumerable<TransformerLayer> layers,
        Module<Tensor, Tensor> norm, Linear? output, InputStage? input = null, bool tiedBias = false)
        : base(nameof(TransformerDecoder))
    {
        (Shape, Weights) = (shape, weights);
        (_tokEmbeddings, _norm, _output, _input) = (tokEmbeddings, norm, output, input);
        _outputBias = tiedBias ? BuildScope.NewParameter(b => b.zero_(), always: false, shape.VocabSize) : null;
        _layers = new TorchSharp.Modules.ModuleList<TransformerLayer>([.. layers]);
        RegisterComponents();
    }

    /// <summary>The model's numbers.</summary>
    public DecoderConfig Shape { get; }

    /// <summary>The model's weight names in Hugging Face's files and here.</summary>
    public WeightMap Weights { get; }

    /// <summary>The adapters the model was built with, or null.</summary>
    public Peft.LoraConfig? Lora { get; init; }

    /// <summary>The <c>config.json</c> of a model that no folder describes, for its saves; null where the checkpoint's own is copied.</summary>
    public System.Text.Json.Nodes.JsonObject? HfConfig { get; set; }

    /// <summary>The folder that the weights came from, or null.</summary>
    public string? SourceDirectory { get; set; }

    /// <summary>How memory of activations is saved while training. Default: not at all.</summary>
    public ActivationPolicy Activations
    {
        get => _activations;
        set
        {
            _activations = value;
            _offload?.Dispose();
            _offload = value is { Offload: true, Recompute: RecomputedPart.Full } && Device.type == DeviceType.CUDA ? new ActivationOffload(Device) : null;
            for (int i = 0; i < _layers.Count; i++)
            {
                _layers[i].Recompute = value.In(i) is RecomputedPart.Attn or RecomputedPart.AttnMlp ? value.In(i) : RecomputedPart.None;
                _layers[i].TileTokens = value.TileTokens;
            }
        }
    }

    /// <summary>Called in the backward pass when all weights of a layer have their gradients, with the layer's number.</summary>
    internal Action<int>? LayerDone { get; set; }

    /// <summary>How evenly tokens spread over experts, for the router's auxiliary loss; null for a dense model.</summary>
    public Moe.RouterBalance? Balance { get; init; }

    /// <summary>Whether logits are hidden·Wᵀ alone: no bias, no adapters.</summary>
    public bool HasPlainHead => _outputBias is null && _output is null or { Bias: null } and not Peft.LoraLinear;

    /// <summary>The head's own layer; null when it is tied to the embedding table.</summary>
    public Linear? OutputLayer => _output;

    /// <summary>The head's weight, [V, D]: its own, or the embedding table.</summary>
    public Parameter OutputWeight => _output?.Weight ?? _tokEmbeddings.Weight;

    /// <summary>The same as numbers that a product can take: given back if it is held quantised.</summary>
    public Tensor DenseOutputWeight => OutputWeight is QuantizedParameter quantised ? quantised.Dense() : OutputWeight;

    /// <summary>Where the parameters are.</summary>
    public Device Device => _norm.parameters().First().device;

    /// <summary>Element type of the parameters.</summary>
    public ScalarType Dtype => _norm.parameters().First().dtype;

    /// <summary>Logits for every position.</summary>
    /// <param name="tokens">Ids, [B, T], int64.</param>
    /// <returns>[B, T, V], fp32.</returns>
    public override Tensor forward(Tensor tokens) => Logits(tokens);

    /// <summary>Logits for every position.</summary>
    /// <param name="tokens">Ids, [B, T], int64.</param>
    /// <param name="positions">[T] or [B, T], int64; null for 0 to T−1 (after what <paramref name="cache"/> holds).</param>
    /// <param name="mask">[B, 1, T, S], true where a query may look; null for causal.</param>
    /// <param name="cache">Earlier keys and values, extended by this call.</param>
    /// <param name="tokenTypes">Segment of each token, [B, T], int64; null for the first.</param>
    /// <returns>[B, T, V], fp32.</returns>
    public Tensor Logits(Tensor tokens, Tensor? positions = null, Tensor? mask = null, KvCache? cache = null, Tensor? tokenTypes = null)
    {
        using DisposeScope scope = NewDisposeScope();
        return Unembed(Hidden(tokens, positions, mask, null, cache, tokenTypes)).MoveToOuterDisposeScope();
    }

    /// <summary>Hidden states after the last norm: what the head reads. Losses that work in chunks start here.</summary>
    /// <param name="tokens">Ids, [B, T], int64.</param>
    /// <param name="positions">[T] or [B, T], int64, or null.</param>
    /// <param name="mask">[B, 1, T, S], true where a query may look, or null.</param>
    /// <param name="seqLens">Lengths of the samples packed into each row, or null.</param>
    /// <param name="cache">Earlier keys and values, or null.</param>
    /// <param name="tokenTypes">Segment of each token, [B, T], int64; null for the first.</param>
    /// <returns>[B, T, D].</returns>
    public Tensor Hidden(
        Tensor tokens, Tensor? positions = null, Tensor? mask = null, IReadOnlyList<int[]>? seqLens = null, KvCache? cache = null,
        Tensor? tokenTypes = null)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable? counted = Balance?.Forward();
        bool kernels = KernelChoice.Fused && Device.type == DeviceType.CUDA && Dtype == ScalarType.BFloat16 && _layers.All(l => l.FitsKernels);
        AttentionContexts contexts = new(tokens, positions, mask, seqLens, cache, kernels);
        Tensor h = _tokEmbeddings.forward(tokens);
        if (Shape.EmbedScale != 1)
        {
            h = h * Rounded(Shape.EmbedScale, h.dtype);
        }

        h = _input?.Apply(h, contexts.Positions, tokenTypes) ?? h;
        for (int i = 0; i < _layers.Count; i++)
        {
            TransformerLayer layer = _layers[i];
            AttentionContext context = contexts.For(layer.Kind);
            if (LayerDone is { } done && training)
            {
                int number = i;
                Tensor marked = BackwardMark.Apply(h, () => done(number));
                h.Dispose();
                h = marked;
            }

            bool isLast = i == _layers.Count - 1; // its input is wanted at once
            Tensor next = layer.Run(h, context, training && _activations.In(i) == RecomputedPart.Full, isLast ? null : _offload);
            h.Dispose(); // autograd keeps what it needs; without it this frees the layer's input at once
            h = next;
        }

        cache?.Advance(tokens.shape[1]);
        return _norm.forward(h).MoveToOuterDisposeScope();
    }

    /// <summary>Whether a forward and backward pass over rows of this width is the same launches every time, and waits for nothing.</summary>
    internal bool IsGraphable => KernelChoice.Fused && Device.type == DeviceType.CUDA && Dtype == ScalarType.BFloat16 && _offload is null
        && Balance is null && _layers.All(l => l.FitsKernels && l.IsFused);

    /// <summary>Applies the head, and the cap on logits where the family has one.</summary>
    /// <param name="hidden">[..., D].</param>
    /// <returns>[..., V], fp32.</returns>
    public Tensor Unembed(Tensor hidden)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor logits = _output is not null ? _output.forward(hidden)
            : _outputBias is null ? _tokEmbeddings.Project(hidden) : _tokEmbeddings.Project(hidden) + _outputBias;
        logits = logits.to(ScalarType.Float32);
        if (Shape.LogitSoftCap is { } cap)
        {
            logits = (logits / cap).tanh() * cap;
        }

        return logits.MoveToOuterDisposeScope();
    }

    /// <summary>An empty cache that fits this model.</summary>
    /// <param name="batch">Rows.</param>
    /// <param name="capacity">Most tokens held.</param>
    public KvCache NewCache(long batch, long capacity) =>
        new(Shape.NumLayers, batch, Shape.NumKvHeads, capacity, Shape.HeadDim, Dtype, Device);

    /// <summary>
    /// Whether a sequence that grows from one length to the other must be computed anew, because rotary frequencies depend on the
    /// length (dynamic and longrope stretching): a KV cache is then to be reset and filled with all tokens.
    /// </summary>
    /// <param name="length">Tokens so far.</param>
    /// <param name="grown">Tokens then.</param>
    public bool MustRecompute(long length, long grown) => _layers.Any(l => l.Kind.Rope?.ChangesBetween(length, grown) == true);

    /// <summary>Whether a weight may be missing from a checkpoint: the head of a classifier that is about to be trained from a language model.</summary>
    /// <param name="name">State-dict key.</param>
    public bool IsFreshHead(string name) =>
        Shape.NumClasses > 0 && (name.StartsWith("output.", StringComparison.Ordinal) || name.StartsWith("norm.dense.", StringComparison.Ordinal));

    /// <summary>Gives weights that no checkpoint held their initial values: small random ones, biases zero.</summary>
    /// <param name="names">State-dict keys.</param>
    public void Initialise(IEnumerable<string> names)
    {
        using IDisposable off = no_grad();
        IReadOnlyDictionary<string, Tensor> parameters = NamedParameters();
        foreach (string key in names.Where(n => !Peft.Adapters.IsAdapterName(n)))
        {
            Tensor weight = parameters[key];
            _ = key.EndsWith(".bias", StringComparison.Ordinal) ? weight.zero_() : weight.normal_(0, Linear.InitStd);
        }
    }

    /// <summary>Parameters by state-dict key, made once: the handles are the module's own.</summary>
    public IReadOnlyDictionary<string, Tensor> NamedParameters() =>
        named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter, StringComparer.Ordinal);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _offload?.Dispose();
            _offload = null;
        }

        base.Dispose(disposing);
    }

    /// <summary>A factor as the weights' dtype holds it: the models were trained with the rounded one.</summary>
    private static double Rounded(double factor, ScalarType dtype)
    {
        using DisposeScope scope = NewDisposeScope();
        return tensor(factor, ScalarType.Float64).to(dtype).to(ScalarType.Float64).item<double>();
    }
}
