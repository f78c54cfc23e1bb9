namespace TuneSharp.Kernels;

/// <summary>A whole decoder layer as one function of autograd on a GPU, with its backward pass written out.</summary>
/// <remarks>
/// h = x + attention(norm(x)), then h + down(act(gate·norm(h)) ∘ up·norm(h)). Autograd would record some forty operations here, keep what each
/// one asks for and make a tensor for each gradient; written out, a layer keeps what it needs once, products add to gradients where they lie, and
/// elementwise results go over what is not needed any more. With checkpointing only x is kept; the layer then runs again but for its last product,
/// which nothing in the backward pass reads. Gradients of the layer's parameters are added to their <c>.grad</c>.
/// Twin: the modules' own forward pass.
/// </remarks>
internal static class FusedLayer
{
    /// <summary>Whether <see cref="Apply"/> can run a layer over this input.</summary>
    public static bool Fits(Tensor x, LayerParts p) =>
        KernelChoice.Fused && x.dtype == ScalarType.BFloat16 && GpuKernel.Fits(x) && GpuAttention.FitsWidth(p.HeadDim)
        && p.Linears.All(l => FitsWeight(l.Weight) && FitsAdapter(l, x.dtype)) && p.Norms.All(n => n.Weight.dtype == x.dtype);

    /// <summary>Runs the layer; records itself where gradients are on.</summary>
    /// <param name="x">[B, T, D], dense.</param>
    /// <param name="p">The layer's parts.</param>
    /// <param name="angles">Rotary angles, or null.</param>
    /// <param name="plan">What queries see.</param>
    /// <param name="checkpoint">Keep only the input, and run again in the backward pass.</param>
    public static Tensor Apply(Tensor x, LayerParts p, Tensor? angles, AttentionPlan plan, bool checkpoint)
    {
        BackwardErrors.ThrowIfFailed();
        if (!is_grad_enabled())
        {
            using LayerActivations once = LayerActivations.Of(x, p, angles, plan);
            return once.Result(p, x.shape, last: true);
        }

        // Below the first trained weight no input requires a gradient, and without one nothing would be recorded.
        using Tensor recorded = empty(0, requires_grad: true);
        return Function.apply(new Call(p, checkpoint, angles, plan), recorded, x);
    }

    private static bool FitsWeight(Tensor w) => w is QuantizedParameter || w.is_contiguous();

    private static bool FitsAdapter(LinearPart l, ScalarType dtype) => l.A is null || (l.A.dtype == dtype && l.B!.dtype == dtype);

    /// <summary>What is no input of autograd; on the way back also the activations, until they are used.</summary>
    private sealed record Call(LayerParts Parts, bool Checkpoint, Tensor? Angles, AttentionPlan Plan)
    {
        public LayerActivations? Kept { get; set; }
    }

    private sealed class Function : autograd.SingleTensorFunction<Function>
    {
        public override string Name => nameof(FusedLayer);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            (Call call, Tensor x) = ((Call)vars[0], (Tensor)vars[2]);
            List<Tensor> saved = [x];
            if (call.Angles is not null)
            {
                saved.Add(call.Angles);
            }

            if (call.Plan.Starts is not null)
            {
                saved.Add(call.Plan.Starts);
            }

            LayerActivations a = LayerActivations.Of(x, call.Parts, call.Angles, call.Plan);
            Tensor y = a.Result(call.Parts, x.shape, last: call.Checkpoint);
            if (call.Checkpoint)
            {
                a.Dispose();
            }

            ctx.save_for_backward(saved);
            ctx.save_data("call", call with { Kept = call.Checkpoint ? null : a });
            ctx.save_data("wants", x.requires_grad);
            return y;
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient) => BackwardErrors.Guard(3, ctx, gradient, saved =>
        {
            using IDisposable off = no_grad();
            Call call = (Call)ctx.get_data("call");
            Tensor? angles = call.Angles is null ? null : saved[1];
            AttentionPlan plan = call.Plan.With(call.Plan.Starts is null ? null : saved[^1]);
            using LayerActivations a = call.Kept ?? LayerActivations.Of(saved[0], call.Parts, angles, plan);
            call.Kept = null;
            bool wants = (bool)ctx.get_data("wants");
            Tensor? dx = LayerBackward.Run(gradient.contiguous(), saved[0], a, call.Parts, angles, plan, wants);
            return [null!, null!, wants ? dx! : null!];
        });
    }
}
