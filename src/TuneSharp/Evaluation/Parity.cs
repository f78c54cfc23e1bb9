using TuneSharp.Backend;
using TuneSharp.Checkpointing;
using TuneSharp.Generation;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using static TorchSharp.torch.nn;

namespace TuneSharp.Evaluation;

/// <summary>One comparison with a reference file.</summary>
/// <param name="Name">What was compared: a tensor's name in the reference.</param>
/// <param name="MaxAbs">Largest absolute difference.</param>
/// <param name="Relative">Difference relative to the reference (2-norms; for the loss, absolute values).</param>
/// <param name="Bound">What passes, in words.</param>
/// <param name="Passed">Whether it did.</param>
public sealed record ParityRow(string Name, double MaxAbs, double Relative, string Bound, bool Passed);

/// <summary>How far apart a model and its reference may lie.</summary>
/// <param name="Logits">Largest absolute difference of a logit, in units of max(1, largest logit / 10).</param>
/// <param name="Loss">Relative difference of the loss.</param>
/// <param name="Gradient">Relative difference of a gradient.</param>
public sealed record ParityTolerance(double Logits = 2e-4, double Loss = 1e-5, double Gradient = 1e-3)
{
    /// <summary>One bound for all three.</summary>
    /// <param name="bound">The bound.</param>
    public static ParityTolerance Uniform(double bound) => new(bound, bound, bound);
}

/// <summary>
/// Runs a Hugging Face folder on the inputs of a reference file and compares what comes out: logits, loss, gradients, greedy tokens.
/// </summary>
/// <remarks>
/// The reference is a safetensors file with <c>input_ids</c> and any of <c>attention_mask</c>, <c>labels</c>, <c>logits</c>,
/// <c>logits_right_padded</c>, <c>logits_base</c>, <c>logits_merged</c>, <c>loss</c>, <c>greedy</c>, <c>grad.NAME</c> (whole, or the 2-norm and the first
/// 32 elements). Everything is computed in fp32 on the CPU.
/// </remarks>
public sealed class Parity : IDisposable
{
    private const int GreedyPromptLength = 8; // by definition of the reference files
    private const int HeadLength = 32;
    private const double Rounding = 1e-6; // a gradient below this share of all is zero up to the rounding of fp32

    private readonly TransformerDecoder _model;
    private readonly SafetensorsFile _reference;
    private readonly ParityTolerance _tolerance;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly List<ParityRow> _rows = [];
    private double? _referenceGradientNorm;

    private Parity(TransformerDecoder model, SafetensorsFile reference, ParityTolerance tolerance) =>
        (_model, _reference, _tolerance) = (model, reference, tolerance);

    /// <summary>Compares.</summary>
    /// <param name="modelFolder">A Hugging Face folder.</param>
    /// <param name="referenceFile">The reference.</param>
    /// <param name="adapterFolder">A PEFT adapter to put on the model, or null.</param>
    /// <param name="tolerance">Bounds; null for the defaults.</param>
    /// <returns>A row for everything the reference holds.</returns>
    public static IReadOnlyList<ParityRow> Compare(
        string modelFolder, string referenceFile, string? adapterFolder = null, ParityTolerance? tolerance = null)
    {
        TorchBackend.EnsureLoaded();
        using SafetensorsFile reference = new(referenceFile);
        using BuildScope build = new(CPU, ScalarType.Float32);
        using TransformerDecoder model = adapterFolder is null
            ? AutoModel.Load(modelFolder)
            : AdapterModel.Load(modelFolder, adapterFolder);
        using Parity parity = new(model, reference, tolerance ?? new());
        parity.Run(adapterFolder is not null);
        return parity._rows;
    }

    /// <inheritdoc/>
    public void Dispose() => _scope.Dispose();

    private bool Has(string name) => _reference.Tensors.ContainsKey(name);

    private void Run(bool adapters)
    {
        if (!Has("input_ids"))
        {
            throw new CheckpointException($"{_reference.Path}: holds no input_ids, so there is nothing to feed the model. It holds: " +
                $"{string.Join(", ", _reference.Tensors.Keys.Order(StringComparer.Ordinal).Take(12))}.");
        }

        _model.eval();
        Tensor ids_BT = _reference.Read("input_ids").to(ScalarType.Int64);
        Tensor? mask_BT = Has("attention_mask") ? _reference.Read("attention_mask").to(ScalarType.Bool) : null;
        bool classifier = _model.Shape.NumClasses > 0;
        bool routed = Has("router_aux_loss") && _model.Balance is not null;
        if (routed)
        {
            _model.Balance!.Enabled = true;
        }

        Tensor logits = _model.Shape.Bidirectional ? Encoded(ids_BT, mask_BT, classifier)
            : classifier ? Pooled(ids_BT, mask_BT) : _model.Logits(ids_BT);
        if (routed)
        {
            CompareScalar("router_aux_loss", _model.Balance!.Loss(logits.detach()));
            _model.Balance.Enabled = false;
        }

        CompareLogits("logits", logits);
        if (Has("logits_right_padded") && mask_BT is not null)
        {
            Tensor padded = _model.Logits(ids_BT, mask: KeyMask(mask_BT)).mul(mask_BT.unsqueeze(-1));
            CompareLogits("logits_right_padded", padded);
        }

        if (Has("loss") || _reference.Tensors.Keys.Any(k => k.StartsWith("grad.", StringComparison.Ordinal)))
        {
            CompareLossAndGradients(logits, classifier, adapters);
        }

        if (Has("greedy"))
        {
            CompareGreedy(ids_BT);
        }

        if (Has("logits_base"))
        {
            using IDisposable disabled = Adapters.Disable(_model);
            CompareLogits("logits_base", _model.Logits(ids_BT));
        }

        if (Has("logits_merged"))
        {
            Adapters.Merge(_model);
            CompareLogits("logits_merged", _model.Logits(ids_BT));
        }
    }

    /// <summary>An encoder's logits, zero at padded positions; a classifier answers at the first token.</summary>
    private Tensor Encoded(Tensor ids_BT, Tensor? mask_BT, bool classifier)
    {
        Tensor? types_BT = Has("token_type_ids") ? _reference.Read("token_type_ids").to(ScalarType.Int64) : null;
        Tensor? keys_B1TT = mask_BT?.unsqueeze(1).unsqueeze(1).expand(-1, 1, ids_BT.shape[1], -1);
        Tensor all_BTV = _model.Logits(ids_BT, mask: keys_B1TT, tokenTypes: types_BT);
        return classifier ? all_BTV.select(1, 0) : mask_BT is null ? all_BTV : all_BTV.mul(mask_BT.unsqueeze(-1));
    }

    /// <summary>A classifier's answer stands at each row's last real token.</summary>
    private Tensor Pooled(Tensor ids_BT, Tensor? mask_BT)
    {
        Tensor all_BTC = _model.Logits(ids_BT, mask: mask_BT is null ? null : KeyMask(mask_BT));
        Tensor last_B = mask_BT is null
            ? full([ids_BT.shape[0]], ids_BT.shape[1] - 1, dtype: ScalarType.Int64)
            : (arange(ids_BT.shape[1], ScalarType.Int64) * mask_BT.to(ScalarType.Int64)).argmax(1);
        Tensor index = last_B.reshape(-1, 1, 1).expand(-1, 1, all_BTC.shape[2]);
        return all_BTC.gather(1, index).squeeze(1);
    }

    /// <summary>Causal, and blind to padding; padding itself sees itself. [B, 1, T, T].</summary>
    private static Tensor KeyMask(Tensor mask_BT)
    {
        long t = mask_BT.shape[1];
        Tensor causal = ones([t, t], ScalarType.Bool).tril();
        Tensor self = eye(t, dtype: ScalarType.Bool);
        return causal.logical_and(mask_BT.unsqueeze(1)).logical_or(self).unsqueeze(1);
    }

    private void CompareLossAndGradients(Tensor logits, bool classifier, bool adapters)
    {
        if (adapters)
        {
            Adapters.FreezeAllBut(_model);
        }

        Tensor labels = _reference.Read("labels").to(ScalarType.Int64);
        Tensor loss = classifier
            ? functional.cross_entropy(logits, labels)
            : _model.Shape.Bidirectional ? functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index: -100)
            : functional.cross_entropy(
                logits.narrow(1, 0, logits.shape[1] - 1).flatten(0, 1), labels.narrow(1, 1, labels.shape[1] - 1).flatten(), ignore_index: -100);
        if (Has("loss"))
        {
            CompareScalar("loss", loss);
        }

        loss.backward();
        IReadOnlyDictionary<string, Tensor> parameters = _model.NamedParameters();
        foreach (string name in _reference.Tensors.Keys.Where(k => k.StartsWith("grad.", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            CompareGradient(name, parameters);
        }
    }

    private void CompareScalar(string name, Tensor value)
    {
        (double ours, double theirs) = (value.item<float>(), _reference.Read(name).to(ScalarType.Float32).item<float>());
        double relative = Math.Abs(ours - theirs) / Math.Max(Math.Abs(theirs), 1e-30);
        Add(name, Math.Abs(ours - theirs), relative, FormattableString.Invariant($"relative ≤ {_tolerance.Loss:0.#e+0}"), relative <= _tolerance.Loss);
    }

    private void CompareGradient(string name, IReadOnlyDictionary<string, Tensor> parameters)
    {
        string? mapped = _model.Weights.ToModel(name["grad.".Length..])?.Name;
        IReadOnlyList<FusedSlice>? parts = mapped is null ? null : _model.Weights.PartsOf(mapped);
        if (mapped is null || !(parts?.Select(p => p.Name) ?? [mapped]).All(parameters.ContainsKey))
        {
            Add(name, double.NaN, double.NaN, "the model has such a weight", false);
            return;
        }

        using DisposeScope scope = NewDisposeScope();
        if (Gradient(mapped, parts, parameters) is not { } ours)
        {
            Add(name, double.NaN, double.NaN, "the weight gets a gradient", false);
            return;
        }

        ours = ours.flatten();
        Tensor theirs = _reference.Read(name).to(ScalarType.Float32).flatten();
        double relative;
        double norm = 0;
        if (theirs.numel() == ours.numel())
        {
            relative = Relative(ours, theirs, 0);
        }
        else
        {
            norm = theirs[0].item<float>();
            double normError = Math.Abs(ours.norm().item<float>() - norm) / Math.Max(norm, 1e-30);
            // The head may be almost zero by itself: its share of the whole norm is the least it is measured against.
            double share = norm * Math.Sqrt((double)HeadLength / ours.numel());
            theirs = theirs.narrow(0, 1, HeadLength);
            ours = ours.narrow(0, 0, HeadLength);
            relative = Math.Max(normError, Relative(ours, theirs, share));
        }

        double maxAbs = (ours - theirs).abs().max().item<float>();
        double zero = Rounding * ReferenceGradientNorm;
        if (theirs.norm().item<float>() < zero && norm < zero)
        {
            // A softmax does not see what all its scores share, so the gradient of a key's bias is zero: what is left is rounding.
            double left = ours.norm().item<float>();
            Add(name, maxAbs, left / ReferenceGradientNorm, FormattableString.Invariant($"zero: ≤ {Rounding:0.#e+0} of all gradients"), left < zero);
            return;
        }

        Add(name, maxAbs, relative, FormattableString.Invariant($"relative ≤ {_tolerance.Gradient:0.#e+0}"), relative <= _tolerance.Gradient);
    }

    /// <summary>2-norm of all gradients in the reference together.</summary>
    private double ReferenceGradientNorm => _referenceGradientNorm ??= Math.Sqrt(_reference.Tensors.Keys
        .Where(k => k.StartsWith("grad.", StringComparison.Ordinal))
        .Sum(k =>
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor gradient = _reference.Read(k).to(ScalarType.Float32).flatten();
            return Math.Pow((gradient.numel() == HeadLength + 1 ? gradient[0] : gradient.norm()).item<float>(), 2);
        }));

    /// <summary>A weight's gradient in the file's layout. Parts of one weight are laid row upon row; an A that they share gets the sum.</summary>
    private Tensor? Gradient(string mapped, IReadOnlyList<FusedSlice>? parts, IReadOnlyDictionary<string, Tensor> parameters)
    {
        if (parts is null)
        {
            return parameters[mapped].grad is { } whole ? _model.Weights.ToFile(mapped)!.Value.Apply(whole) : null;
        }

        Tensor?[] gradients = [.. parts.Select(p => parameters[p.Name].grad is { } g ? p.IsLoraA ? g : p.Part.Order?.ToFile(g) ?? g : null)];
        return gradients.Contains(null) ? null
            : parts[0].IsLoraA ? gradients.Aggregate((a, b) => a! + b!)
            : cat([.. gradients.Select(g => g!)], 0);
    }

    private static double Relative(Tensor ours, Tensor theirs, double least) =>
        (ours - theirs).norm().item<float>() / Math.Max(Math.Max(theirs.norm().item<float>(), least), 1e-30);

    private void CompareLogits(string name, Tensor ours)
    {
        if (!Has(name))
        {
            return;
        }

        using DisposeScope scope = NewDisposeScope();
        Tensor theirs = _reference.Read(name).to(ScalarType.Float32);
        if (!theirs.shape.SequenceEqual(ours.shape))
        {
            Add(name, double.NaN, double.NaN, $"shape [{string.Join(", ", theirs.shape)}], ours is [{string.Join(", ", ours.shape)}]", false);
            return;
        }

        double maxAbs = (ours - theirs).abs().max().item<float>();
        double bound = _tolerance.Logits * Math.Max(1, theirs.abs().max().item<float>() / 10);
        Add(name, maxAbs, Relative(ours.flatten(), theirs.flatten(), 0), FormattableString.Invariant($"absolute ≤ {bound:0.#e+0}"), maxAbs <= bound);
    }

    private void CompareGreedy(Tensor ids_BT)
    {
        int[] prompt = [.. ids_BT[0].narrow(0, 0, GreedyPromptLength).data<long>().Select(id => (int)id)];
        long[] theirs = _reference.Read("greedy").to(ScalarType.Int64).flatten().data<long>().ToArray();
        int[] ours = TextGenerator.Generate(
            _model, [prompt], new GenerationOptions { Temperature = 0, MaxNewTokens = theirs.Length })[0];
        int equal = ours.Zip(theirs).TakeWhile(p => p.First == p.Second).Count();
        Add("greedy", theirs.Length - equal, (double)(theirs.Length - equal) / theirs.Length, $"all {theirs.Length} tokens equal", equal == theirs.Length);
    }

    private void Add(string name, double maxAbs, double relative, string bound, bool passed) =>
        _rows.Add(new ParityRow(name, maxAbs, relative, bound, passed));
}
