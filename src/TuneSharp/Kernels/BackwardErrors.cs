using System.Runtime.ExceptionServices;

namespace TuneSharp.Kernels;

/// <summary>Runs the bodies of backward functions: frees what they hold and keeps what goes wrong until managed code runs again.</summary>
/// <remarks>
/// An exception that leaves a custom backward function ends the process, because libtorch's C++ frames lie in between. So it is caught
/// here, no gradients are given, and the first kernel of the next forward pass throws it (<see cref="ActivationCheckpoint.ThrowIfFailed"/>, which trainers call after <c>backward()</c>, throws it too).
/// Handles made in backward would live until the caller's scope ends, which is the whole pass: they are let go here, and the returned ones
/// (libtorch has taken its own reference by then) at the next call on the same thread.
/// </remarks>
internal static class BackwardErrors
{
    private static Exception? _first;
    private static Exception? _next;

    [ThreadStatic]
    private static List<Tensor>? _returned;

    /// <summary>Runs the body of a backward function.</summary>
    /// <param name="numInputs">How many gradients libtorch expects.</param>
    /// <param name="ctx">The function's context.</param>
    /// <param name="gradient">The incoming gradient; disposed here.</param>
    /// <param name="body">Takes the saved tensors and gives the gradients; its other tensors are freed.</param>
    public static List<Tensor> Guard(
        int numInputs, autograd.AutogradContext ctx, Tensor gradient, Func<IReadOnlyList<Tensor>, List<Tensor>> body)
    {
        List<Tensor> result = [.. Enumerable.Repeat<Tensor>(null!, numInputs)];
        try
        {
            if (Interlocked.Exchange(ref _next, null) is { } wanted)
            {
                throw wanted;
            }

            foreach (Tensor? before in _returned ?? [])
            {
                before?.Dispose();
            }

            _returned = null;
            using DisposeScope scope = NewDisposeScope();
            List<Tensor> saved = ctx.get_saved_variables();
            result = body(saved);
            foreach (Tensor? kept in result)
            {
                kept?.DetachFromDisposeScope();
            }

            foreach (Tensor t in saved)
            {
                t.Dispose();
            }

            gradient.Dispose();
            _returned = result;
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _first, e, null);
        }

        return result;
    }

    /// <summary>Throws what was kept, once.</summary>
    public static void ThrowIfFailed()
    {
        if (Interlocked.Exchange(ref _first, null) is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    /// <summary>Makes the next backward function fail: for tests.</summary>
    internal static void FailNext(Exception failure) => _next = failure;
}
