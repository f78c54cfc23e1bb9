using System.Reflection;
using System.Runtime.InteropServices;

namespace TuneSharp.Native;

/// <summary>Finds the driver and NVRTC: beside libtorch, in the wheels that PyTorch brings, or where the system loader looks.</summary>
internal static class CudaLibraries
{
    public const string Driver = "tunesharp-cuda-driver";
    public const string Compiler = "tunesharp-nvrtc";

    private static readonly Lock Gate = new();
    private static IntPtr _driver;
    private static IntPtr _compiler;
    private static bool _registered;

    /// <summary>Tells the runtime where the two names above lead. Call before the first native call.</summary>
    public static void Register()
    {
        lock (Gate)
        {
            if (!_registered)
            {
                NativeLibrary.SetDllImportResolver(typeof(CudaLibraries).Assembly, Resolve);
                _registered = true;
            }
        }
    }

    private static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        lock (Gate)
        {
            return name switch
            {
                Driver => _driver = _driver != IntPtr.Zero ? _driver : Open(["libcuda.so.1", "nvcuda.dll"], "NVIDIA's driver"),
                Compiler => _compiler = _compiler != IntPtr.Zero ? _compiler : Open(CompilerNames(), "NVRTC, CUDA's run-time compiler"),
                _ => IntPtr.Zero,
            };
        }
    }

    private static IntPtr Open(IEnumerable<string> names, string what)
    {
        foreach (string name in names)
        {
            if (NativeLibrary.TryLoad(name, out IntPtr handle))
            {
                return handle;
            }
        }

        throw new NativeException(
            $"{what} was not found beside libtorch ({LibTorch.Loaded?.Directory}) or on the library path. A PyTorch with CUDA brings it; " +
            "TUNESHARP_KERNELS=reference does without it, more slowly.");
    }

    private static IEnumerable<string> CompilerNames()
    {
        string[] files = ["libnvrtc.so.13", "libnvrtc.so.12", "nvrtc64_130_0.dll", "nvrtc64_120_0.dll"];
        if (LibTorch.Loaded is { } torch)
        {
            // PyTorch's wheels put CUDA's libraries into site-packages/nvidia/*/lib, two folders above torch/lib.
            string wheels = Path.GetFullPath(Path.Combine(torch.Directory, "..", "..", "nvidia"));
            string[] inWheels = Directory.Exists(wheels) ? Directory.GetDirectories(wheels) : [];
            string[] folders = [torch.Directory, .. inWheels.Select(d => Path.Combine(d, "lib")).Order(StringComparer.Ordinal)];
            foreach (string path in folders.SelectMany(folder => files.Select(file => Path.Combine(folder, file))).Where(File.Exists))
            {
                yield return path;
            }
        }

        foreach (string file in files)
        {
            yield return file;
        }
    }
}
