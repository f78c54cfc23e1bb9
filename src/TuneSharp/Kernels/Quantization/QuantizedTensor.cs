using TuneSharp.Backend;

namespace TuneSharp.Kernels;

/// <summary>A weight in 4 or 8 bits, in bitsandbytes' layout.</summary>
/// <remarks>
/// 4 bits: the weight is read row by row in blocks of 64; each block has a scale (its largest magnitude), and with double quantisation the
/// scales less their mean are held in 8 bits, in blocks of 256: 4.127 bits a weight. int8: whole numbers and one scale a row. Not thread-safe.
/// The tensors belong to this object.
/// </remarks>
public sealed class QuantizedTensor : IDisposable
{
    /// <summary>Puts a weight together from what a file holds; the tensors become this object's.</summary>
    /// <param name="format">How it is quantised.</param>
    /// <param name="shape">The weight's extents.</param>
    /// <param name="dtype">Its element type before it was quantised, which is what it gives back.</param>
    /// <param name="codes">uint8, two codes a byte, [⌈n/2⌉, 1]; for int8 the numbers, [rows, columns].</param>
    /// <param name="absmax">Scales: fp32, or uint8 when nested; for int8 the largest magnitude of each row, fp32.</param>
    /// <param name="nestedAbsmax">Scales of the scales, fp32, or null.</param>
    /// <param name="offset">Mean of the scales when nested.</param>
    internal QuantizedTensor(
        Quantization format, IReadOnlyList<long> shape, ScalarType dtype, Tensor codes, Tensor absmax, Tensor? nestedAbsmax = null, float offset = 0)
    {
        (Format, Shape, Dtype, Offset) = (format, [.. shape], dtype, offset);
        Codes = codes.DetachFromDisposeScope();
        Absmax = absmax.DetachFromDisposeScope();
        NestedAbsmax = nestedAbsmax?.DetachFromDisposeScope();
    }

    /// <summary>How it is quantised.</summary>
    public Quantization Format { get; }

    /// <summary>The weight's extents.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Element type of what <see cref="Dequantize"/> computes, whatever it is converted to afterwards.</summary>
    public ScalarType Dtype { get; }

    /// <summary>The codes.</summary>
    public Tensor Codes { get; }

    /// <summary>The scales.</summary>
    public Tensor Absmax { get; }

    /// <summary>Scales of the scales, or null.</summary>
    public Tensor? NestedAbsmax { get; }

    /// <summary>Mean of the scales when they are nested.</summary>
    public float Offset { get; }

    /// <summary>Elements of the weight.</summary>
    public long Count => Shape.Aggregate(1L, (a, b) => a * b);

    /// <summary>Bytes of all its tensors.</summary>
    public long Bytes => SizeOf(Codes) + SizeOf(Absmax) + (NestedAbsmax is null ? 0 : SizeOf(NestedAbsmax) + sizeof(float));

    private long Columns => Shape[^1];

    /// <summary>Quantises a weight on its own device.</summary>
    /// <param name="weight">Any floating-point dtype.</param>
    /// <param name="format">How.</param>
    public static QuantizedTensor Quantize(Tensor weight, Quantization format)
    {
        TorchBackend.EnsureLoaded();
        using IDisposable off = no_grad();
        using DisposeScope scope = NewDisposeScope();
        if (format.Type == QuantType.Int8)
        {
            return RowwiseInt8.Quantize(weight, format);
        }

        Check(format);
        long count = weight.numel();
        Tensor codes = empty([Quantization.Ceil(count, 2), 1], ScalarType.Byte, weight.device);
        Tensor absmax = empty([Quantization.Ceil(count, format.BlockSize)], ScalarType.Float32, weight.device);
        QuantKernels.Encode(weight, CodeBook.Of(format.Type), format.BlockSize, codes, absmax);
        if (!format.DoubleQuant)
        {
            return new QuantizedTensor(format, weight.shape, weight.dtype, codes, absmax);
        }

        float offset = AbsmaxMean.Of(absmax);
        Tensor nested = empty([Quantization.Ceil(absmax.numel(), Quantization.NestedBlockSize)], ScalarType.Float32, weight.device);
        Tensor scales = empty(absmax.shape, ScalarType.Byte, weight.device);
        QuantKernels.Encode(absmax - offset, CodeBook.Dynamic, Quantization.NestedBlockSize, scales, nested);
        return new QuantizedTensor(format, weight.shape, weight.dtype, codes, scales, nested, offset);
    }

    /// <summary>The weight, as far as it is left.</summary>
    /// <param name="dtype">What it is converted to; null for its own.</param>
    /// <returns>[as <see cref="Shape"/>].</returns>
    public Tensor Dequantize(ScalarType? dtype = null)
    {
        using IDisposable off = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Tensor y;
        if (Format.Type == QuantType.Int8)
        {
            y = RowwiseInt8.Dequantize(Codes, Absmax, Dtype);
        }
        else
        {
            y = empty([.. Shape], Dtype, Codes.device);
            if (QuantKernels.For(y)?.Dequantize(this, y) != true)
            {
                QuantKernels.Decode(Codes, Scales(), CodeBook.Of(Format.Type), Format.BlockSize, y);
            }
        }

        return y.to(dtype ?? Dtype).MoveToOuterDisposeScope();
    }

    /// <summary>Some rows of a weight whose rows are whole blocks: what an embedding table needs.</summary>
    /// <param name="rows">Row numbers, int64, [M].</param>
    /// <param name="dtype">What they are converted to.</param>
    /// <returns>[M, columns].</returns>
    public Tensor DequantizeRows(Tensor rows, ScalarType dtype)
    {
        using IDisposable off = no_grad();
        using DisposeScope scope = NewDisposeScope();
        long count = rows.shape[0];
        if (Format.Type == QuantType.Int8)
        {
            return RowwiseInt8.Dequantize(Codes.index_select(0, rows), Absmax.index_select(0, rows), Dtype).to(dtype).MoveToOuterDisposeScope();
        }

        if (Columns % Format.BlockSize != 0)
        {
            return Dequantize(dtype).reshape(-1, Columns).index_select(0, rows).MoveToOuterDisposeScope();
        }

        Tensor codes = Codes.reshape(-1, Columns / 2).index_select(0, rows).reshape(-1);
        Tensor scales = Scales().reshape(-1, Columns / Format.BlockSize).index_select(0, rows).reshape(-1);
        Tensor y = empty([count, Columns], Dtype, Codes.device);
        QuantKernels.Decode(codes, scales, CodeBook.Of(Format.Type), Format.BlockSize, y);
        return y.to(dtype).MoveToOuterDisposeScope();
    }

    /// <summary>The same on another device.</summary>
    /// <param name="device">Where to.</param>
    public QuantizedTensor To(Device device)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor Moved(Tensor t) => t.device.ToString() == device.ToString() ? t.clone() : t.to(device);
        return new QuantizedTensor(Format, Shape, Dtype, Moved(Codes), Moved(Absmax), NestedAbsmax is null ? null : Moved(NestedAbsmax), Offset);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Codes.Dispose();
        Absmax.Dispose();
        NestedAbsmax?.Dispose();
    }

    /// <summary>The blocks' scales in fp32; the object's own tensor, or one of the current scope.</summary>
    internal Tensor Scales()
    {
        if (NestedAbsmax is null)
        {
            return Absmax;
        }

        Tensor scales = empty(Absmax.shape, ScalarType.Float32, Absmax.device);
        QuantKernels.Decode(Absmax, NestedAbsmax, CodeBook.Dynamic, Quantization.NestedBlockSize, scales);
        return scales.add_(Offset);
    }

    private static long SizeOf(Tensor t) => t.numel() * t.element_size();

    private static void Check(Quantization format)
    {
        if (format.BlockSize is < 32 or > 4096 || !System.Numerics.BitOperations.IsPow2(format.BlockSize))
        {
            throw new ArgumentException($"The block size is {format.BlockSize}; it must be a power of two from 32 to 4096, as in bitsandbytes (64).");
        }
    }
}
