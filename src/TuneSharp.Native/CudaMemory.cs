using System.Runtime.InteropServices;

namespace TuneSharp.Native;

/// <summary>How full a GPU is, by CUDA's own count.</summary>
public static unsafe class CudaMemory
{
    /// <summary>Bytes in use on the current GPU, by every process; null without CUDA.</summary>
    /// <remarks>libtorch's allocator keeps what it once took, so this seldom falls; its finer statistics have no C interface.</remarks>
    public static long? UsedBytes() => Ask() is { } m ? m.Total - m.Free : null;

    /// <summary>Bytes that the current GPU has; null without CUDA.</summary>
    public static long? TotalBytes() => Ask()?.Total;

    private static (long Free, long Total)? Ask()
    {
        // The runtime is a dependency of libtorch_cuda, and the loader looks a name up in those too.
        if (LibTorch.CudaHandle == IntPtr.Zero || !NativeLibrary.TryGetExport(LibTorch.CudaHandle, "cudaMemGetInfo", out IntPtr address))
        {
            return null;
        }

        nuint free, total;
        return ((delegate* unmanaged<nuint*, nuint*, int>)address)(&free, &total) == 0 ? ((long)free, (long)total) : null;
    }
}
