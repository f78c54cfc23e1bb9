using TuneSharp.Kernels;

namespace TuneSharp.Training.Optimizers;

/// <summary>The numbers of an optimizer whose state is held in 8 bits (or, for small weights, in fp32).</summary>
/// <param name="Lr">Learning rate.</param>
/// <param name="Beta1">First decay.</param>
/// <param name="Beta2">Second decay.</param>
/// <param name="Eps">Added to the root.</param>
/// <param name="WeightDecay">Decay of the weight, or its share in the gradient, as the rule has it.</param>
/// <param name="Bits">8, or 32 for a state in fp32 throughout.</param>
/// <param name="Min8BitSize">Weights with fewer elements keep their state in fp32.</param>
/// <param name="IsPaged">On a GPU, keep the state in the machine's own memory and fetch it weight by weight.</param>
/// <param name="DecaysFirst">Decay the weight before the step (torchao) rather than after it (bitsandbytes).</param>
internal sealed record BlockwiseSettings(
    double Lr, double Beta1, double Beta2, double Eps, double WeightDecay, int Bits, long Min8BitSize, bool IsPaged, bool DecaysFirst = false)
{
    /// <summary>bitsandbytes' default for <see cref="Min8BitSize"/>.</summary>
    public const int DefaultMin8BitSize = 4096;
}

/// <summary>bitsandbytes' optimizers: state in 8 bits, in blocks of 256, or in fp32; perhaps paged.</summary>
/// <remarks>
/// Paper: https://arxiv.org/abs/2110.02861. State, as bitsandbytes names it: step, state1 and state2 (uint8), absmax1, absmax2, qmap1, qmap2.
/// 2.03 bytes a weight for two states. Weights smaller than min_8bit_size have state1 and state2 in fp32 and nothing else.
/// </remarks>
public sealed class BlockwiseOptimizer : Optimizer
{
    private readonly Rule8 _rule;
    private readonly BlockwiseSettings _settings;
    private readonly PagedState? _paged;
    private readonly Dictionary<string, Tensor> _maps = new(StringComparer.Ordinal);

    internal BlockwiseOptimizer(IReadOnlyList<NamedParameter> parameters, Rule8 rule, BlockwiseSettings settings)
        : base(parameters, settings.Lr)
    {
        Require(settings.Beta1 is >= 0 and < 1, "betas", settings.Beta1, "numbers from 0 up to but not including 1");
        Require(settings.Beta2 is >= 0 and < 1, "betas", settings.Beta2, "numbers from 0 up to but not including 1");
        Require(settings.Eps >= 0, "eps", settings.Eps, "at least 0");
        Require(settings.WeightDecay >= 0, "weight_decay", settings.WeightDecay, "at least 0");
        Require(settings.Bits is 8 or 32, "optim_bits", settings.Bits, "8 or 32");
        Require(settings.Min8BitSize >= 0, "min_8bit_size", settings.Min8BitSize, "at least 0");
        RequireDense();
        (_rule, _settings) = (rule, settings);
        if (settings.IsPaged && parameters[0].Value.device_type == DeviceType.CUDA)
        {
            _paged = new PagedState(parameters[0].Value.device);
        }
    }

    private bool HasTwo => _rule == Rule8.Adam;

    private protected override void CreateState(int index, Tensor weight)
    {
        using IDisposable off = no_grad();
        if (!IsLow(weight))
        {
            Add("state1", index, New(weight.shape, ScalarType.Float32, weight));
            if (HasTwo)
            {
                Add("state2", index, New(weight.shape, ScalarType.Float32, weight));
            }

            return;
        }

        long blocks = Quantization.Ceil(weight.numel(), Blockwise8Step.Block);
        Add("state1", index, New(weight.shape, ScalarType.Byte, weight));
        Add("absmax1", index, zeros([blocks], ScalarType.Float32, weight.device));
        Add("qmap1", index, Map("qmap1", CodeBook.Dynamic, weight.device));
        if (HasTwo)
        {
            Add("state2", index, New(weight.shape, ScalarType.Byte, weight));
            Add("absmax2", index, zeros([blocks], ScalarType.Float32, weight.device));
            Add("qmap2", index, Map("qmap2", CodeBook.DynamicUnsigned, weight.device));
        }
    }

    private protected override long StateBytesOf(Tensor weight)
    {
        long states = HasTwo ? 2 : 1, count = weight.numel();
        bool onDevice = !_settings.IsPaged || weight.device_type == DeviceType.CPU || !PagedState.IsWorthwhile(count);
        long codes = IsLow(weight) ? count : count * sizeof(float);
        long scales = IsLow(weight) ? Quantization.Ceil(count, Blockwise8Step.Block) * sizeof(float) : 0;
        return states * ((onDevice ? codes : 0) + scales);
    }

    private protected override void Update()
    {
        if (_paged is null)
        {
            for (int k = 0; k < ActiveIndices.Count; k++)
            {
                int i = ActiveIndices[k];
                Move(k, State("state1", i), HasTwo ? State("state2", i) : null);
            }

            return;
        }

        // One ahead: while a weight moves, the state of the next is on its way, and that of the last goes back.
        for (int k = 0; k < ActiveIndices.Count; k++)
        {
            Tensor?[] here = _paged.Fetch(k, States(k), k + 1 < ActiveIndices.Count ? States(k + 1) : null);
            Move(k, here[0]!, here[1]);
            _paged.GiveBack(k, States(k), here);
        }

        _paged.Finish();
    }

    private Tensor?[] States(int k) => [State("state1", ActiveIndices[k]), HasTwo ? State("state2", ActiveIndices[k]) : null];

    private void Move(int k, Tensor state1, Tensor? state2)
    {
        using DisposeScope scope = NewDisposeScope();
        (int i, Tensor weight, Tensor gradient) = (ActiveIndices[k], ActiveWeights[k], ActiveGradients[k]);
        double decay = _settings.WeightDecay;
        if (_settings.DecaysFirst && decay > 0)
        {
            weight.mul_(1 - (Lr * decay));
            decay = 0;
        }

        (float beta1, float beta2, float eps) = ((float)_settings.Beta1, (float)_settings.Beta2, (float)_settings.Eps);
        bool low = IsLow(weight);
        Blockwise8Step step = new(
            _rule, weight, gradient, state1, low ? State("absmax1", i) : null, state2, low && HasTwo ? State("absmax2", i) : null,
            beta1, beta2, eps, (float)decay, (float)Lr, Count(i));
        step.Run();
    }

    private bool IsLow(Tensor weight) => _settings.Bits == 8 && weight.numel() >= _settings.Min8BitSize;

    private Tensor New(long[] shape, ScalarType dtype, Tensor weight)
    {
        if (_paged is null || !PagedState.IsWorthwhile(weight.numel()))
        {
            return zeros(shape, dtype, weight.device);
        }

        using Tensor pageable = zeros(shape, dtype);
        return pageable.pin_memory();
    }

    /// <summary>Every weight names the same table.</summary>
    private Tensor Map(string name, CodeBook book, Device device)
    {
        if (!_maps.TryGetValue(name, out Tensor? map))
        {
            _maps[name] = map = tensor(book.Values.ToArray(), device: device).DetachFromDisposeScope();
        }

        return map.alias();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (Tensor map in _maps.Values)
            {
                map.Dispose();
            }

            _paged?.Dispose();
        }

        base.Dispose(disposing);
    }
}
