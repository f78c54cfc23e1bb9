using System.Globalization;
using TuneSharp.Checkpointing;

namespace TuneSharp.Training.Optimizers;

/// <summary>Turns gradients into weight updates. Each subclass is one of torch's optimizers: its name, arguments, defaults and arithmetic.</summary>
/// <remarks>
/// State has the dtype and device of its weight and is made at a weight's first gradient. A weight without a gradient is left
/// alone, as in torch. Not thread-safe. State tensors belong to the optimizer until it is disposed; weights do not.
/// </remarks>
public abstract class Optimizer : IDisposable
{
    private readonly Dictionary<string, Tensor?[]> _state = [];
    private readonly Tensor[] _weights;
    private readonly double[] _lrScales;
    private readonly long[] _counts;
    private readonly Tensor?[] _countTensors;
    private readonly List<int> _active = [];
    private readonly List<Tensor> _grads = [];
    private readonly List<Tensor> _activeWeights = [];

    /// <summary>Creates the optimizer.</summary>
    /// <param name="parameters">What it trains; at least one, names distinct.</param>
    /// <param name="lr">Learning rate, at least 0.</param>
    /// <exception cref="ArgumentException">A value is out of range; the message holds it.</exception>
    protected Optimizer(IReadOnlyList<NamedParameter> parameters, double lr)
    {
        if (parameters.Count == 0)
        {
            throw new ArgumentException(
                $"{GetType().Name} got no parameters to train. Is every weight frozen? Check the model's lora_attn_modules, or train all weights.");
        }

        if (parameters.Select(p => p.Name).Distinct(StringComparer.Ordinal).Count() != parameters.Count)
        {
            string twice = parameters.GroupBy(p => p.Name, StringComparer.Ordinal).First(g => g.Count() > 1).Key;
            throw new ArgumentException($"{GetType().Name} got parameter {twice} twice. Pass each parameter once.");
        }

        Require(lr >= 0, nameof(lr), lr, "at least 0");
        Parameters = parameters;
        Lr = lr;
        _weights = [.. parameters.Select(p => (Tensor)p.Value)];
        _lrScales = [.. parameters.Select(p => p.LrScale).Distinct()];
        _counts = new long[_weights.Length];
        _countTensors = new Tensor?[_weights.Length];
    }

    /// <summary>What is trained.</summary>
    public IReadOnlyList<NamedParameter> Parameters { get; }

    /// <summary>Learning rate of the next step; a schedule sets it.</summary>
    public double Lr { get; set; }

    /// <summary>Bytes that the state takes once every weight has had a gradient.</summary>
    public long StateBytes => _weights.Sum(StateBytesOf);

    /// <summary>Weights that have a gradient in the current step.</summary>
    private protected IReadOnlyList<Tensor> ActiveWeights => _activeWeights;

    /// <summary>Their gradients, in the same order.</summary>
    private protected IReadOnlyList<Tensor> ActiveGradients => _grads;

    /// <summary>Their indices into <see cref="Parameters"/>.</summary>
    private protected IReadOnlyList<int> ActiveIndices => _active;

    /// <summary>torch keeps a <c>step</c> beside the other state of each weight; SGD and Muon do not.</summary>
    private protected virtual bool CountsSteps => true;

    /// <summary>Updates every weight that has a gradient.</summary>
    public void Step() => Step(null);

    /// <summary>Updates some weights, those of them that have a gradient: for a step that is taken while the backward pass still runs.</summary>
    /// <param name="chosen">Indices into <see cref="Parameters"/>; null for all.</param>
    public void Step(IReadOnlySet<int>? chosen)
    {
        double lr = Lr;
        try
        {
            foreach (double scale in _lrScales)
            {
                Lr = lr * scale;
                StepThose(chosen, scale);
            }
        }
        finally
        {
            Lr = lr;
        }
    }

    private void StepThose(IReadOnlySet<int>? chosen, double scale)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        _active.Clear();
        _grads.Clear();
        _activeWeights.Clear();
        for (int i = 0; i < _weights.Length; i++)
        {
            if (chosen?.Contains(i) == false || Parameters[i].LrScale != scale || _weights[i].grad is not { } grad)
            {
                continue;
            }

            // Fused kernels walk raw memory: gradient and weight must share one layout.
            _grads.Add(grad.is_contiguous() ? grad : grad.contiguous());
            _active.Add(i);
            _activeWeights.Add(_weights[i]);
            if (_counts[i]++ == 0)
            {
                CreateState(i, _weights[i]);
            }
        }

        if (_active.Count > 0)
        {
            Update();
        }

        _grads.Clear();
    }

    /// <summary>Drops every gradient, so that the next backward pass starts from none and their memory is free meanwhile.</summary>
    public void ZeroGrad()
    {
        foreach (Tensor weight in _weights)
        {
            weight.grad = null;
        }
    }

    /// <summary>Drops the gradients of some weights.</summary>
    /// <param name="chosen">Indices into <see cref="Parameters"/>.</param>
    public void ZeroGrad(IReadOnlySet<int> chosen)
    {
        foreach (int i in chosen)
        {
            _weights[i].grad = null;
        }
    }

    /// <summary>The whole state by <c>weight name.state name</c>, as in <c>layers.0.attn.q_proj.lora_a.weight.exp_avg</c>.</summary>
    /// <remarks>The tensors stay the optimizer's own: read them before the next step and do not dispose them.</remarks>
    public IReadOnlyDictionary<string, Tensor> StateTensors()
    {
        Dictionary<string, Tensor> all = new(StringComparer.Ordinal);
        for (int i = 0; i < _weights.Length; i++)
        {
            if (CountsSteps)
            {
                _countTensors[i] ??= zeros([], float32).DetachFromDisposeScope();
                using Scalar count = _counts[i];
                _countTensors[i]!.fill_(count);
                all[Parameters[i].Name + ".step"] = _countTensors[i]!;
            }

            foreach ((string name, Tensor?[] perWeight) in _state)
            {
                if (perWeight[i] is { } tensor)
                {
                    all[$"{Parameters[i].Name}.{name}"] = tensor;
                }
            }
        }

        return all;
    }

    /// <summary>Continues exactly where the saved state stood.</summary>
    /// <param name="state">What <see cref="StateTensors"/> gave.</param>
    /// <exception cref="CheckpointException">A tensor is missing, unknown, or of another shape.</exception>
    public void LoadState(IReadOnlyDictionary<string, Tensor> state)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        HashSet<string> unused = new(state.Keys, StringComparer.Ordinal);
        for (int i = 0; i < _weights.Length; i++)
        {
            string prefix = Parameters[i].Name + ".";
            _counts[i] = SavedCount(state, unused, prefix);
            foreach (Tensor?[] perWeight in _state.Values)
            {
                perWeight[i]?.Dispose();
                perWeight[i] = null;
            }

            if (_counts[i] == 0)
            {
                continue;
            }

            CreateState(i, _weights[i]);
            foreach ((string name, Tensor?[] perWeight) in _state)
            {
                if (perWeight[i] is { } target)
                {
                    target.copy_(Saved(state, unused, prefix + name, target));
                }
            }
        }

        if (unused.Count > 0)
        {
            throw new CheckpointException(
                $"The saved optimizer state has {unused.Count} tensors that {GetType().Name} does not use, such as {unused.Order(StringComparer.Ordinal).First()}. " +
                "It was written by another optimizer or for other trainable weights. Resume with the config that wrote it, or start afresh.");
        }
    }

    /// <summary>Frees the state.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the state.</summary>
    /// <param name="disposing">False from a finalizer.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (!disposing)
        {
            return;
        }

        foreach (Tensor? tensor in _state.Values.SelectMany(t => t).Concat(_countTensors))
        {
            tensor?.Dispose();
        }
    }

    /// <summary>Makes the state of one weight, all of it, by <see cref="Add"/>.</summary>
    /// <param name="index">Index into <see cref="Parameters"/>.</param>
    /// <param name="weight">The weight.</param>
    private protected abstract void CreateState(int index, Tensor weight);

    /// <summary>Bytes of what <see cref="CreateState"/> makes.</summary>
    /// <param name="weight">The weight.</param>
    private protected abstract long StateBytesOf(Tensor weight);

    /// <summary>Updates the active weights in place; runs without autograd and in a scope of its own.</summary>
    private protected abstract void Update();

    /// <summary>Keeps a state tensor.</summary>
    /// <param name="name">torch's name for it, as in <c>exp_avg</c>.</param>
    /// <param name="index">Index into <see cref="Parameters"/>.</param>
    /// <param name="value">Its first value.</param>
    private protected void Add(string name, int index, Tensor value)
    {
        if (!_state.TryGetValue(name, out Tensor?[]? perWeight))
        {
            _state[name] = perWeight = new Tensor?[_weights.Length];
        }

        perWeight[index] = value.DetachFromDisposeScope();
    }

    /// <summary>A state tensor of one weight.</summary>
    /// <param name="name">torch's name for it.</param>
    /// <param name="index">Index into <see cref="Parameters"/>.</param>
    private protected Tensor State(string name, int index) => _state[name][index]!;

    /// <summary>A state tensor of each active weight.</summary>
    /// <param name="name">torch's name for it.</param>
    /// <param name="list">A list to fill anew.</param>
    private protected List<Tensor> Collect(string name, List<Tensor> list)
    {
        list.Clear();
        Tensor?[] perWeight = _state[name];
        foreach (int i in _active)
        {
            list.Add(perWeight[i]!);
        }

        return list;
    }

    /// <summary>Steps that a weight has taken, the current one included.</summary>
    /// <param name="index">Index into <see cref="Parameters"/>.</param>
    private protected long Count(int index) => _counts[index];

    /// <summary>Throws when an argument is out of range.</summary>
    /// <param name="valid">Whether it is in range.</param>
    /// <param name="key">The config's key.</param>
    /// <param name="value">What was given.</param>
    /// <param name="range">The range in words.</param>
    private protected void Require(bool valid, string key, object? value, string range)
    {
        if (!valid)
        {
            string given = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "null";
            throw new ArgumentException($"{GetType().Name}: {key} is {given}; it must be {range}.");
        }
    }

    /// <summary>Checks a pair of decay rates and gives torch's default when there is none.</summary>
    /// <param name="betas">Two numbers in [0, 1), or null for (0.9, 0.999).</param>
    private protected (double Beta1, double Beta2) Betas(double[]? betas)
    {
        if (betas is null)
        {
            return (0.9, 0.999);
        }

        string given = $"[{string.Join(", ", betas.Select(b => b.ToString(CultureInfo.InvariantCulture)))}]";
        Require(betas.Length == 2, "betas", given, "two numbers, as in [0.9, 0.999]");
        Require(betas.All(b => b is >= 0 and < 1), "betas", given, "two numbers from 0 up to but not including 1");
        return (betas[0], betas[1]);
    }

    /// <summary>Refuses to differentiate through the step: nothing here records it.</summary>
    /// <param name="differentiable">torch's argument of that name.</param>
    private protected void RequireNotDifferentiable(bool differentiable) =>
        Require(!differentiable, "differentiable", "true", "false: gradients through an optimizer step are not supported");

    /// <summary>Throws when a weight is a strided view: fused kernels walk raw memory.</summary>
    private protected void RequireDense()
    {
        foreach (NamedParameter parameter in Parameters)
        {
            if (!parameter.Value.is_contiguous())
            {
                throw new ArgumentException(
                    $"{GetType().Name}: {parameter.Name} is a strided view; the fused step needs dense weights. Make it from a contiguous() tensor.");
            }
        }
    }

    private long SavedCount(IReadOnlyDictionary<string, Tensor> state, HashSet<string> unused, string prefix)
    {
        if (!CountsSteps)
        {
            // Without a counter, a weight that has state has been stepped.
            return state.Keys.Any(k => k.StartsWith(prefix, StringComparison.Ordinal)) ? 1 : 0;
        }

        using Tensor step = Saved(state, unused, prefix + "step", null).to(float32).cpu();
        return (long)step.item<float>();
    }

    private Tensor Saved(IReadOnlyDictionary<string, Tensor> state, HashSet<string> unused, string key, Tensor? like)
    {
        if (!state.TryGetValue(key, out Tensor? tensor))
        {
            throw new CheckpointException(
                $"The saved optimizer state lacks {key}, which {GetType().Name} needs. " +
                "It was written by another optimizer or for other trainable weights. Resume with the config that wrote it, or start afresh.");
        }

        unused.Remove(key);
        if (like is not null && !tensor.shape.SequenceEqual(like.shape))
        {
            throw new CheckpointException(
                $"The saved optimizer state's {key} is [{string.Join(", ", tensor.shape)}], but the weight wants [{string.Join(", ", like.shape)}]. " +
                "Resume with the model and LoRA rank that wrote it.");
        }

        return tensor;
    }
}
