using System.Runtime.InteropServices;

namespace TuneSharp.Native;

/// <summary>Copies between a GPU and pinned host memory on a stream of their own, beside the stream that computes.</summary>
/// <remarks>CUDA runtime: <c>cudaMemcpyAsync</c>, <c>cudaEventRecord</c>, <c>cudaStreamWaitEvent</c>. One instance for each device; not thread-safe.</remarks>
public sealed unsafe class CudaTransfer : IDisposable
{
    private const uint NonBlocking = 1; // cudaStreamNonBlocking
    private const uint NoTiming = 2; // cudaEventDisableTiming
    private const int DeviceToHost = 2;
    private const int HostToDevice = 1;

    private readonly Runtime _cuda = Runtime.Instance;
    private readonly int _device;
    private readonly IntPtr _stream;
    private readonly Stack<IntPtr> _freeEvents = [];

    /// <summary>Creates the stream.</summary>
    /// <param name="device">Index of the GPU.</param>
    /// <exception cref="NativeException">CUDA refused.</exception>
    public CudaTransfer(int device)
    {
        _device = device;
        IntPtr stream;
        _cuda.Check(_cuda.StreamCreate(&stream, NonBlocking), "cudaStreamCreateWithFlags");
        _stream = stream;
    }

    /// <summary>Pinned host memory.</summary>
    /// <param name="bytes">How much.</param>
    /// <exception cref="NativeException">The machine has not that much left.</exception>
    public static PinnedMemory Pin(long bytes)
    {
        Runtime cuda = Runtime.Instance;
        IntPtr at;
        cuda.Check(cuda.HostAlloc(&at, (nuint)bytes, 0), $"cudaHostAlloc of {bytes:N0} bytes of pinned memory");
        return new PinnedMemory(at, bytes);
    }

    /// <summary>Copies to the host once everything that the computing stream was given so far is done.</summary>
    /// <returns>An event that passes when the copy is done; give it to <see cref="ComputeAfter"/>.</returns>
    public IntPtr ToHost(IntPtr gpu, PinnedMemory host, long bytes)
    {
        Order(ComputeStream(), _stream);
        _cuda.Check(_cuda.Copy(host.DangerousGetHandle(), gpu, (nuint)bytes, DeviceToHost, _stream), "cudaMemcpyAsync to the host");
        return Mark(_stream);
    }

    /// <summary>Copies to the GPU, into memory that the computing stream may have used until now.</summary>
    /// <returns>As <see cref="ToHost"/>.</returns>
    public IntPtr ToDevice(PinnedMemory host, IntPtr gpu, long bytes)
    {
        Order(ComputeStream(), _stream);
        _cuda.Check(_cuda.Copy(gpu, host.DangerousGetHandle(), (nuint)bytes, HostToDevice, _stream), "cudaMemcpyAsync to the GPU");
        return Mark(_stream);
    }

    /// <summary>Holds the computing stream until an event has passed, and takes the event back. The CPU does not wait.</summary>
    public void ComputeAfter(IntPtr copied)
    {
        _cuda.Check(_cuda.Wait(ComputeStream(), copied, 0), "cudaStreamWaitEvent");
        _freeEvents.Push(copied);
    }

    /// <summary>Waits on the CPU until every copy is done.</summary>
    public void Synchronize() => _cuda.Check(_cuda.StreamSynchronize(_stream), "cudaStreamSynchronize");

    /// <inheritdoc/>
    public void Dispose()
    {
        Synchronize();
        _cuda.StreamDestroy(_stream);
        while (_freeEvents.TryPop(out IntPtr unused))
        {
            _cuda.EventDestroy(unused);
        }
    }

    private void Order(IntPtr first, IntPtr then)
    {
        IntPtr mark = Mark(first);
        _cuda.Check(_cuda.Wait(then, mark, 0), "cudaStreamWaitEvent");
        _freeEvents.Push(mark); // a later record of it does not change what the stream already waits for
    }

    private IntPtr Mark(IntPtr stream)
    {
        if (!_freeEvents.TryPop(out IntPtr mark))
        {
            _cuda.Check(_cuda.EventCreate(&mark, NoTiming), "cudaEventCreateWithFlags");
        }

        _cuda.Check(_cuda.EventRecord(mark, stream), "cudaEventRecord");
        return mark;
    }

    private IntPtr ComputeStream()
    {
        IntPtr stream;
        _cuda.Check(_cuda.CurrentStream(_device, &stream), "aoti_torch_get_current_cuda_stream");
        return stream;
    }

    internal sealed class Runtime
    {
        private static readonly Lazy<Runtime> Found = new(() => new Runtime());

        public static Runtime Instance => Found.Value;

        public readonly delegate* unmanaged<IntPtr*, uint, int> StreamCreate = (delegate* unmanaged<IntPtr*, uint, int>)Find("cudaStreamCreateWithFlags");
        public readonly delegate* unmanaged<IntPtr, int> StreamDestroy = (delegate* unmanaged<IntPtr, int>)Find("cudaStreamDestroy");
        public readonly delegate* unmanaged<IntPtr, int> StreamSynchronize = (delegate* unmanaged<IntPtr, int>)Find("cudaStreamSynchronize");
        public readonly delegate* unmanaged<IntPtr*, uint, int> EventCreate = (delegate* unmanaged<IntPtr*, uint, int>)Find("cudaEventCreateWithFlags");
        public readonly delegate* unmanaged<IntPtr, int> EventDestroy = (delegate* unmanaged<IntPtr, int>)Find("cudaEventDestroy");
        public readonly delegate* unmanaged<IntPtr, IntPtr, int> EventRecord = (delegate* unmanaged<IntPtr, IntPtr, int>)Find("cudaEventRecord");
        public readonly delegate* unmanaged<IntPtr, IntPtr, uint, int> Wait = (delegate* unmanaged<IntPtr, IntPtr, uint, int>)Find("cudaStreamWaitEvent");
        public readonly delegate* unmanaged<IntPtr*, nuint, uint, int> HostAlloc = (delegate* unmanaged<IntPtr*, nuint, uint, int>)Find("cudaHostAlloc");
        public readonly delegate* unmanaged<IntPtr, int> FreeHost = (delegate* unmanaged<IntPtr, int>)Find("cudaFreeHost");
        public readonly delegate* unmanaged<int, IntPtr*, int> CurrentStream = (delegate* unmanaged<int, IntPtr*, int>)Find("aoti_torch_get_current_cuda_stream");
        public readonly delegate* unmanaged<IntPtr, IntPtr, nuint, int, IntPtr, int> Copy =
            (delegate* unmanaged<IntPtr, IntPtr, nuint, int, IntPtr, int>)Find("cudaMemcpyAsync");

        private readonly delegate* unmanaged<int, byte*> _errorText = (delegate* unmanaged<int, byte*>)Find("cudaGetErrorString");

        public void Check(int code, FormattableString what)
        {
            if (code != 0)
            {
                Check(code, FormattableString.Invariant(what));
            }
        }

        public void Check(int code, string what)
        {
            if (code != 0)
            {
                throw new NativeException($"{what} failed: {Marshal.PtrToStringUTF8((IntPtr)_errorText(code))} (CUDA error {code}).");
            }
        }

        // The runtime is a dependency of libtorch_cuda, and the loader looks a name up in those too.
        private static IntPtr Find(string name) => LibTorch.CudaHandle != IntPtr.Zero && NativeLibrary.TryGetExport(LibTorch.CudaHandle, name, out IntPtr at)
            ? at
            : throw new NativeException($"The CUDA runtime has no {name}. PyTorch 2.10 or 2.11 with CUDA is needed for this.");
    }
}

/// <summary>A block of pinned host memory.</summary>
public sealed unsafe class PinnedMemory : SafeHandle
{
    internal PinnedMemory(IntPtr at, long bytes)
        : base(IntPtr.Zero, ownsHandle: true)
    {
        SetHandle(at);
        Bytes = bytes;
    }

    /// <summary>Its size.</summary>
    public long Bytes { get; }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == IntPtr.Zero;

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => CudaTransfer.Runtime.Instance.FreeHost(handle) == 0;
}
