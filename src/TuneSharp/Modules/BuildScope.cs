using TuneSharp.Backend;
using TuneSharp.Checkpointing;
using TuneSharp.Kernels;

namespace TuneSharp.Modules;

/// <summary>Where and how the modules built inside it make their parameters. Modules themselves know no device.</summary>
/// <remarks>
/// Scopes nest and belong to their thread. Without one, parameters are fp32, on the CPU, and initialised. Building on the
/// <c>meta</c> device costs no memory: that is how shapes are checked and models counted.
/// </remarks>
public sealed class BuildScope : IDisposable
{
    [ThreadStatic]
    private static BuildScope? _current;

    private readonly BuildScope? _outer;

    /// <summary>Opens a scope.</summary>
    /// <param name="device">Device of new parameters; null for the CPU.</param>
    /// <param name="dtype">Element type of new parameters.</param>
    /// <param name="initialise">False when weights are loaded right after: memory is then left as it comes.</param>
    /// <param name="quantization">How frozen linears are held; null for what the scope around says, plain if there is none.</param>
    /// <param name="vocabSize">Rows of token embeddings and head instead of the model's own number; null for what the scope around says.</param>
    public BuildScope(
        Device? device = null, ScalarType dtype = ScalarType.Float32, bool initialise = true, Quantization? quantization = null,
        long? vocabSize = null)
    {
        TorchBackend.EnsureLoaded(); // often the first thing that a program does
        Device = device ?? CPU;
        Dtype = dtype;
        Initialise = initialise;
        Quantization = quantization ?? _current?.Quantization;
        VocabSize = vocabSize ?? _current?.VocabSize;
        _outer = _current;
        _current = this;
    }

    /// <summary>The innermost scope of this thread, or null.</summary>
    public static BuildScope? Current => _current;

    /// <summary>Device of new parameters.</summary>
    public Device Device { get; }

    /// <summary>Element type of new parameters.</summary>
    public ScalarType Dtype { get; }

    /// <summary>Whether new parameters get their initial values.</summary>
    public bool Initialise { get; }

    /// <summary>How the linears of a frozen model are held, or null.</summary>
    public Quantization? Quantization { get; }

    /// <summary>Rows of token embeddings and head instead of the model's own number, for added tokens; or null.</summary>
    public long? VocabSize { get; }

    /// <summary>A shape and its weight names with the rows of this thread's scope; a checkpoint with fewer rows then fills the first.</summary>
    /// <param name="shape">A decoder's numbers.</param>
    /// <param name="weights">Its weight names.</param>
    /// <exception cref="ArgumentException">Fewer rows than the model has: tokens would be lost.</exception>
    public static (DecoderConfig Shape, WeightMap Weights) Resized(DecoderConfig shape, WeightMap weights)
    {
        if (_current?.VocabSize is not { } rows || rows == shape.VocabSize)
        {
            return (shape, weights);
        }

        return rows > shape.VocabSize
            ? (shape with { VocabSize = rows }, weights.Growing())
            : throw new ArgumentException(
                $"resize_token_embeddings is {rows}, and the model has {shape.VocabSize} tokens; dropping some would break its tokenizer. " +
                $"Give at least {shape.VocabSize}.");
    }

    /// <summary>A new quantised parameter under the current scope; what it is initialised with never exists beyond this call.</summary>
    /// <param name="initialise">Sets the initial values in place; not called on the meta device or when loading follows.</param>
    /// <param name="format">How it is held.</param>
    /// <param name="shape">Extents.</param>
    internal static QuantizedParameter NewQuantized(Action<Tensor> initialise, Quantization format, params ReadOnlySpan<long> shape)
    {
        BuildScope? scope = _current;
        (Device device, ScalarType dtype) = (scope?.Device ?? CPU, scope?.Dtype ?? ScalarType.Float32);
        QuantizedParameter parameter = new(shape, dtype, device, format);
        if (device.type != DeviceType.META && scope?.Initialise != false)
        {
            using IDisposable off = no_grad();
            using Tensor values = empty(shape, dtype, device);
            initialise(values);
            parameter.Fill(values, null);
        }

        return parameter;
    }

    /// <summary>A new parameter under the current scope.</summary>
    /// <param name="initialise">Sets the initial values in place; not called on the meta device or when loading follows.</param>
    /// <param name="always">Initialise even when weights are loaded right after (adapters, which no checkpoint holds).</param>
    /// <param name="shape">Extents.</param>
    internal static Parameter NewParameter(Action<Tensor> initialise, bool always, params ReadOnlySpan<long> shape)
    {
        BuildScope? scope = _current;
        Device device = scope?.Device ?? CPU;
        Tensor t = empty(shape, scope?.Dtype ?? ScalarType.Float32, device);
        if (device.type != DeviceType.META && (always || scope?.Initialise != false))
        {
            using IDisposable off = no_grad();
            initialise(t);
        }

        // A parameter outlives every scope; its module disposes it.
        return new Parameter(t.DetachFromDisposeScope());
    }

    /// <inheritdoc/>
    public void Dispose() => _current = _outer;
}
