using static TorchSharp.torch.nn;

namespace TuneSharp.Kernels;

/// <summary>x·Wᵀ with a quantised W: it is given back for the product and again for dX, and never kept between.</summary>
internal static class QuantizedProduct
{
    /// <summary>The product.</summary>
    /// <param name="x">[..., in].</param>
    /// <param name="weight">[out, in].</param>
    /// <returns>[..., out].</returns>
    public static Tensor Apply(Tensor x, QuantizedParameter weight)
    {
        BackwardErrors.ThrowIfFailed();
        return is_grad_enabled() && x.requires_grad ? Function.apply(x, new Weight(weight)) : Forward(x, weight);
    }

    private static Tensor Forward(Tensor x, QuantizedParameter weight)
    {
        using IDisposable off = no_grad();
        using DisposeScope scope = NewDisposeScope();
        return functional.linear(x, weight.Dense(x.dtype)).MoveToOuterDisposeScope();
    }

    /// <summary>Hides the parameter from autograd, which would take it for an input.</summary>
    private sealed record Weight(QuantizedParameter Value);

    private sealed class Function : autograd.SingleTensorFunction<Function>
    {
        public override string Name => nameof(QuantizedProduct);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            ctx.save_data("weight", vars[1]);
            return Forward((Tensor)vars[0], ((Weight)vars[1]).Value);
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient) => BackwardErrors.Guard(2, ctx, gradient, _ =>
        {
            QuantizedParameter weight = ((Weight)ctx.get_data("weight")).Value;
            using IDisposable off = no_grad();
            Tensor dx = mm(gradient.reshape(-1, gradient.shape[^1]), weight.Dense(gradient.dtype));
            return [dx.reshape([.. gradient.shape[..^1], dx.shape[1]]), null!];
        });
    }
}
