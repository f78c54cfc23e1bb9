using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace TuneSharp.Native;

/// <summary>Own kernels: a source is compiled when its first function is asked for, for the GPU that is current then.</summary>
public static unsafe class CudaKernels
{
    private const int MostArguments = 32;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, IntPtr> Modules = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<(string Source, string Function), IntPtr> Functions = new();
    private static delegate* unmanaged<int, IntPtr*, int> _currentStream;
    private static int _capability;
    private static int _processors;

    /// <summary>Compute capability of the GPU, as 90 for an H100.</summary>
    public static int Capability => _capability != 0 ? _capability : _capability = CudaDriver.Capability();

    /// <summary>Multiprocessors of the GPU.</summary>
    public static int Processors => _processors != 0 ? _processors : _processors = CudaDriver.Processors();

    /// <summary>A function of a source.</summary>
    /// <param name="source">Name of the source.</param>
    /// <param name="function">Name of an <c>extern "C"</c> kernel in it.</param>
    /// <param name="read">Gives the source's text; called once.</param>
    public static IntPtr Function(string source, string function, Func<string, string> read)
    {
        if (Functions.TryGetValue((source, function), out IntPtr known))
        {
            return known;
        }

        lock (Gate)
        {
            if (!Modules.TryGetValue(source, out IntPtr module))
            {
                module = CudaDriver.LoadModule(CudaCompiler.Compile(source, read(source), Capability));
                Modules[source] = module;
            }

            return Functions[(source, function)] = CudaDriver.Function(module, function);
        }
    }

    /// <summary>Launches a kernel on libtorch's current stream.</summary>
    /// <param name="function">From <see cref="Function"/>.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="block">Threads of a block.</param>
    /// <param name="sharedBytes">Dynamic shared memory; above 48 KB call <see cref="AllowShared"/> before.</param>
    /// <param name="arguments">A word for each parameter, in order: an address, an integer, or the bits of a float.</param>
    /// <param name="device">Index of the device.</param>
    public static void Launch(
        IntPtr function, (long X, long Y, long Z) grid, (int X, int Y) block, int sharedBytes, ReadOnlySpan<ulong> arguments, int device = 0)
    {
        if (grid.X is < 1 or > int.MaxValue || grid.Y is < 1 or > 65_535 || grid.Z is < 1 or > 65_535 || block.X * block.Y is < 1 or > 1024
            || arguments.Length > MostArguments)
        {
            throw new ArgumentException($"A kernel cannot be launched with a grid of {grid}, blocks of {block} and {arguments.Length} arguments.");
        }

        void** words = stackalloc void*[MostArguments];
        fixed (ulong* p = arguments)
        {
            for (int i = 0; i < arguments.Length; i++)
            {
                words[i] = p + i;
            }

            CudaDriver.Launch(
                function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)block.X, (uint)block.Y, (uint)sharedBytes, CurrentStream(device), words);
        }
    }

    /// <summary>Allows a kernel more than 48 KB of shared memory.</summary>
    /// <param name="function">From <see cref="Function"/>.</param>
    /// <param name="bytes">How many.</param>
    public static void AllowShared(IntPtr function, int bytes) => CudaDriver.AllowShared(function, bytes);

    /// <summary>The stream that libtorch works on now, on this thread.</summary>
    /// <param name="device">Index of the device.</param>
    public static IntPtr CurrentStream(int device = 0)
    {
        if (_currentStream == null)
        {
            _currentStream = (delegate* unmanaged<int, IntPtr*, int>)NativeLibrary.GetExport(LibTorch.CudaHandle, "aoti_torch_get_current_cuda_stream");
        }

        IntPtr stream;
        return _currentStream(device, &stream) == 0
            ? stream
            : throw new NativeException("libtorch did not tell its current CUDA stream; its reason stands on standard error above.");
    }
}
