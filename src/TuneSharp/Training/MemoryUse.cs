using System.Diagnostics;

namespace TuneSharp.Training;

/// <summary>Memory of the run: the process on a CPU, the device on a GPU.</summary>
/// <param name="device">Where the run computes.</param>
public sealed class MemoryUse(Device device)
{
    private const double GiB = 1L << 30;
    private long _peak;

    /// <summary>Name of the peak among the metrics, as in torchtune.</summary>
    /// <remarks>torchtune's peak_memory_active and _alloc count inside libtorch's allocator, which has no interface for us.</remarks>
    public const string PeakKey = "peak_memory_reserved";

    /// <summary>GiB in use now; null when it cannot be told.</summary>
    public double? UsedGiB() => UsedBytes() is { } bytes ? bytes / GiB : null;

    /// <summary>Most GiB in use so far; on a GPU at the moments when this object was asked. Null when it cannot be told.</summary>
    public double? PeakGiB()
    {
        if (UsedBytes() is not { } used)
        {
            return null;
        }

        if (device.type != DeviceType.CUDA)
        {
            using Process process = Process.GetCurrentProcess();
            _peak = Math.Max(_peak, process.PeakWorkingSet64);
        }

        return Math.Max(_peak, used) / GiB;
    }

    private long? UsedBytes()
    {
        long? used = device.type == DeviceType.CUDA ? Backend.TorchBackend.CudaUsedBytes() : Environment.WorkingSet;
        _peak = Math.Max(_peak, used ?? 0);
        return used;
    }
}
