using TuneSharp.Native;

namespace TuneSharp.Backend;

/// <summary>A moment of the GPU's current stream, by its own clock.</summary>
internal sealed class GpuMoment : IDisposable
{
    private readonly CudaTimer _timer = new();

    /// <summary>Milliseconds from this moment to a later one; waits for that.</summary>
    public double MillisecondsTo(GpuMoment later) => _timer.MillisecondsTo(later._timer);

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();
}
