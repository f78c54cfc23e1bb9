using static TorchSharp.torch.nn;

namespace TuneSharp.Kernels;

/// <summary>Cross-entropy of x·Wᵀ without ever holding all of x·Wᵀ: loss, dX and dW in one sweep over chunks of rows.</summary>
/// <remarks>
/// For a row with logits z, target y: loss = logsumexp(z) − z[y], dz = softmax(z) − onehot(y), dx = dz·W, dW = dzᵀ·x.
/// Forward keeps dX (M×D, the input's dtype) and, for a trained head, dW in fp32; backward only scales them. Three products of
/// 2·M·V·D operations (two with a frozen head), as many as the plain way needs; the plain way also reads and writes M×V logits
/// about six times. Idea: https://arxiv.org/abs/2410.10989 (Liger), chunk size chosen by the caller.
/// </remarks>
public static class LinearCrossEntropy
{
    /// <summary>The loss summed over rows.</summary>
    /// <param name="x">[M, D].</param>
    /// <param name="weight">[V, D].</param>
    /// <param name="targets">[M], int64, none ignored.</param>
    /// <param name="chunks">Pieces that the rows are cut into.</param>
    /// <returns>A fp32 scalar.</returns>
    public static Tensor Sum(Tensor x, Tensor weight, Tensor targets, int chunks)
    {
        if (is_grad_enabled() && (x.requires_grad || weight.requires_grad))
        {
            return Function.apply(x, weight, targets, chunks);
        }

        using DisposeScope scope = NewDisposeScope();
        return Sweep(x, weight, targets, chunks, null, null).MoveToOuterDisposeScope();
    }

    /// <summary>Adds up the loss; writes dX rows and adds to dW where these are given.</summary>
    private static Tensor Sweep(Tensor x, Tensor weight, Tensor targets, int chunks, Tensor? dx, Tensor? dw)
    {
        if (FusedSoftmaxLoss.Fits(x, weight))
        {
            return SweepFused(x, weight, targets, chunks, dx, dw);
        }

        using DisposeScope scope = NewDisposeScope();
        long rows = x.shape[0];
        long step = (rows + chunks - 1) / chunks;
        Tensor sum = zeros([], ScalarType.Float32, x.device);
        for (long start = 0; start < rows; start += step)
        {
            using DisposeScope piece = NewDisposeScope();
            long count = Math.Min(step, rows - start);
            Tensor x_CD = x.narrow(0, start, count);
            Tensor y_C1 = targets.narrow(0, start, count).unsqueeze(1);
            Tensor z_CV = functional.linear(x_CD, weight).to(ScalarType.Float32);
            Tensor lse_C1 = z_CV.logsumexp(1, keepdim: true);
            sum.add_((lse_C1 - z_CV.gather(1, y_C1)).sum());
            if (dx is null && dw is null)
            {
                continue;
            }

            Tensor dz_CV = z_CV.sub_(lse_C1).exp_();
            dz_CV.scatter_add_(1, y_C1, full([count, 1], -1f, dtype: ScalarType.Float32, device: x.device));
            Tensor dzInput_CV = dz_CV.to(x.dtype);
            dx?.narrow(0, start, count).copy_(mm(dzInput_CV, weight));
            dw?.add_(mm(dzInput_CV.t(), x_CD));
        }

        return sum.MoveToOuterDisposeScope();
    }

    /// <summary>The same with one block of logits that every piece uses again, turned into their gradient where they lie.</summary>
    private static Tensor SweepFused(Tensor x, Tensor weight, Tensor targets, int chunks, Tensor? dx, Tensor? dw)
    {
        BackwardErrors.ThrowIfFailed();
        using DisposeScope scope = NewDisposeScope();
        (long rows, long width) = (x.shape[0], weight.shape[0]);

        // glibc returns blocks above 32 MB to the system at once, and a product of few rows is slow: between the two.
        long fitting = Math.Max(128, (24L << 20) / (width * x.element_size()));
        long step = Math.Min((rows + chunks - 1) / chunks, fitting);
        Tensor y_M = targets.contiguous();
        Tensor block_SV = empty([step, width], x.dtype);
        bool wanted = dx is not null || dw is not null;
        using IDisposable off = no_grad();
        double sum = 0;
        for (long start = 0; start < rows; start += step)
        {
            using DisposeScope piece = NewDisposeScope();
            long count = Math.Min(step, rows - start);
            Tensor x_CD = x.narrow(0, start, count);
            Tensor z_CV = block_SV.narrow(0, 0, count);
            z_CV.addmm_(x_CD, weight.t(), 0, 1); // factor 0: what the block held does not matter
            sum += FusedSoftmaxLoss.Sum(z_CV, y_M.narrow(0, start, count), wanted);
            dx?.narrow(0, start, count).addmm_(z_CV, weight, 0, 1);
            dw?.add_(mm(z_CV.t(), x_CD));
        }

        return tensor((float)sum, ScalarType.Float32).MoveToOuterDisposeScope();
    }

    private sealed class Function : autograd.SingleTensorFunction<Function>
    {
        public override string Name => nameof(LinearCrossEntropy);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            (Tensor x, Tensor weight, Tensor targets, int chunks) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2], (int)vars[3]);
            Tensor? dx = x.requires_grad ? empty_like(x) : null;
            Tensor? dw = weight.requires_grad ? zeros(weight.shape, ScalarType.Float32, weight.device) : null;
            Tensor sum = Sweep(x, weight, targets, chunks, dx, dw);
            List<Tensor> saved = [];
            if (dx is not null)
            {
                saved.Add(dx);
            }

            if (dw is not null)
            {
                saved.Add(dw.dtype == weight.dtype ? dw : dw.to(weight.dtype));
            }

            ctx.save_for_backward(saved);
            ctx.save_data("wants", (dx is not null, dw is not null));
            return sum;
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient)
        {
            (bool wantsX, bool wantsWeight) = ((bool, bool))ctx.get_data("wants");
            List<Tensor> saved = ctx.get_saved_variables();
            Tensor? dx = wantsX ? saved[0].mul(gradient.to(saved[0].dtype)) : null;
            Tensor? dw = wantsWeight ? saved[^1].mul(gradient.to(saved[^1].dtype)) : null;
            foreach (Tensor t in saved)
            {
                t.Dispose();
            }

            gradient.Dispose();
            return [dx!, dw!, null!, null!];
        }
    }
}
