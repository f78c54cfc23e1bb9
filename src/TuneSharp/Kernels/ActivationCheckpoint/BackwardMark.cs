namespace TuneSharp.Kernels;

/// <summary>Tells when the backward pass comes to a place: after everything that was computed from the marked tensor had its turn.</summary>
/// <remarks>
/// libtorch gives leaves their gradients before any other work that is ready, so at a mark on a layer's input the layer's own weights have
/// theirs. What the action throws is kept for <see cref="ActivationCheckpoint.ThrowIfFailed"/>.
/// </remarks>
internal static class BackwardMark
{
    /// <summary>Marks a tensor.</summary>
    /// <param name="x">Any shape; without a gradient there is nothing to wait for, and it is not marked.</param>
    /// <param name="passed">Called once, on the thread of the backward pass.</param>
    /// <returns>The same values.</returns>
    public static Tensor Apply(Tensor x, Action passed) => is_grad_enabled() && x.requires_grad ? Function.apply(x, passed) : x.alias();

    private sealed class Function : autograd.SingleTensorFunction<Function>
    {
        public override string Name => nameof(BackwardMark);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            ctx.save_data("passed", vars[1]);
            return ((Tensor)vars[0]).alias();
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient) => BackwardErrors.Guard(2, ctx, gradient, _ =>
        {
            ((Action)ctx.get_data("passed"))();
            return [gradient.alias(), null!];
        });
    }
}
