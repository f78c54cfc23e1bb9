namespace TuneSharp.Kernels;

/// <summary>Whole numbers from −127 to 127 with the largest magnitude of each row: LLM.int8's weights.</summary>
/// <remarks>q = round(w · 127/absmax) of the fp16 weight, as bitsandbytes does it; back: q · absmax/127.</remarks>
internal static class RowwiseInt8
{
    private const float Top = 127f;

    /// <summary>Quantises.</summary>
    /// <param name="weight">Any floating-point dtype; the last dimension is a row.</param>
    /// <param name="format">Kept with the result.</param>
    public static QuantizedTensor Quantize(Tensor weight, Quantization format)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor rows = weight.to(ScalarType.Float16).to(ScalarType.Float32);
        Tensor top = rows.abs().amax([-1], keepdim: true);
        Tensor codes = (rows * (FastReciprocal.Of(top) * Top)).nan_to_num_(0).round_().to(ScalarType.Int8);
        return new QuantizedTensor(format, weight.shape, weight.dtype, codes, top.squeeze(-1));
    }

    /// <summary>Gives the numbers back.</summary>
    public static Tensor Dequantize(Tensor codes, Tensor absmax, ScalarType dtype)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor y = codes.to(ScalarType.Float32).mul_(absmax.unsqueeze(-1)).mul_(1f / Top);
        return y.to(dtype).MoveToOuterDisposeScope();
    }
}
