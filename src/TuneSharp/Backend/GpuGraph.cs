using TuneSharp.Native;

namespace TuneSharp.Backend;

/// <summary>GPU work recorded once and launched as one.</summary>
internal sealed class GpuGraph : IDisposable
{
    private readonly CudaGraph _graph = new();

    /// <summary>Whether graphs can be recorded with the libtorch in use.</summary>
    public static bool Available => LibTorch.CudaHandle != IntPtr.Zero && CudaGraph.Available;

    /// <summary>Runs an action a few times, so that all that is set up once is there, and records it.</summary>
    /// <param name="warmUp">Runs it for its side effects; called twice.</param>
    /// <param name="run">What is recorded.</param>
    public void Record(Action warmUp, Action run)
    {
        using CudaSideWork side = new();
        warmUp();
        warmUp();
        _graph.Record(run);
    }

    /// <summary>Launches all of it.</summary>
    public void Replay() => _graph.Replay();

    /// <inheritdoc/>
    public void Dispose() => _graph.Dispose();
}
