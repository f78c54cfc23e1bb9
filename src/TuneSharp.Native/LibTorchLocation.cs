using System.Diagnostics;
using System.Runtime.InteropServices;

namespace TuneSharp.Native;

/// <summary>Where one libtorch was found, and how.</summary>
/// <param name="Directory">The folder with <c>libtorch_cpu</c> and its companions.</param>
/// <param name="Source">How it was found, in words for <c>tune env</c>.</param>
/// <param name="HasCuda">True when the folder also holds <c>libtorch_cuda</c>.</param>
public sealed record LibTorchLocation(string Directory, string Source, bool HasCuda)
{
    /// <summary>The variable that names a libtorch folder and overrides every other place.</summary>
    public const string Variable = "TUNESHARP_LIBTORCH";

    /// <summary>The version of the CPU package that TorchSharp 0.107 was built for.</summary>
    public const string PackageVersion = "2.10.0";

    /// <summary>The TorchSharp version whose shim is loaded.</summary>
    public const string TorchSharpVersion = "0.107.0";

    /// <summary>All libtorch builds on this machine, best first: variable, program folder, Python's with CUDA, NuGet cache.</summary>
    /// <remarks>Python's PyTorch is looked at only where an NVIDIA driver is present: on a CPU the packaged build serves as well.</remarks>
    public static IEnumerable<LibTorchLocation> FindAll()
    {
        string? named = Environment.GetEnvironmentVariable(Variable);
        if (!string.IsNullOrEmpty(named))
        {
            yield return At(named, $"{Variable}={named}");
            yield break; // what the user named is what is used, or the error says why not
        }

        if (File.Exists(Path.Combine(AppContext.BaseDirectory, FileName("torch_cpu"))))
        {
            yield return At(AppContext.BaseDirectory, "the program's folder");
        }

        if (HasNvidiaDriver() && FindPythonTorch() is { } python)
        {
            yield return At(python, "the active Python's PyTorch");
        }

        string package = Path.Combine(NuGetCache(), CpuPackage(), PackageVersion, "runtimes", Rid(), "native");
        if (System.IO.Directory.Exists(package))
        {
            yield return At(package, "the NuGet cache");
        }
    }

    /// <summary>All copies of TorchSharp's shim on this machine, best first.</summary>
    public static IEnumerable<string> FindShims()
    {
        string name = FileName("LibTorchSharp");
        string[] places =
        [
            Path.Combine(AppContext.BaseDirectory, name),
            Path.Combine(AppContext.BaseDirectory, "runtimes", Rid(), "native", name),
            Path.Combine(NuGetCache(), "torchsharp", TorchSharpVersion, "runtimes", Rid(), "native", name),
        ];
        return places.Where(File.Exists);
    }

    /// <summary>The platform's file name of a native library: <c>libx.so</c>, <c>x.dll</c> or <c>libx.dylib</c>.</summary>
    /// <param name="library">The bare name, as in <c>torch_cpu</c>.</param>
    public static string FileName(string library) =>
        OperatingSystem.IsWindows() ? library + ".dll" :
        OperatingSystem.IsMacOS() ? $"lib{library}.dylib" : $"lib{library}.so";

    /// <summary>True when the kernel driver of an NVIDIA card is loaded.</summary>
    public static bool HasNvidiaDriver() =>
        OperatingSystem.IsWindows()
            ? File.Exists(Path.Combine(Environment.SystemDirectory, "nvcuda.dll"))
            : File.Exists("/dev/nvidiactl") || System.IO.Directory.Exists("/proc/driver/nvidia");

    private static LibTorchLocation At(string directory, string source) =>
        new(directory, source, File.Exists(Path.Combine(directory, FileName("torch_cuda"))));

    private static string Rid()
    {
        string os = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
        return RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? os + "-arm64" : os + "-x64";
    }

    private static string CpuPackage() => "libtorch-cpu-" + Rid();

    private static string NuGetCache() =>
        Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } named
            ? named
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    /// <summary>Asks the active Python where its PyTorch lies, without importing it (that would take seconds).</summary>
    private static string? FindPythonTorch()
    {
        const string Ask = "import importlib.util,os;s=importlib.util.find_spec('torch');" +
            "print(os.path.join(os.path.dirname(s.origin),'lib') if s else '')";
        foreach (string interpreter in new[] { "python3", "python" })
        {
            try
            {
                using Process process = Process.Start(new ProcessStartInfo(interpreter)
                {
                    ArgumentList = { "-c", Ask },
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                    UseShellExecute = false,
                })!;
                string answer = process.StandardOutput.ReadToEnd().Trim();
                if (process.WaitForExit(10_000) && File.Exists(Path.Combine(answer, FileName("torch_cpu"))))
                {
                    return answer;
                }
            }
            catch (System.ComponentModel.Win32Exception)
            {
                // No such interpreter: try the next name.
            }
        }

        return null;
    }
}
