using System.CommandLine;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using TorchSharp;
using TuneSharp.Backend;
using TuneSharp.Native;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune env</c>: what a bug report needs. Works, with the loader's words, when libtorch does not load.</summary>
internal static class EnvCommand
{
    public static string Version { get; } =
        typeof(EnvCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public static Command Create(Terminal terminal)
    {
        Command command = new("env", "Show versions, devices, memory and the libraries found: what a bug report needs.");
        command.SetAction(_ =>
        {
            Write(terminal.Out);
            return Failure.Ok;
        });
        return command;
    }

    private static void Write(TextWriter output)
    {
        void Line(string name, string value) => output.WriteLine($"{name + ":",-16} {value.Replace("\n", "\n" + new string(' ', 17), StringComparison.Ordinal)}");

        Line("TuneSharp", Version);
        Line(".NET", $"{RuntimeInformation.FrameworkDescription} ({RuntimeInformation.RuntimeIdentifier})");
        Line("system", OperatingSystemName());
        Line("processor", $"{ProcessorName()}, {Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)} cores usable");
        Line("memory", $"{GiB(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)} usable");

        LibTorchLocation[] found = [.. LibTorchLocation.FindAll()];
        foreach (LibTorchLocation location in found)
        {
            string mark = location == found[0] ? ", chosen" : "";
            Line("libtorch", $"{location.Directory}\n{(location.HasCuda ? "CUDA" : "CPU")} build, from {location.Source}{mark}");
        }

        if (found.Length == 0)
        {
            Line("libtorch", "none found");
        }

        foreach (string shim in LibTorchLocation.FindShims().Take(1))
        {
            Line("shim found", shim);
        }

        try
        {
            TorchBackend.EnsureLoaded();
            Line("shim in use", LibTorch.ShimPath ?? "unknown");
            WriteTorch(Line);
        }
        catch (Exception e)
        {
            Line("loading failed", Failure.Message(e));
        }

        WriteNvidia(Line);
        foreach (string variable in new[] { LibTorchLocation.Variable, "TUNESHARP_CACHE", "TUNESHARP_KERNELS", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES" })
        {
            if (Environment.GetEnvironmentVariable(variable) is { } value)
            {
                Line(variable, value);
            }
        }
    }

    /// <summary>Kept apart so that nothing of torch is touched before it is loaded.</summary>
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static void WriteTorch(Action<string, string> line)
    {
        line("torch version", TorchVersion());
        line("threads", torch.get_num_threads().ToString(CultureInfo.InvariantCulture));
        line("backend cpu", "available");
        line("backend cuda", !LibTorch.Loaded!.HasCuda ? "this libtorch was built without it"
            : torch.cuda.is_available() ? string.Create(CultureInfo.InvariantCulture, $"{torch.cuda.device_count()} device(s)")
            : "built in, but no usable device was found");
    }

    /// <summary>libtorch says its own version through its C interface: a byte each for major, minor and patch, from the top.</summary>
    private static string TorchVersion()
    {
        string path = Path.Combine(LibTorch.Loaded!.Directory, LibTorchLocation.FileName("torch_cpu"));
        if (!NativeLibrary.TryLoad(path, out IntPtr library) || !NativeLibrary.TryGetExport(library, "aoti_torch_abi_version", out IntPtr address))
        {
            return "unknown";
        }

        ulong word = Marshal.GetDelegateForFunctionPointer<AbiVersion>(address)();
        return string.Create(CultureInfo.InvariantCulture, $"{word >> 56}.{(word >> 48) & 0xff}.{(word >> 40) & 0xff}");
    }

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate ulong AbiVersion();

    private static void WriteNvidia(Action<string, string> line)
    {
        if (!LibTorchLocation.HasNvidiaDriver())
        {
            line("NVIDIA", "no driver");
            return;
        }

        try
        {
            using Process process = Process.Start(new ProcessStartInfo("nvidia-smi")
            {
                UseShellExecute = false,
                ArgumentList = { "--query-gpu=name,memory.total,memory.used,driver_version,compute_cap", "--format=csv,noheader" },
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            string text = process.StandardOutput.ReadToEnd().Trim();
            line("NVIDIA", text.Length > 0 ? text : process.StandardError.ReadToEnd().Trim());
        }
        catch (Win32Exception e)
        {
            line("NVIDIA", $"a driver is loaded; nvidia-smi did not run: {e.Message}");
        }
    }

    private static string OperatingSystemName()
    {
        const string Release = "/etc/os-release";
        string? pretty = File.Exists(Release)
            ? File.ReadLines(Release).FirstOrDefault(l => l.StartsWith("PRETTY_NAME=", StringComparison.Ordinal))?[12..].Trim('"')
            : null;
        return pretty is null ? RuntimeInformation.OSDescription : $"{pretty} ({RuntimeInformation.OSDescription})";
    }

    private static string ProcessorName()
    {
        const string Info = "/proc/cpuinfo";
        return (File.Exists(Info)
            ? File.ReadLines(Info).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim()
            : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER")) ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static string GiB(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):F1} GiB");
}
