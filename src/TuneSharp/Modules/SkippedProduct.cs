using TuneSharp.Kernels;

namespace TuneSharp.Modules;

/// <summary>A frozen linear that is run for dX alone: its result is memory as it comes, and no product is computed for it.</summary>
internal static class SkippedProduct
{
    /// <summary>The stand-in for x·Wᵀ.</summary>
    /// <param name="x">[..., in], with a gradient.</param>
    /// <param name="linear">Whose weight.</param>
    public static Tensor Apply(Tensor x, Linear linear) => Function.apply(x, new Holder(linear));

    private sealed record Holder(Linear Linear);

    private sealed class Function : autograd.SingleTensorFunction<Function>
    {
        public override string Name => nameof(SkippedProduct);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            (Tensor x, Linear linear) = ((Tensor)vars[0], ((Holder)vars[1]).Linear);
            ctx.save_data("linear", vars[1]);
            return empty([.. x.shape[..^1], linear.OutDim], x.dtype, x.device);
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient) => BackwardErrors.Guard(2, ctx, gradient, _ =>
        {
            Linear linear = ((Holder)ctx.get_data("linear")).Linear;
            using IDisposable off = no_grad();
            Tensor dx = mm(gradient.reshape(-1, gradient.shape[^1]), linear.DenseWeight(gradient.dtype));
            return [dx.reshape([.. gradient.shape[..^1], linear.InDim]), null!];
        });
    }
}
