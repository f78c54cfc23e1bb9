using TuneSharp.Native;

namespace TuneSharp.Backend;

/// <summary>Brings libtorch up. Call <see cref="EnsureLoaded"/> before the first use of any TorchSharp member.</summary>
public static class TorchBackend
{
    /// <summary>Loads libtorch (140 to 280 ms the first time, nothing later).</summary>
    /// <exception cref="NativeException">It was not found or would not load; the message holds the loader's own words.</exception>
    public static void EnsureLoaded() => LibTorch.Load(typeof(torch).Assembly);

    /// <summary>The folder for files that can be made again: <c>TUNESHARP_CACHE</c>, or <c>tunesharp</c> in the user's cache folder.</summary>
    public static string CacheDirectory => LibTorch.CacheDirectory();

    /// <summary>The device a config names: <c>cpu</c>, <c>cuda</c> or <c>cuda:N</c>.</summary>
    /// <param name="name">The config's <c>device</c>.</param>
    /// <exception cref="ArgumentException">Unknown, or not present on this machine; the message says what to do.</exception>
    public static Device ParseDevice(string name)
    {
        EnsureLoaded();
        string type = name.Split(':')[0];
        if (type == "cpu")
        {
            return CPU;
        }

        if (type != "cuda")
        {
            throw new ArgumentException($"device {name} is not supported. Use cpu or cuda.");
        }

        if (!cuda.is_available())
        {
            string why = LibTorch.CudaHandle == IntPtr.Zero
                ? $"the libtorch in use ({LibTorch.Loaded!.Source}) was built without CUDA. " +
                    $"Set {LibTorchLocation.Variable} to the torch/lib folder of a PyTorch with CUDA, or run with device=cpu."
                : "no usable NVIDIA GPU was found. Check `nvidia-smi`, or run with device=cpu.";
            throw new ArgumentException($"device {name}: {why}");
        }

        return device(name);
    }

    /// <summary>Bytes in use on the current GPU; null without one.</summary>
    internal static long? CudaUsedBytes() => CudaMemory.UsedBytes();

    /// <summary>Bytes that the current GPU has; null without one.</summary>
    internal static long? CudaTotalBytes() => CudaMemory.TotalBytes();
}
