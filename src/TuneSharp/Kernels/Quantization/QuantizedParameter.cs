namespace TuneSharp.Kernels;

/// <summary>A frozen weight that is held quantised: shape and dtype of a parameter, but no memory for its numbers.</summary>
/// <remarks>
/// As a tensor it lies on the meta device, so that models count and check it like any other; <see cref="Dense"/> gives the numbers. They are
/// held in the row order of Hugging Face's files, so that what is read is what is written, byte for byte; <see cref="Dense"/> puts them into the
/// model's. Not thread-safe; the module that owns it calls <see cref="Release"/>.
/// </remarks>
public sealed class QuantizedParameter : Parameter
{
    private readonly Device _home;
    private Func<Tensor, Tensor>? _toModel;
    private Tensor? _plain;

    /// <summary>Makes an empty one; <see cref="Fill(Tensor, Func{Tensor, Tensor})"/> it before use.</summary>
    /// <param name="shape">Extents of the weight in the model.</param>
    /// <param name="dtype">Element type that the weight has before it is quantised.</param>
    /// <param name="device">Where its codes will lie.</param>
    /// <param name="format">How it is quantised.</param>
    public QuantizedParameter(ReadOnlySpan<long> shape, ScalarType dtype, Device device, Quantization format)
        : base(torch.empty([.. shape], dtype: dtype, device: META).DetachFromDisposeScope(), requires_grad: false) => (_home, Format) = (device, format);

    /// <summary>How it is quantised.</summary>
    public Quantization Format { get; }

    /// <summary>The codes; null before it is filled, and for a weight that a quantised checkpoint leaves as it is.</summary>
    public QuantizedTensor? Value { get; private set; }

    /// <summary>True before a weight was loaded.</summary>
    public bool IsEmpty => Value is null && _plain is null;

    /// <summary>Whether rows are reordered on the way to the model.</summary>
    public bool IsReordered => _toModel is not null;

    /// <summary>Bytes that it takes, or will take.</summary>
    public long Bytes => Value?.Bytes ?? (_plain is { } plain ? plain.numel() * plain.element_size() : Format.Bytes(numel(), shape[0]));

    /// <summary>Quantises a weight on this parameter's device.</summary>
    /// <param name="weight">In the file's row order; any floating-point dtype. Not kept.</param>
    /// <param name="toModel">From the file's row order to the model's; null when they are the same.</param>
    public void Fill(Tensor weight, Func<Tensor, Tensor>? toModel)
    {
        using IDisposable off = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Set(QuantizedTensor.Quantize(weight.to(dtype).to(_home), Format), null, toModel);
    }

    /// <summary>Takes a weight that a file holds quantised.</summary>
    /// <param name="value">In the file's row order; becomes this parameter's own.</param>
    /// <param name="toModel">From the file's row order to the model's; null when they are the same.</param>
    public void Fill(QuantizedTensor value, Func<Tensor, Tensor>? toModel)
    {
        if (value.Codes.device.ToString() == _home.ToString())
        {
            Set(value, null, toModel);
            return;
        }

        Set(value.To(_home), null, toModel);
        value.Dispose();
    }

    /// <summary>Takes a weight as it is: a quantised checkpoint may leave some out, and a merged weight is one.</summary>
    /// <param name="weight">In the model's row order.</param>
    public void FillPlain(Tensor weight)
    {
        using IDisposable off = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Set(null, weight.to(dtype).to(_home).clone(), null);
    }

    /// <summary>The weight in the model's row order: a new tensor of the current scope, or this object's own if it is held plain.</summary>
    /// <param name="dtype">What it is converted to; null for this parameter's.</param>
    /// <exception cref="InvalidOperationException">Nothing was loaded.</exception>
    public Tensor Dense(ScalarType? dtype = null)
    {
        if (_plain is not null)
        {
            return dtype is { } other && other != _plain.dtype ? _plain.to(other) : _plain.alias();
        }

        QuantizedTensor value = Value ?? throw new InvalidOperationException("A quantised weight is used before it was loaded. Load the model's weights first.");
        using DisposeScope scope = NewDisposeScope();
        Tensor w = value.Dequantize(dtype ?? this.dtype);
        return (_toModel is null ? w : _toModel(w)).MoveToOuterDisposeScope();
    }

    /// <summary>Some rows, in the model's order.</summary>
    /// <param name="rows">Row numbers, int64, [M].</param>
    public Tensor DenseRows(Tensor rows)
    {
        using DisposeScope scope = NewDisposeScope();
        return (Value is not null && _toModel is null ? Value.DequantizeRows(rows, dtype) : Dense().index_select(0, rows)).MoveToOuterDisposeScope();
    }

    /// <summary>Frees what it holds.</summary>
    public void Release() => Set(null, null, null);

    private void Set(QuantizedTensor? value, Tensor? plain, Func<Tensor, Tensor>? toModel)
    {
        Value?.Dispose();
        _plain?.Dispose();
        (Value, _plain, _toModel) = (value, plain?.DetachFromDisposeScope(), toModel);
    }
}
