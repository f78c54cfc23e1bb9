using System.Runtime.InteropServices;

namespace TuneSharp.Native;

/// <summary>The few functions of CUDA's driver that own kernels need, names untouched.</summary>
internal static unsafe partial class CudaDriver
{
    private const int MajorAttribute = 75; // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
    private const int MinorAttribute = 76;
    private const int ProcessorsAttribute = 16; // CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT

    [ThreadStatic]
    private static bool _ready;

    static CudaDriver() => CudaLibraries.Register();

    /// <summary>Makes sure that this thread has a CUDA context; libtorch gives it one with its first work on the device.</summary>
    public static void EnsureContext()
    {
        if (_ready)
        {
            return;
        }

        // A thread of libtorch's backward pass gets its context with its first runtime call, which may be ours.
        IntPtr context;
        Check(cuCtxGetCurrent(&context), nameof(cuCtxGetCurrent));
        if (context == IntPtr.Zero)
        {
            Check(((delegate* unmanaged<void*, int>)CudaTimer.Runtime("cudaFree"))(null), "cudaFree(0)");
        }

        _ready = true;
    }

    /// <summary>Compute capability of the current device, as 90 for an H100.</summary>
    public static int Capability()
    {
        EnsureContext();
        return (10 * Attribute(MajorAttribute)) + Attribute(MinorAttribute);
    }

    /// <summary>Multiprocessors of the current device.</summary>
    public static int Processors()
    {
        EnsureContext();
        return Attribute(ProcessorsAttribute);
    }

    /// <summary>Loads machine code and gives the function of a name.</summary>
    public static IntPtr LoadModule(ReadOnlySpan<byte> image)
    {
        EnsureContext();
        IntPtr module;
        fixed (byte* p = image)
        {
            Check(cuModuleLoadData(&module, p), nameof(cuModuleLoadData));
        }

        return module;
    }

    /// <summary>A kernel of a module.</summary>
    public static IntPtr Function(IntPtr module, string name)
    {
        IntPtr function;
        Check(cuModuleGetFunction(&function, module, name), $"{nameof(cuModuleGetFunction)} ({name})");
        return function;
    }

    /// <summary>Allows a kernel more than 48 KB of shared memory.</summary>
    public static void AllowShared(IntPtr function, int bytes) => Check(cuFuncSetAttribute(function, 8, bytes), nameof(cuFuncSetAttribute));

    /// <summary>Launches.</summary>
    public static void Launch(IntPtr function, uint x, uint y, uint z, uint threadsX, uint threadsY, uint sharedBytes, IntPtr stream, void** arguments)
    {
        EnsureContext();
        Check(cuLaunchKernel(function, x, y, z, threadsX, threadsY, 1, sharedBytes, stream, arguments, null), nameof(cuLaunchKernel));
    }

    private static int Attribute(int number)
    {
        int device, value;
        Check(cuCtxGetDevice(&device), nameof(cuCtxGetDevice));
        Check(cuDeviceGetAttribute(&value, number, device), nameof(cuDeviceGetAttribute));
        return value;
    }

    private static void Check(int code, string function)
    {
        if (code != 0)
        {
            byte* text;
            string what = cuGetErrorString(code, &text) == 0 ? Marshal.PtrToStringUTF8((IntPtr)text) ?? "" : "";
            throw new NativeException($"CUDA: {function} failed with {code}: {what}.");
        }
    }

    [LibraryImport(CudaLibraries.Driver)]
    private static partial int cuCtxGetCurrent(IntPtr* context);

    [LibraryImport(CudaLibraries.Driver)]
    private static partial int cuCtxGetDevice(int* device);

    [LibraryImport(CudaLibraries.Driver)]
    private static partial int cuDeviceGetAttribute(int* value, int attribute, int device);

    [LibraryImport(CudaLibraries.Driver)]
    private static partial int cuModuleLoadData(IntPtr* module, void* image);

    [LibraryImport(CudaLibraries.Driver, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int cuModuleGetFunction(IntPtr* function, IntPtr module, string name);

    [LibraryImport(CudaLibraries.Driver)]
    private static partial int cuFuncSetAttribute(IntPtr function, int attribute, int value);

    [LibraryImport(CudaLibraries.Driver)]
    private static partial int cuLaunchKernel(
        IntPtr function, uint x, uint y, uint z, uint threadsX, uint threadsY, uint threadsZ, uint sharedBytes, IntPtr stream, void** arguments, void** extra);

    [LibraryImport(CudaLibraries.Driver)]
    private static partial int cuGetErrorString(int code, byte** text);
}
