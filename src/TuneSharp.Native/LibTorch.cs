using System.Reflection;
using System.Runtime.InteropServices;

namespace TuneSharp.Native;

/// <summary>Loads libtorch and TorchSharp's shim into the process, once, before TorchSharp looks for them itself.</summary>
/// <remarks>
/// TorchSharp's own search copies half a gigabyte about and blames a missing package whatever the true cause was; here the
/// system loader's words reach the user. Thread-safe.
/// </remarks>
public static partial class LibTorch
{
    private static readonly Lock Gate = new();
    private static IntPtr _shim;

    /// <summary>The libtorch in use; null before <see cref="Load"/>.</summary>
    public static LibTorchLocation? Loaded { get; private set; }

    /// <summary>The shim file in use: the original, or a relaxed copy in the user's cache. Null before <see cref="Load"/>.</summary>
    public static string? ShimPath { get; private set; }

    /// <summary>Handle of <c>libtorch_cpu</c>, whose C entry points <see cref="AtenApi"/> calls.</summary>
    internal static IntPtr CpuHandle { get; private set; }

    /// <summary>Handle of <c>libtorch_cuda</c>, or zero in a CPU build.</summary>
    public static IntPtr CudaHandle { get; private set; }

    /// <summary>Loads the best libtorch found and binds TorchSharp to it. Later calls do nothing.</summary>
    /// <param name="torchSharp">TorchSharp's assembly, whose native imports are redirected.</param>
    /// <exception cref="NativeException">Nothing was found, or the system loader refused it.</exception>
    public static void Load(Assembly torchSharp)
    {
        lock (Gate)
        {
            if (Loaded is not null)
            {
                return;
            }

            LibTorchLocation location = LibTorchLocation.FindAll().FirstOrDefault() ?? throw new NativeException(
                "libtorch was not found. Looked in: the program's folder, the active Python's PyTorch, the NuGet cache.\n" +
                $"Run `dotnet restore` in the checkout, or set {LibTorchLocation.Variable} to a folder with " +
                $"{LibTorchLocation.FileName("torch_cpu")} (PyTorch 2.10 or 2.11).");
            string shim = LibTorchLocation.FindShims().FirstOrDefault() ?? throw new NativeException(
                $"{LibTorchLocation.FileName("LibTorchSharp")} was not found beside the program or in the NuGet cache. " +
                "Run `dotnet restore` in the checkout.");

            CalmThreads();
            LoadTorch(location);
            _shim = LoadShim(shim);
            NativeLibrary.SetDllImportResolver(torchSharp, (name, _, _) => name == "LibTorchSharp" ? _shim : IntPtr.Zero);
            SkipOwnSearch(torchSharp, location.HasCuda);
            AtenApi.Bind(CpuHandle);
            Loaded = location;
        }
    }

    /// <summary>
    /// GNU OpenMP's threads spin while they wait. Where other programs want the cores too, spinning takes them from the thread that is
    /// waited for: a training step was seen to take eight times as long. Set before the library reads it; a user's own setting wins.
    /// </summary>
    private static void CalmThreads()
    {
        if (OperatingSystem.IsLinux() && Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null)
        {
            _ = setenv("GOMP_SPINCOUNT", "0", overwrite: 0); // .NET's own environment never reaches native code
        }
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);

    private static void LoadTorch(LibTorchLocation location)
    {
        // In the order of their dependencies, so that each finds the ones before it already in the process.
        string[] names = location.HasCuda
            ? ["c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch"]
            : ["c10", "torch_cpu", "torch"];
        if (OperatingSystem.IsLinux() && Directory.Exists(location.Directory))
        {
            foreach (string gomp in Directory.EnumerateFiles(location.Directory, "libgomp*"))
            {
                Open(gomp, location);
            }
        }

        foreach (string name in names)
        {
            IntPtr handle = Open(Path.Combine(location.Directory, LibTorchLocation.FileName(name)), location);
            if (name == "torch_cpu")
            {
                CpuHandle = handle;
            }
            else if (name == "torch_cuda")
            {
                CudaHandle = handle;
            }
        }
    }

    private static IntPtr Open(string path, LibTorchLocation location)
    {
        try
        {
            return NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw new NativeException(
                $"{e.Message.Trim()}\nThis libtorch was taken from {location.Source}. " +
                $"Set {LibTorchLocation.Variable} to the lib folder of a complete PyTorch 2.10 or 2.11, or unset it to use the packaged CPU build.",
                e);
        }
    }

    private static IntPtr LoadShim(string path)
    {
        try
        {
            IntPtr handle = NativeLibrary.Load(path);
            ShimPath = path;
            return handle;
        }
        catch (DllNotFoundException e)
        {
            string cache = Path.Combine(CacheDirectory(), "torchsharp-" + LibTorchLocation.TorchSharpVersion);
            string copy = Path.Combine(cache, Path.GetFileName(path));
            if (!File.Exists(copy))
            {
                Directory.CreateDirectory(cache);
                if (!OperatingSystem.IsLinux() || !ElfRelaxer.WriteRelaxedCopy(path, copy))
                {
                    throw Refused(e);
                }
            }

            try
            {
                IntPtr handle = NativeLibrary.Load(copy);
                ShimPath = copy;
                return handle;
            }
            catch (DllNotFoundException second)
            {
                throw Refused(second);
            }
        }
    }

    private static NativeException Refused(Exception e) => new(
        $"{e.Message.Trim()}\nThe loader refused TorchSharp's library. If it names a missing library, install that; " +
        "if it names a symbol of torch, the libtorch in use is of another version than 2.10 or 2.11. `tune env` shows which.",
        e);

    /// <summary>TorchSharp keeps private flags of what it loaded; set, they stop it from searching and copying again.</summary>
    private static void SkipOwnSearch(Assembly torchSharp, bool cuda)
    {
        Type torch = torchSharp.GetType("TorchSharp.torch", throwOnError: true)!;
        const BindingFlags Private = BindingFlags.Static | BindingFlags.NonPublic;
        torch.GetField("nativeBackendLoaded", Private)?.SetValue(null, true);
        if (cuda)
        {
            torch.GetField("nativeBackendCudaLoaded", Private)?.SetValue(null, true);
        }
    }

    /// <summary>The folder for files that can be made again: <c>TUNESHARP_CACHE</c>, or the user's cache folder.</summary>
    public static string CacheDirectory()
    {
        if (Environment.GetEnvironmentVariable("TUNESHARP_CACHE") is { Length: > 0 } named)
        {
            return named;
        }

        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        string root = OperatingSystem.IsWindows()
            ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
            : Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg ? xdg : Path.Combine(home, ".cache");
        return Path.Combine(root, "tunesharp");
    }
}
