using System.Runtime.InteropServices;

namespace TuneSharp.Native;

/// <summary>A CUDA stream beside the one that libtorch computes on, and the events that order the two.</summary>
/// <remarks>Streams and events live as long as the process; events are used again in a ring that is far longer than what is under way.</remarks>
public sealed unsafe class CudaSideLine
{
    private const uint NonBlocking = 1; // cudaStreamNonBlocking
    private const uint WithoutTiming = 2; // cudaEventDisableTiming
    private const int RingLength = 256;

    private readonly int _device;
    private readonly nint _stream;
    private readonly nint[] _ring = new nint[RingLength];
    private int _next;

    private CudaSideLine(int device)
    {
        _device = device;
        nint stream;
        Check(Api.StreamCreate(&stream, NonBlocking), "cudaStreamCreateWithFlags");
        _stream = stream;
    }

    /// <summary>Makes one.</summary>
    /// <param name="device">The GPU's number.</param>
    /// <exception cref="NativeException">CUDA is not there, or refused.</exception>
    public static CudaSideLine Create(int device) => new(device);

    /// <summary>Makes it libtorch's current stream on this thread until the result is disposed.</summary>
    public IDisposable Enter()
    {
        nint guard;
        Check(Api.CreateGuard(_stream, _device, &guard), "aoti_torch_create_cuda_stream_guard");
        return new Guard(guard);
    }

    /// <summary>Lets this stream wait for all that the current stream was given so far.</summary>
    public void WaitForCompute() => Check(Api.StreamWait(_stream, RecordOn(Current()), 0), "cudaStreamWaitEvent");

    /// <summary>A mark after all that this stream was given so far.</summary>
    public nint Record() => RecordOn(_stream);

    /// <summary>Lets the current stream wait for a mark.</summary>
    /// <param name="mark">From <see cref="Record"/>.</param>
    public void ComputeWaits(nint mark) => Check(Api.StreamWait(Current(), mark, 0), "cudaStreamWaitEvent");

    /// <summary>Waits for all of this stream.</summary>
    public void Synchronize() => Check(Api.StreamSynchronize(_stream), "cudaStreamSynchronize");

    private nint Current()
    {
        nint stream;
        Check(Api.CurrentStream(_device, &stream), "aoti_torch_get_current_cuda_stream");
        return stream;
    }

    private nint RecordOn(nint stream)
    {
        ref nint mark = ref _ring[_next];
        _next = (_next + 1) % RingLength;
        if (mark == 0)
        {
            nint made;
            Check(Api.EventCreate(&made, WithoutTiming), "cudaEventCreateWithFlags");
            mark = made;
        }

        Check(Api.EventRecord(mark, stream), "cudaEventRecord");
        return mark;
    }

    private static void Check(int code, string function)
    {
        if (code != 0)
        {
            throw new NativeException($"{function} failed with code {code}.");
        }
    }

    private sealed class Guard(nint guard) : IDisposable
    {
        public void Dispose() => Check(Api.DeleteGuard(guard), "aoti_torch_delete_cuda_stream_guard");
    }

    /// <summary>The functions, looked up once; the runtime is a dependency of libtorch_cuda, and the loader looks a name up in those too.</summary>
    private static class Api
    {
        public static readonly delegate* unmanaged<nint*, uint, int> StreamCreate = (delegate* unmanaged<nint*, uint, int>)Find("cudaStreamCreateWithFlags");
        public static readonly delegate* unmanaged<nint, int> StreamSynchronize = (delegate* unmanaged<nint, int>)Find("cudaStreamSynchronize");
        public static readonly delegate* unmanaged<nint, nint, uint, int> StreamWait = (delegate* unmanaged<nint, nint, uint, int>)Find("cudaStreamWaitEvent");
        public static readonly delegate* unmanaged<nint*, uint, int> EventCreate = (delegate* unmanaged<nint*, uint, int>)Find("cudaEventCreateWithFlags");
        public static readonly delegate* unmanaged<nint, nint, int> EventRecord = (delegate* unmanaged<nint, nint, int>)Find("cudaEventRecord");
        public static readonly delegate* unmanaged<nint, int, nint*, int> CreateGuard = (delegate* unmanaged<nint, int, nint*, int>)Find("aoti_torch_create_cuda_stream_guard");
        public static readonly delegate* unmanaged<nint, int> DeleteGuard = (delegate* unmanaged<nint, int>)Find("aoti_torch_delete_cuda_stream_guard");
        public static readonly delegate* unmanaged<int, nint*, int> CurrentStream = (delegate* unmanaged<int, nint*, int>)Find("aoti_torch_get_current_cuda_stream");

        private static IntPtr Find(string name) =>
            LibTorch.CudaHandle != IntPtr.Zero && NativeLibrary.TryGetExport(LibTorch.CudaHandle, name, out IntPtr address)
                ? address
                : throw new NativeException($"The libtorch in use does not export {name}, which copies beside computing need. PyTorch 2.10 or 2.11 with CUDA does.");
    }
}
