using TuneSharp.Backend;
using TuneSharp.Native;

namespace TuneSharp.Kernels;

/// <summary>Keeps checkpointed inputs in pinned host memory between forward and backward, with copies that run beside the work.</summary>
/// <remarks>
/// Forward: a second stream copies an input out; the GPU's block is kept until the copy is behind the next-but-one input, so that at
/// most two wait. Backward asks in reverse order: while one input is used, the one before it comes in. Host blocks are kept for the next
/// step. Idea: Unsloth's offloaded checkpoints. Not thread-safe; forward and backward of one model do not overlap.
/// </remarks>
public sealed class ActivationOffload : IDisposable
{
    /// <summary>Inputs under this size stay where they are: the copy would cost more than the room is worth.</summary>
    private const long Smallest = 2L << 20;

    private const int InFlight = 2;

    private readonly CudaTransfer _transfer;
    private readonly List<PinnedMemory> _freeBlocks = [];
    private readonly Queue<(Tensor Input, IntPtr Copied)> _leaving = [];
    private readonly List<Slot> _slots = [];

    /// <summary>Creates the second stream.</summary>
    /// <param name="device">The GPU that computes.</param>
    public ActivationOffload(Device device) => _transfer = new CudaTransfer(Math.Max(0, device.index));

    /// <summary>Whether an input is worth moving.</summary>
    internal static bool Fits(Tensor x) => x.device_type == DeviceType.CUDA && x.numel() * x.element_size() >= Smallest;

    /// <summary>Begins to move an input out.</summary>
    internal Slot Leave(Tensor x)
    {
        Tensor dense = x.detach().contiguous().DetachFromDisposeScope();
        long bytes = dense.numel() * dense.element_size();
        Slot slot = new(dense.shape, dense.dtype, dense.device, bytes, Take(bytes));
        _leaving.Enqueue((dense, _transfer.ToHost(Address(dense), slot.Host, bytes)));
        while (_leaving.Count > InFlight)
        {
            Release();
        }

        _slots.Add(slot);
        return slot;
    }

    /// <summary>The input again, and begins to fetch the one that will be asked for next.</summary>
    internal Tensor Return(Slot slot)
    {
        while (_leaving.Count > 0)
        {
            Release();
        }

        Fetch(slot);
        int at = _slots.IndexOf(slot);
        _slots.RemoveRange(at, _slots.Count - at);
        if (at > 0)
        {
            Fetch(_slots[at - 1]);
        }

        Tensor x = slot.Back!;
        _transfer.ComputeAfter(slot.Arrived);
        slot.Back = null;
        _freeBlocks.Add(slot.Host); // only a later forward pass writes it, and its stream comes behind this copy
        return x;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _transfer.Synchronize();
        foreach ((Tensor input, _) in _leaving)
        {
            input.Dispose();
        }

        _slots.ForEach(s => s.Back?.Dispose());
        _slots.Select(s => s.Host).Concat(_freeBlocks).ToList().ForEach(h => h.Dispose());
        _transfer.Dispose();
    }

    private void Fetch(Slot slot)
    {
        if (slot.Back is null)
        {
            slot.Back = empty(slot.Shape, slot.Dtype, slot.Device).DetachFromDisposeScope();
            slot.Arrived = _transfer.ToDevice(slot.Host, Address(slot.Back), slot.Bytes);
        }
    }

    private static unsafe IntPtr Address(Tensor dense) => (IntPtr)Aten.DataPointer(dense);

    private void Release()
    {
        (Tensor input, IntPtr copied) = _leaving.Dequeue();
        _transfer.ComputeAfter(copied); // whoever gets the block next writes it on this stream
        input.Dispose();
    }

    private PinnedMemory Take(long bytes)
    {
        int at = _freeBlocks.FindIndex(b => b.Bytes >= bytes && b.Bytes <= 2 * bytes);
        if (at < 0)
        {
            return CudaTransfer.Pin(bytes);
        }

        PinnedMemory block = _freeBlocks[at];
        _freeBlocks.RemoveAt(at);
        return block;
    }

    /// <summary>An input that is away.</summary>
    internal sealed class Slot(long[] shape, ScalarType dtype, Device device, long bytes, PinnedMemory host)
    {
        public long[] Shape => shape;

        public ScalarType Dtype => dtype;

        public Device Device => device;

        public long Bytes => bytes;

        public PinnedMemory Host => host;

        public Tensor? Back { get; set; }

        public IntPtr Arrived { get; set; }
    }
}
