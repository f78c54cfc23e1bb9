using static TorchSharp.torch.nn;

namespace TuneSharp.Kernels;

/// <summary>Cross-entropy of x·Wᵀ without ever holding all of x·Wᵀ: loss, dX and dW in one sweep over chunks of rows.</summary>
/// <remarks>
/// For a row with logits z, target y: loss = logsumexp(z) − z[y], dz = softmax(z) − onehot(y), dx = dz·W, dW = dzᵀ·x.
/// With <see cref="SoftmaxLossOptions"/>: z′ = c·tanh(z/c), loss += ε·(z[y] − mean z) + λ·lse², and dz accordingly.
/// Forward keeps dX (M×D, the input's dtype) and, for a trained head, dW in fp32; backward only scales them. Three products of
/// 2·M·V·D operations (two with a frozen head), as many as the plain way needs; the plain way also reads and writes M×V logits
/// about six times. Idea: https://arxiv.org/abs/2410.10989 (Liger), chunk size chosen by the caller.
/// </remarks>
public static class LinearCrossEntropy
{
    private const long GpuBlockBytes = 512L << 20; // of logits at a time: 2048 rows of a vocabulary of 128k keep a GPU's products at full speed

    /// <summary>The loss summed over rows.</summary>
    /// <param name="x">[M, D].</param>
    /// <param name="weight">[V, D].</param>
    /// <param name="targets">[M], int64, none ignored.</param>
    /// <param name="chunks">Pieces that the rows are cut into.</param>
    /// <param name="options">Cap, smoothing, z-loss.</param>
    /// <returns>A fp32 scalar.</returns>
    public static Tensor Sum(Tensor x, Tensor weight, Tensor targets, int chunks, SoftmaxLossOptions options = default) =>
        Sum(x, weight, targets, chunks, options, GpuSoftmaxLoss.NoIgnored);

    /// <summary>Whether the loss can be computed on a GPU with ignored labels among the targets, so that nothing waits for their number.</summary>
    internal static bool FitsIgnored(Tensor x, Tensor weight) =>
        KernelChoice.Fused && x.dtype == weight.dtype && GpuKernel.Fits(x) && GpuKernel.Fits(weight);

    /// <summary>The same with a label that does not count, where <see cref="FitsIgnored"/>.</summary>
    internal static Tensor Sum(Tensor x, Tensor weight, Tensor targets, int chunks, SoftmaxLossOptions options, int ignore)
    {
        if (is_grad_enabled() && (x.requires_grad || weight.requires_grad))
        {
            return Function.apply(x, weight, targets, chunks, options, ignore);
        }

        using DisposeScope scope = NewDisposeScope();
        return Sweep(x, weight, targets, chunks, options, ignore, null, null).MoveToOuterDisposeScope();
    }

    /// <summary>Adds up the loss; writes dX rows and adds to dW where these are given.</summary>
    private static Tensor Sweep(
        Tensor x, Tensor weight, Tensor targets, int chunks, SoftmaxLossOptions options, int ignore, Tensor? dx, Tensor? dw)
    {
        if (KernelChoice.Fused && x.dtype == weight.dtype && GpuKernel.Fits(x) && GpuKernel.Fits(weight))
        {
            return SweepOnGpu(x, weight, targets, options, ignore, dx, dw);
        }

        if (options.SoftCap == 0 && FusedSoftmaxLoss.Fits(x, weight))
        {
            return SweepFused(x, weight, targets, chunks, options, dx, dw);
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
            Tensor? capped_CV = Cap(z_CV, options.SoftCap);
            z_CV = capped_CV ?? z_CV;
            Tensor lse_C1 = z_CV.logsumexp(1, keepdim: true);
            sum.add_((lse_C1 - z_CV.gather(1, y_C1)).sum());
            if (options.LabelSmoothing > 0)
            {
                sum.add_((z_CV.gather(1, y_C1).squeeze(1) - z_CV.mean([1L])).sum() * options.LabelSmoothing);
            }

            if (options.ZLoss > 0)
            {
                sum.add_(lse_C1.square().sum() * options.ZLoss);
            }

            if (dx is null && dw is null)
            {
                continue;
            }

            Tensor dz_CV = Gradient(z_CV, lse_C1, y_C1, options);
            if (capped_CV is not null)
            {
                // tanh′(z/c) = 1 − (z′/c)².
                dz_CV.mul_(1 - (capped_CV / options.SoftCap).square());
            }

            Tensor dzInput_CV = dz_CV.to(x.dtype);
            dx?.narrow(0, start, count).copy_(mm(dzInput_CV, weight));
            dw?.add_(mm(dzInput_CV.t(), x_CD));
        }

        return sum.MoveToOuterDisposeScope();
    }

    private static Tensor? Cap(Tensor z_CV, double cap) => cap == 0 ? null : z_CV.div_(cap).tanh_().mul_(cap);

    /// <summary>softmax(z)·(1 + 2λ·lse) − (1−ε)·onehot(y) − ε/V. Overwrites uncapped logits.</summary>
    private static Tensor Gradient(Tensor z_CV, Tensor lse_C1, Tensor y_C1, SoftmaxLossOptions options)
    {
        Tensor dz_CV = options.SoftCap == 0 ? z_CV.sub_(lse_C1).exp_() : (z_CV - lse_C1).exp_();
        if (options.ZLoss > 0)
        {
            dz_CV.mul_(1 + (2 * options.ZLoss * lse_C1));
        }

        float atLabel = (float)(options.LabelSmoothing - 1);
        dz_CV.scatter_add_(1, y_C1, full(y_C1.shape, atLabel, dtype: ScalarType.Float32, device: z_CV.device));
        return options.LabelSmoothing > 0 ? dz_CV.sub_(options.LabelSmoothing / z_CV.shape[1]) : dz_CV;
    }

    /// <summary>The same with one block of logits that every piece uses again, turned into their gradient where they lie.</summary>
    private static Tensor SweepFused(
        Tensor x, Tensor weight, Tensor targets, int chunks, SoftmaxLossOptions options, Tensor? dx, Tensor? dw)
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
            sum += FusedSoftmaxLoss.Sum(z_CV, y_M.narrow(0, start, count), wanted, options);
            dx?.narrow(0, start, count).addmm_(z_CV, weight, 0, 1);
            dw?.add_(mm(z_CV.t(), x_CD));
        }

        return tensor((float)sum, ScalarType.Float32).MoveToOuterDisposeScope();
    }

    /// <summary>The same on a GPU: nothing waits for it. Few large pieces, since a product of few rows is slow there too.</summary>
    private static Tensor SweepOnGpu(
        Tensor x, Tensor weight, Tensor targets, SoftmaxLossOptions options, int ignore, Tensor? dx, Tensor? dw)
    {
        BackwardErrors.ThrowIfFailed();
        using DisposeScope scope = NewDisposeScope();
        using IDisposable off = no_grad();
        (long rows, long width) = (x.shape[0], weight.shape[0]);
        long fitting = Math.Clamp(GpuBlockBytes / (width * x.element_size()), 512, 8192) / 128 * 128;
        long pieces = (rows + fitting - 1) / fitting;
        long step = (rows + pieces - 1) / pieces;
        Tensor y_M = targets.contiguous();
        Tensor losses_M = empty([rows], ScalarType.Float32, x.device);
        Tensor block_SV = empty([step, width], x.dtype, x.device);
        bool wanted = dx is not null || dw is not null;
        for (long start = 0; start < rows; start += step)
        {
            using DisposeScope piece = NewDisposeScope();
            long count = Math.Min(step, rows - start);
            Tensor x_CD = x.narrow(0, start, count);
            Tensor z_CV = block_SV.narrow(0, 0, count);
            z_CV.addmm_(x_CD, weight.t(), 0, 1); // factor 0: what the block held does not matter
            GpuSoftmaxLoss.Rows(z_CV, y_M.narrow(0, start, count), losses_M.narrow(0, start, count), wanted, options, ignore);
            dx?.narrow(0, start, count).addmm_(z_CV, weight, 0, 1);
            dw?.add_(mm(z_CV.t(), x_CD));
        }

        return losses_M.sum().MoveToOuterDisposeScope();
    }

    private sealed class Function : autograd.SingleTensorFunction<Function>
    {
        public override string Name => nameof(LinearCrossEntropy);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            (Tensor x, Tensor weight, Tensor targets) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2]);
            Tensor? dx = x.requires_grad ? empty_like(x) : null;
            Tensor? dw = weight.requires_grad ? zeros(weight.shape, ScalarType.Float32, weight.device) : null;
            Tensor sum = Sweep(x, weight, targets, (int)vars[3], (SoftmaxLossOptions)vars[4], (int)vars[5], dx, dw);
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
            return [dx!, dw!, null!, null!, null!, null!];
        }
    }
}
