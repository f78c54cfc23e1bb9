using System.Reflection;
using TuneSharp.Backend;
using TuneSharp.Native;

namespace TuneSharp.Kernels;

/// <summary>Launches the kernels of the <c>.cu</c> files that lie in the operators' folders and travel inside the assembly.</summary>
internal static class GpuKernel
{
    private const int Eight = 8; // elements that a thread reads at once

    private static readonly string CommonText = Text("Common.cuh");

    /// <summary>Whether a GPU kernel can read and write this tensor: dense, row-major, fp32 or bf16, on a 16-byte boundary.</summary>
    public static unsafe bool Fits(Tensor t) =>
        t.device_type == DeviceType.CUDA && t.dtype is ScalarType.Float32 or ScalarType.BFloat16 && t.is_contiguous() && t.numel() > 0
        && (nuint)Aten.DataPointer(t) % 16 == 0;

    /// <summary>The ending of a kernel's name for an element type; rows that eights do not divide have kernels of their own.</summary>
    /// <param name="dtype">fp32 or bf16.</param>
    /// <param name="width">Elements of a row.</param>
    public static string Suffix(ScalarType dtype, long width = Eight) =>
        (dtype == ScalarType.BFloat16 ? "bf16" : "fp32") + (width % Eight == 0 ? "" : "_odd");

    /// <summary>Launches on libtorch's current stream.</summary>
    /// <param name="source">File name without its ending.</param>
    /// <param name="function">Kernel.</param>
    /// <param name="device">A tensor's device.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="block">Threads of a block.</param>
    /// <param name="arguments">A word for each parameter.</param>
    /// <param name="sharedBytes">Dynamic shared memory.</param>
    public static void Run(
        string source, string function, Device device, (long X, long Y) grid, (int X, int Y) block, ReadOnlySpan<ulong> arguments, int sharedBytes = 0)
    {
        IntPtr kernel = CudaKernels.Function(source, function, name => CommonText + "\n" + Text(name + ".cu"));
        if (sharedBytes > 48 * 1024)
        {
            CudaKernels.AllowShared(kernel, sharedBytes);
        }

        CudaKernels.Launch(kernel, (grid.X, grid.Y, 1), block, sharedBytes, arguments, Math.Max(0, device.index));
    }

    /// <summary>A tensor's address; 0 for null.</summary>
    public static unsafe ulong Address(Tensor? t) => t is null ? 0 : (ulong)Aten.DataPointer(t);

    /// <summary>A number as a kernel's float.</summary>
    public static ulong Float(double value) => BitConverter.SingleToUInt32Bits((float)value);

    /// <summary>Blocks that hold a number of things.</summary>
    public static long Blocks(long count, long perBlock) => (count + perBlock - 1) / perBlock;

    /// <summary>Threads along a row and rows of a block: narrow rows have a warp each, wide ones a block.</summary>
    /// <param name="width">Elements of a row.</param>
    public static (int X, int Y) RowBlock(long width)
    {
        long threads = Blocks(Blocks(width, Eight), 32) * 32;
        return threads <= 32 ? (32, 8) : ((int)Math.Min(threads, 512), 1);
    }

    /// <summary>The sources that travel with the program, by name without ending: for tests.</summary>
    internal static IEnumerable<string> Sources() =>
        Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(n => n.StartsWith("kernels/", StringComparison.Ordinal) && n.EndsWith(".cu", StringComparison.Ordinal))
            .Select(n => n["kernels/".Length..^".cu".Length]);

    private static string Text(string file)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("kernels/" + file)
            ?? throw new ArgumentException($"There is no kernel source {file} in the program.");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}
