using TuneSharp.Backend;

namespace TuneSharp.Training.Optimizers;

/// <summary>Optimizer state that waits in the machine's pinned memory and visits the GPU weight by weight, by copies on a side stream.</summary>
/// <remarks>
/// Two places on the device are used in turn. A place is filled for the next weight while the current one moves, and emptied by the same side
/// stream once the compute stream has used it; each waits for the other by events, the host for none but the last.
/// </remarks>
internal sealed class PagedState(Device device) : IDisposable
{
    /// <summary>bitsandbytes pages states above 10⁵ elements; smaller ones cost more to move than to keep.</summary>
    public static bool IsWorthwhile(long elements) => elements > 100_000;

    private const int Places = 2;

    private readonly SideLine _side = SideLine.For(device);
    private readonly Tensor?[,] _places = new Tensor?[Places, 2];
    private readonly Tensor?[]?[] _filled = new Tensor?[]?[Places];
    private readonly nint[] _ready = new nint[Places];

    /// <summary>The state of a weight on the device; the next weight's sets out at once.</summary>
    public Tensor?[] Fetch(int k, Tensor?[] home, Tensor?[]? next)
    {
        int place = k % Places;
        Tensor?[] here = _filled[place] ?? Fill(place, home);
        _filled[place] = null;
        if (next is not null)
        {
            _filled[(k + 1) % Places] = Fill((k + 1) % Places, next);
        }

        _side.ComputeWaits(_ready[place]);
        return here;
    }

    /// <summary>Sends a state home when the compute stream has come so far.</summary>
    public void GiveBack(int k, Tensor?[] home, Tensor?[] here)
    {
        _side.WaitForCompute();
        using (_side.Enter())
        {
            for (int i = 0; i < home.Length; i++)
            {
                if (home[i] is { } to && here[i] is { } from && !ReferenceEquals(to, from))
                {
                    Aten.CopyAsync(to, from);
                }
            }
        }
    }

    /// <summary>Waits until every state is home.</summary>
    public void Finish() => _side.Synchronize();

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor? place in _places)
        {
            place?.Dispose();
        }
    }

    private Tensor?[] Fill(int place, Tensor?[] home)
    {
        Tensor?[] here = new Tensor?[home.Length];
        for (int i = 0; i < home.Length; i++)
        {
            // A place that grows is let go only when no copy uses it any more.
            if (home[i] is { } t && t.device_type == DeviceType.CPU && Bytes(_places[place, i]) < Bytes(t))
            {
                _side.Synchronize();
                _places[place, i]?.Dispose();
                _places[place, i] = empty([Bytes(t)], ScalarType.Byte, device).DetachFromDisposeScope();
            }
        }

        _side.WaitForCompute();
        using (_side.Enter())
        {
            for (int i = 0; i < home.Length; i++)
            {
                if (home[i] is not { } t || t.device_type != DeviceType.CPU)
                {
                    here[i] = home[i]; // small: it lives here
                    continue;
                }

                here[i] = Aten.ViewAs(_places[place, i]!.narrow(0, 0, Bytes(t)), t.dtype).view(t.shape);
                Aten.CopyAsync(here[i]!, t);
            }
        }

        _ready[place] = _side.Record();
        return here;
    }

    private static long Bytes(Tensor? t) => t is null ? 0 : t.numel() * t.element_size();
}
