using TorchSharp;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Kernels;

/// <summary>What the tests of several kernels share.</summary>
internal static class KernelRuns
{
    /// <summary>Fails when fifty runs change the number of live tensor handles.</summary>
    public static void LeaveNothing(Action run, IEnumerable<Tensor> parameters)
    {
        long before = 0;
        for (int i = 0; i < 53; i++)
        {
            if (i == 3) // what is kept between calls is there now
            {
                before = LiveHandles();
            }

            using DisposeScope scope = NewDisposeScope();
            run();
            foreach (Tensor p in parameters)
            {
                p.grad = null;
            }
        }

        Assert.Equal(before, LiveHandles());
    }

    /// <summary>Live handles, once those that other tests' threads left to the collector are gone.</summary>
    public static long LiveHandles()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Tensor.TotalCount;
    }
}
