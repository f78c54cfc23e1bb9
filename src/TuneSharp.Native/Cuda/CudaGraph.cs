using System.Runtime.InteropServices;

namespace TuneSharp.Native;

/// <summary>A sequence of kernels recorded once and launched as one: libtorch's own graph class with its private pool of memory.</summary>
/// <remarks>
/// Its methods are exported under their C++ names; <see cref="Available"/> says whether this libtorch has them. A C++ exception that leaves them
/// would end the process: what is recorded must have run before, on <see cref="CudaSideWork"/>, and must not wait for the GPU.
/// </remarks>
public sealed unsafe class CudaGraph : IDisposable
{
    private const string Prefix = "_ZN2at4cuda9CUDAGraph";
    private const int ObjectBytes = 8192; // larger than the object is in any version seen
    private const int ThreadLocal = 1;    // cudaStreamCaptureModeThreadLocal: other threads may allocate meanwhile

    private static readonly delegate* unmanaged<IntPtr, byte, void> Construct = (delegate* unmanaged<IntPtr, byte, void>)Find("C1Eb");
    private static readonly delegate* unmanaged<IntPtr, ulong, ulong, int, void> Begin =
        (delegate* unmanaged<IntPtr, ulong, ulong, int, void>)Find("13capture_beginESt4pairIyyE21cudaStreamCaptureMode");

    private static readonly delegate* unmanaged<IntPtr, void> End = (delegate* unmanaged<IntPtr, void>)Find("11capture_endEv");
    private static readonly delegate* unmanaged<IntPtr, void> ReplayNow = (delegate* unmanaged<IntPtr, void>)Find("6replayEv");
    private static readonly delegate* unmanaged<IntPtr, void> Destruct = (delegate* unmanaged<IntPtr, void>)Find("D1Ev");

    private readonly IntPtr _self;
    private bool _recorded;

    /// <summary>Makes an empty graph.</summary>
    public CudaGraph()
    {
        if (!Available)
        {
            throw new NativeException("The libtorch in use has no CUDA graphs that can be reached.");
        }

        _self = (IntPtr)NativeMemory.AllocZeroed(ObjectBytes);
        Construct(_self, 0);
    }

    /// <summary>Whether graphs can be recorded here.</summary>
    public static bool Available =>
        LibTorch.CudaHandle != IntPtr.Zero && Construct != null && Begin != null && End != null && ReplayNow != null && Destruct != null;

    /// <summary>Records what an action launches on the current stream, which must be no default stream.</summary>
    /// <param name="run">Launches kernels; allocates what it likes from libtorch, waits for nothing.</param>
    public void Record(Action run)
    {
        Begin(_self, 0, 0, ThreadLocal);
        try
        {
            run();
        }
        finally
        {
            End(_self);
        }

        _recorded = true;
    }

    /// <summary>Launches all of it on the current stream.</summary>
    public void Replay()
    {
        if (!_recorded)
        {
            throw new InvalidOperationException("Nothing was recorded in this CUDA graph.");
        }

        ReplayNow(_self);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_recorded)
        {
            Destruct(_self);
        }

        NativeMemory.Free((void*)_self);
    }

    private static IntPtr Find(string method) =>
        LibTorch.CudaHandle != IntPtr.Zero && NativeLibrary.TryGetExport(LibTorch.CudaHandle, Prefix + method, out IntPtr address) ? address : IntPtr.Zero;
}

/// <summary>A stream of its own that libtorch works on, on this thread, until it is disposed.</summary>
public sealed unsafe class CudaSideWork : IDisposable
{
    private static IntPtr _stream;

    private readonly IntPtr _guard;

    /// <summary>Switches to the side stream; it waits for what the current one has been given, and at the end the other way round.</summary>
    public CudaSideWork()
    {
        if (_stream == IntPtr.Zero)
        {
            IntPtr made;
            // cudaStreamNonBlocking: no hidden waits for the default stream.
            Check(((delegate* unmanaged<IntPtr*, uint, int>)CudaTimer.Runtime("cudaStreamCreateWithFlags"))(&made, 1));
            _stream = made;
        }

        Synchronize();
        IntPtr guard;
        var make = (delegate* unmanaged<IntPtr, int, IntPtr*, int>)NativeLibrary.GetExport(LibTorch.CudaHandle, "aoti_torch_create_cuda_stream_guard");
        Check(make(_stream, 0, &guard));
        _guard = guard;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Synchronize();
        var delete = (delegate* unmanaged<IntPtr, int>)NativeLibrary.GetExport(LibTorch.CudaHandle, "aoti_torch_delete_cuda_stream_guard");
        Check(delete(_guard));
    }

    private static void Synchronize() => Check(((delegate* unmanaged<int>)CudaTimer.Runtime("cudaDeviceSynchronize"))());

    private static void Check(int code)
    {
        if (code != 0)
        {
            throw new NativeException($"CUDA's stream functions failed with {code}: an earlier kernel may have gone wrong.");
        }
    }
}
