using System.Runtime.InteropServices;

namespace TuneSharp.Native;

/// <summary>Times work on the GPU with CUDA's events, on libtorch's current stream.</summary>
public sealed unsafe class CudaTimer : IDisposable
{
    private static readonly delegate* unmanaged<IntPtr*, int> Create = (delegate* unmanaged<IntPtr*, int>)Runtime("cudaEventCreate");
    private static readonly delegate* unmanaged<IntPtr, IntPtr, int> Record = (delegate* unmanaged<IntPtr, IntPtr, int>)Runtime("cudaEventRecord");
    private static readonly delegate* unmanaged<IntPtr, int> Wait = (delegate* unmanaged<IntPtr, int>)Runtime("cudaEventSynchronize");
    private static readonly delegate* unmanaged<float*, IntPtr, IntPtr, int> Elapsed = (delegate* unmanaged<float*, IntPtr, IntPtr, int>)Runtime("cudaEventElapsedTime");
    private static readonly delegate* unmanaged<IntPtr, int> Destroy = (delegate* unmanaged<IntPtr, int>)Runtime("cudaEventDestroy");

    private readonly IntPtr _event;

    /// <summary>Marks this moment of the stream.</summary>
    public CudaTimer()
    {
        IntPtr made;
        Check(Create(&made));
        _event = made;
        Check(Record(_event, CudaKernels.CurrentStream()));
    }

    /// <summary>Milliseconds from this moment to another; waits for the later one.</summary>
    /// <param name="later">The later moment.</param>
    public double MillisecondsTo(CudaTimer later)
    {
        Check(Wait(later._event));
        float milliseconds;
        Check(Elapsed(&milliseconds, _event, later._event));
        return milliseconds;
    }

    /// <inheritdoc/>
    public void Dispose() => Destroy(_event);

    internal static IntPtr Runtime(string name) => LibTorch.CudaHandle == IntPtr.Zero
        ? throw new NativeException($"{name}: the libtorch in use has no CUDA.")
        : NativeLibrary.GetExport(LibTorch.CudaHandle, name); // the runtime is a dependency of libtorch_cuda, and the loader looks there too

    private static void Check(int code)
    {
        if (code != 0)
        {
            throw new NativeException($"CUDA's event functions failed with {code}: an earlier kernel may have gone wrong.");
        }
    }
}
