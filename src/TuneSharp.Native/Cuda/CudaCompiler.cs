using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace TuneSharp.Native;

/// <summary>Compiles CUDA C++ at run time by NVRTC, and keeps the machine code on disk.</summary>
/// <remarks>A file's name is the hash of source, compiler version and architecture, so nothing stale is ever found.</remarks>
internal static unsafe partial class CudaCompiler
{
    static CudaCompiler() => CudaLibraries.Register();

    /// <summary>Machine code of a source for an architecture, from the cache or compiled now.</summary>
    /// <param name="name">Name of the source in messages.</param>
    /// <param name="source">CUDA C++.</param>
    /// <param name="capability">As 90.</param>
    /// <exception cref="NativeException">The source does not compile; the message holds the compiler's own words.</exception>
    public static byte[] Compile(string name, string source, int capability)
    {
        int major, minor;
        Check(nvrtcVersion(&major, &minor), nameof(nvrtcVersion));
        string arch = string.Create(CultureInfo.InvariantCulture, $"sm_{capability}{(capability == 90 ? "a" : "")}");
        string key = string.Create(CultureInfo.InvariantCulture, $"{major}.{minor} {arch}\n{source}");
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..32];
        string folder = Path.Combine(LibTorch.CacheDirectory(), "cuda");
        string path = Path.Combine(folder, $"{name}-{hash}.cubin");
        if (File.Exists(path))
        {
            return File.ReadAllBytes(path);
        }

        byte[] code = Run(name, source, arch);
        try
        {
            Directory.CreateDirectory(folder);
            string temporary = string.Create(CultureInfo.InvariantCulture, $"{path}.{Environment.ProcessId}.tmp"); // several ranks may start at once
            File.WriteAllBytes(temporary, code);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The cache only saves time: a full or read-only disk does not stop a run.
        }

        return code;
    }

    private static byte[] Run(string name, string source, string arch)
    {
        IntPtr program;
        Check(nvrtcCreateProgram(&program, source, name + ".cu", 0, null, null), nameof(nvrtcCreateProgram));
        try
        {
            string[] options = ["--gpu-architecture=" + arch, "--std=c++17", "--device-as-default-execution-space", "--extra-device-vectorization"];
            IntPtr* words = stackalloc IntPtr[options.Length];
            for (int i = 0; i < options.Length; i++)
            {
                words[i] = Marshal.StringToCoTaskMemUTF8(options[i]);
            }

            int result = nvrtcCompileProgram(program, options.Length, words);
            for (int i = 0; i < options.Length; i++)
            {
                Marshal.FreeCoTaskMem(words[i]);
            }

            if (result != 0)
            {
                throw new NativeException($"NVRTC could not compile {name}.cu for {arch}:\n{Log(program)}");
            }

            nuint size;
            Check(nvrtcGetCUBINSize(program, &size), nameof(nvrtcGetCUBINSize));
            byte[] code = new byte[(int)size];
            fixed (byte* p = code)
            {
                Check(nvrtcGetCUBIN(program, p), nameof(nvrtcGetCUBIN));
            }

            return code;
        }
        finally
        {
            _ = nvrtcDestroyProgram(&program);
        }
    }

    private static string Log(IntPtr program)
    {
        nuint size;
        if (nvrtcGetProgramLogSize(program, &size) != 0 || size == 0)
        {
            return "(no log)";
        }

        byte[] text = new byte[(int)size];
        fixed (byte* p = text)
        {
            _ = nvrtcGetProgramLog(program, p);
        }

        return Encoding.UTF8.GetString(text).TrimEnd('\0', '\n');
    }

    private static void Check(int code, string function)
    {
        if (code != 0)
        {
            throw new NativeException(string.Create(CultureInfo.InvariantCulture, $"NVRTC: {function} failed with {code}."));
        }
    }

    [LibraryImport(CudaLibraries.Compiler)]
    private static partial int nvrtcVersion(int* major, int* minor);

    [LibraryImport(CudaLibraries.Compiler, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int nvrtcCreateProgram(IntPtr* program, string source, string name, int headers, void* texts, void* names);

    [LibraryImport(CudaLibraries.Compiler)]
    private static partial int nvrtcCompileProgram(IntPtr program, int count, IntPtr* options);

    [LibraryImport(CudaLibraries.Compiler)]
    private static partial int nvrtcGetCUBINSize(IntPtr program, nuint* size);

    [LibraryImport(CudaLibraries.Compiler)]
    private static partial int nvrtcGetCUBIN(IntPtr program, byte* code);

    [LibraryImport(CudaLibraries.Compiler)]
    private static partial int nvrtcGetProgramLogSize(IntPtr program, nuint* size);

    [LibraryImport(CudaLibraries.Compiler)]
    private static partial int nvrtcGetProgramLog(IntPtr program, byte* log);

    [LibraryImport(CudaLibraries.Compiler)]
    private static partial int nvrtcDestroyProgram(IntPtr* program);
}
