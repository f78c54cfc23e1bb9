using System.Runtime.ExceptionServices;

namespace TuneSharp.Kernels;

/// <summary>Trades time for memory: keeps only a block's input, and runs the block again when its gradient is wanted.</summary>
/// <remarks>
/// Paper: https://arxiv.org/abs/1604.06174. Loss and gradients are those of the plain run, bit for bit: dropout replays, because
/// the CPU generator's state is kept; on a GPU, whose generator cannot be read, the block draws from a seed of its own.
/// An exception inside a backward pass would end the process, so a failed re-run gives zero gradients and is remembered: call
/// <see cref="ThrowIfFailed"/> after <c>backward()</c>.
/// </remarks>
public static class ActivationCheckpoint
{
    private static Exception? _failure;

    [ThreadStatic]
    private static bool _skip;

    /// <summary>Runs a block, keeping only its input.</summary>
    /// <param name="block">From the input to the output; frees its own temporaries. Its parameters get their gradients.</param>
    /// <param name="x">The input; need not require a gradient.</param>
    public static Tensor Run(Func<Tensor, Tensor> block, Tensor x) => Run((input, _) => block(input), x);

    /// <summary>Runs a block that also reads tensors which may be gone before the backward pass, such as a mask.</summary>
    /// <param name="block">From the input and the shared tensors to the output.</param>
    /// <param name="x">The input; need not require a gradient.</param>
    /// <param name="shared">What the block reads besides; gets no gradient. Kept without a copy.</param>
    public static Tensor Run(Func<Tensor, IReadOnlyList<Tensor>, Tensor> block, Tensor x, params IReadOnlyList<Tensor> shared) =>
        Run(block, x, shared, null);

    /// <summary>The same, and the input waits in host memory.</summary>
    /// <param name="block">From the input and the shared tensors to the output.</param>
    /// <param name="x">The input; need not require a gradient.</param>
    /// <param name="shared">What the block reads besides; gets no gradient. Kept without a copy.</param>
    /// <param name="offload">Where inputs go; null keeps them on the device.</param>
    public static Tensor Run(
        Func<Tensor, IReadOnlyList<Tensor>, Tensor> block, Tensor x, IReadOnlyList<Tensor> shared, ActivationOffload? offload)
    {
        if (!is_grad_enabled())
        {
            return block(x, shared);
        }

        // Below the first trained weight no input requires a gradient, and without one nothing would be recorded.
        using Tensor recorded = empty(0, requires_grad: true);
        return Function.apply(new Call(block, shared, offload), recorded, x);
    }

    /// <summary>
    /// True once after a block began to run again: the values that it returns are not used then, only their gradients are. Whoever asks may
    /// leave out the last product; a block within the block is asked anew.
    /// </summary>
    internal static bool TakeSkip() => (_skip, _skip = false).Item1;

    /// <summary>Throws what a block threw while it ran again in the last backward pass. Its gradients are zeros then.</summary>
    public static void ThrowIfFailed()
    {
        BackwardErrors.ThrowIfFailed();
        if (Interlocked.Exchange(ref _failure, null) is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    private sealed class Call(Func<Tensor, IReadOnlyList<Tensor>, Tensor> block, IReadOnlyList<Tensor> shared, ActivationOffload? offload)
    {
        private byte[] _cpuGenerator = [];
        private long _cudaSeed;
        private bool _wantsGradient;
        private ActivationOffload.Slot? _away;

        public IReadOnlyList<Tensor> Shared { get; } = shared;

        /// <summary>What autograd is to keep: the input, unless it leaves the device, and the shared tensors.</summary>
        public List<Tensor> Keep(Tensor x)
        {
            _wantsGradient = x.requires_grad;
            if (offload is null || !ActivationOffload.Fits(x))
            {
                return [x, .. Shared];
            }

            _away = offload.Leave(x);
            return [empty(0), .. Shared]; // in the input's place
        }

        /// <summary>The input as a leaf, and the shared tensors.</summary>
        public (Tensor X, IReadOnlyList<Tensor> Kept) Return(List<Tensor> saved)
        {
            Tensor x = _away is null ? saved[0].detach() : offload!.Return(_away);
            _away = null;
            return (x.requires_grad_(_wantsGradient), [.. saved.Skip(1)]);
        }

        public Tensor First(Tensor x)
        {
            if (x.device_type == DeviceType.CUDA)
            {
                using Tensor drawn = empty(1, float64).uniform_(0, 1L << 52);
                _cudaSeed = (long)drawn.item<double>();
                cuda.manual_seed(_cudaSeed);
            }

            using (Tensor state = get_rng_state())
            {
                _cpuGenerator = [.. state.data<byte>()];
            }

            bool outer = _skip;
            _skip = false;
            try
            {
                return block(x, Shared);
            }
            finally
            {
                _skip = outer;
            }
        }

        public Tensor Again(Tensor x, IReadOnlyList<Tensor> kept)
        {
            using Tensor now = get_rng_state();
            using Tensor then = tensor(_cpuGenerator);
            if (x.device_type == DeviceType.CUDA)
            {
                cuda.manual_seed(_cudaSeed);
            }

            set_rng_state(then);
            bool outer = _skip;
            _skip = true;
            try
            {
                return block(x, kept);
            }
            finally
            {
                _skip = outer;
                set_rng_state(now);
            }
        }
    }

    private sealed class Function : autograd.SingleTensorFunction<Function>
    {
        // Handles that the call before gave to native code, which keeps its own; on a GPU each device thread has its list.
        [ThreadStatic]
        private static Tensor? _returned;

        public override string Name => nameof(ActivationCheckpoint);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            (Call call, Tensor x) = ((Call)vars[0], (Tensor)vars[2]);
            ctx.save_data("call", call);
            ctx.save_data("shape", x.shape);
            ctx.save_for_backward(call.Keep(x));
            using IDisposable frozen = no_grad();
            return call.First(x);
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient)
        {
            List<Tensor> saved = ctx.get_saved_variables();
            try
            {
                // A scope of its own: on a GPU this is another thread, where the caller's does not reach.
                using DisposeScope scope = NewDisposeScope();
                Call call = (Call)ctx.get_data("call");
                (Tensor x, IReadOnlyList<Tensor> kept) = call.Return(saved);
                scope.Attach(x); // one that came back from the host belongs to no scope yet
                Tensor y;
                using (enable_grad())
                {
                    y = call.Again(x, kept);
                }

                if (y.requires_grad)
                {
                    y.backward([gradient]); // the block's own parameters get their gradients here
                }

                Give(x.grad?.DetachFromDisposeScope());
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref _failure, e, null);
                Give(zeros((long[])ctx.get_data("shape"), gradient.dtype, gradient.device).DetachFromDisposeScope());
            }

            // Else these live until the caller's scope ends: a whole backward pass of them.
            saved.ForEach(t => t.Dispose());
            gradient.Dispose();
            return [null!, null!, _returned!];
        }

        /// <summary>Only here may the handle before go: a block that checkpoints inside has used this method meanwhile.</summary>
        private static void Give(Tensor? result)
        {
            _returned?.Dispose();
            _returned = result;
        }
    }
}
