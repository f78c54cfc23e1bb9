using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TuneSharp.Native;

namespace TuneSharp.Kernels;

/// <summary>A kernel that is cut into tasks, written once for every register width and element type.</summary>
internal unsafe interface ITaskKernel
{
    /// <summary>Does one task. Must not throw: it is called from native threads.</summary>
    /// <param name="arguments">The kernel's own.</param>
    /// <param name="task">Its number.</param>
    /// <param name="worker">Number of the thread. Not for partial sums: which thread does a task is chance, and so would the rounding be.</param>
    /// <param name="scratch">The thread's own memory.</param>
    static abstract void Run<TLanes, TVector, TElement>(void* arguments, long task, int worker, float* scratch)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
        where TElement : struct, IElement;
}

/// <summary>Runs tasks, perhaps of uneven length, on libtorch's own thread pool.</summary>
internal static unsafe class Workers
{
    /// <summary>Threads that may run at once: no worker number reaches it.</summary>
    public static int Count => get_num_threads();

    /// <summary>Runs a kernel.</summary>
    /// <param name="tasks">Tasks to share out.</param>
    /// <param name="dtype">fp32 or bf16.</param>
    /// <param name="scratchFloats">Scratch memory of each thread, 64-byte aligned, uninitialised.</param>
    /// <param name="body">An entry point that calls <see cref="Enter{TKernel}"/>.</param>
    /// <param name="arguments">The kernel's own arguments.</param>
    public static void Run(
        long tasks, ScalarType dtype, long scratchFloats, delegate* unmanaged<long, long, void*, void> body, void* arguments)
    {
        int workers = (int)Math.Min(tasks, Count);
        nint each = ((nint)scratchFloats + 15) & ~(nint)15; // cache lines are not shared
        Job job = new() { Arguments = arguments, ScratchFloats = each, Tasks = tasks, IsBf16 = dtype == ScalarType.BFloat16 };
        job.Scratch = (float*)NativeMemory.AlignedAlloc((nuint)(each * workers * sizeof(float)), 64);
        try
        {
            AtenApi.ParallelFor(0, workers, 1, body, &job);
        }
        finally
        {
            NativeMemory.AlignedFree(job.Scratch);
        }
    }

    /// <summary>What every kernel's entry point calls: takes tasks until none is left.</summary>
    /// <param name="begin">First worker number.</param>
    /// <param name="end">One past the last.</param>
    /// <param name="context">The job.</param>
    public static void Enter<TKernel>(long begin, long end, void* context)
        where TKernel : struct, ITaskKernel
    {
        Job* job = (Job*)context;
        for (int worker = (int)begin; worker < end; worker++)
        {
            float* scratch = job->Scratch + (worker * job->ScratchFloats);
            for (long task; (task = Interlocked.Increment(ref job->Taken) - 1) < job->Tasks;)
            {
                if (Vector512.IsHardwareAccelerated)
                {
                    RunTask<TKernel, Lanes512, Vector512<float>>(job, task, worker, scratch);
                }
                else if (Vector256.IsHardwareAccelerated)
                {
                    RunTask<TKernel, Lanes256, Vector256<float>>(job, task, worker, scratch);
                }
                else
                {
                    RunTask<TKernel, Lanes128, Vector128<float>>(job, task, worker, scratch);
                }
            }
        }
    }

    private static void RunTask<TKernel, TLanes, TVector>(Job* job, long task, int worker, float* scratch)
        where TKernel : struct, ITaskKernel
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        if (job->IsBf16)
        {
            TKernel.Run<TLanes, TVector, Bf16>(job->Arguments, task, worker, scratch);
        }
        else
        {
            TKernel.Run<TLanes, TVector, Fp32>(job->Arguments, task, worker, scratch);
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Job
    {
        public void* Arguments;
        public float* Scratch;
        public nint ScratchFloats;
        public long Tasks;
        public long Taken;
        public bool IsBf16;
    }
}
