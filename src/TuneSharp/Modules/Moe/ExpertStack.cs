using TuneSharp.Backend;
using TuneSharp.Kernels;

namespace TuneSharp.Modules.Moe;

/// <summary>The same linear of all experts, as one grouped product where a GPU can do that.</summary>
/// <remarks>
/// The weights are moved into one block at first use, and each linear's own weight becomes a slice of it: checkpoints, adapters and
/// optimizers go on seeing one weight for each expert. Letters: M rows, E experts, I in, O out.
/// </remarks>
internal sealed class ExpertStack(IReadOnlyList<Linear> linears)
{
    private Tensor? _block_EOI;

    /// <summary>Whether the grouped product can be used: plain linears without biases, on a GPU, in bf16.</summary>
    public bool CanGroup(Tensor x) =>
        GroupedProduct.Fits(x, linears[0].InDim, linears[0].OutDim, linears[0].Weight.dtype)
        && linears.All(l => l.GetType() == typeof(Linear) && l.Bias is null && l.Weight.GetType() == typeof(Parameter));

    /// <summary>Each slice times its own expert's weight.</summary>
    public Tensor Apply(Tensor x_MI, ExpertGroups groups)
    {
        Tensor block_EOI = Block();
        return is_grad_enabled() && (x_MI.requires_grad || linears[0].Weight.requires_grad)
            ? Function.apply([x_MI.contiguous(), block_EOI, groups.Ends_E, .. linears.Select(l => (object)l.Weight)])
            : Aten.GroupedMm(x_MI.contiguous(), block_EOI.transpose(1, 2), groups.Ends_E);
    }

    private Tensor Block()
    {
        if (_block_EOI is null)
        {
            using IDisposable off = no_grad();
            _block_EOI = stack([.. linears.Select(l => (Tensor)l.Weight)]).DetachFromDisposeScope();
            for (int e = 0; e < linears.Count; e++)
            {
                using Tensor slice = _block_EOI[e];
                linears[e].Weight.set_(slice);
            }
        }

        return _block_EOI;
    }

    /// <summary>The product, with a gradient for each expert's own weight.</summary>
    private sealed class Function : autograd.SingleTensorFunction<Function>
    {
        public override string Name => "ExpertStack";

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            (Tensor x_MI, Tensor block_EOI, Tensor ends_E) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2]);
            ctx.save_for_backward([x_MI, block_EOI, ends_E]);
            ctx.save_data("needs", (x_MI.requires_grad, ((Tensor)vars[3]).requires_grad, vars.Length));
            return Aten.GroupedMm(x_MI, block_EOI.transpose(1, 2), ends_E);
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient)
        {
            (bool input, bool weights, int count) = ((bool, bool, int))ctx.get_data("needs");
            return BackwardErrors.Guard(count, ctx, gradient, saved =>
            {
                Tensor dy_MO = gradient.contiguous();
                List<Tensor> result = [input ? Aten.GroupedMm(dy_MO, saved[1], saved[2]) : null!, null!, null!];
                result.AddRange(weights
                    ? Aten.GroupedMm(dy_MO.t(), saved[0], saved[2]).unbind(0)
                    : Enumerable.Repeat<Tensor>(null!, count - 3));
                return result;
            });
        }
    }
}
