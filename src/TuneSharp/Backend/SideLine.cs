using TuneSharp.Native;

namespace TuneSharp.Backend;

/// <summary>A second stream of a GPU, for copies that go on while the first computes. On a CPU everything is in order by itself: nothing happens then.</summary>
/// <remarks>Not thread-safe. What runs inside <see cref="Enter"/> is ordered among itself; towards computing it is ordered only by the waits here.</remarks>
internal sealed class SideLine
{
    private readonly CudaSideLine? _stream;

    private SideLine(CudaSideLine? stream) => _stream = stream;

    /// <summary>A side stream of a device.</summary>
    public static SideLine For(Device device) => new(device.type == DeviceType.CUDA ? CudaSideLine.Create(Math.Max(0, device.index)) : null);

    /// <summary>Runs what follows on the side stream, until the result is disposed.</summary>
    public IDisposable? Enter() => _stream?.Enter();

    /// <summary>What comes on the side stream waits for all that the compute stream was given so far.</summary>
    public void WaitForCompute() => _stream?.WaitForCompute();

    /// <summary>A mark after all that the side stream was given so far.</summary>
    public nint Record() => _stream?.Record() ?? 0;

    /// <summary>What comes on the compute stream waits for a mark.</summary>
    public void ComputeWaits(nint mark) => _stream?.ComputeWaits(mark);

    /// <summary>The host waits for all of the side stream.</summary>
    public void Synchronize() => _stream?.Synchronize();
}
