namespace TuneSharp.Kernels;

/// <summary>Norm, scaling and zeroing of many tensors on a GPU, in a few launches whatever their number.</summary>
/// <remarks>The table of addresses stays on the device and is made again only when the tensors are others.</remarks>
internal sealed class GpuMulti : IDisposable
{
    private const long Piece = 1 << 16; // elements
    private const int Threads = 512;

    private readonly Dictionary<ScalarType, (long[] Key, Tensor Table, long Pieces)> _tables = [];

    /// <summary>Whether these tensors can be taken: all on one GPU, dense, fp32 or bf16.</summary>
    public static bool Fits(IReadOnlyList<Tensor> tensors) =>
        KernelChoice.Fused && tensors.Count > 0 && tensors[0].device_type == DeviceType.CUDA
        && tensors.All(t => t.dtype is ScalarType.BFloat16 or ScalarType.Float32 && t.device_type == DeviceType.CUDA && t.is_contiguous());

    /// <summary>Multiplies all tensors by a factor, and then by what makes their common 2-norm at most <paramref name="most"/>.</summary>
    /// <param name="tensors">What is scaled.</param>
    /// <param name="factor">The factor.</param>
    /// <param name="most">The limit; infinity for none.</param>
    /// <returns>[2], fp32, of the current scope: the norm after the factor and before clipping; what was multiplied by.</returns>
    public Tensor ScaleAndClip(IReadOnlyList<Tensor> tensors, double factor, double most)
    {
        using DisposeScope scope = NewDisposeScope();
        Device device = tensors[0].device;
        List<(string Suffix, Tensor Table, long Pieces)> groups = Groups(tensors);
        Tensor sums = empty([groups.Sum(g => g.Pieces)], ScalarType.Float32, device);
        Tensor result = empty([2], ScalarType.Float32, device);
        long at = 0;
        foreach ((string suffix, Tensor table, long pieces) in groups)
        {
            GpuKernel.Run("Multi", "sum_squares_" + suffix, device, (pieces, 1), (Threads, 1),
                [GpuKernel.Address(table), GpuKernel.Address(sums) + (ulong)(at * sizeof(float))]);
            at += pieces;
        }

        GpuKernel.Run("Multi", "clip_factor", device, (1, 1), (Threads, 1),
            [GpuKernel.Address(sums), (ulong)at, GpuKernel.Float(factor), GpuKernel.Float(most), GpuKernel.Address(result)]);
        foreach ((string suffix, Tensor table, long pieces) in groups)
        {
            GpuKernel.Run("Multi", "scale_" + suffix, device, (pieces, 1), (Threads, 1), [GpuKernel.Address(table), GpuKernel.Address(result)]);
        }

        return result.MoveToOuterDisposeScope();
    }

    /// <summary>Sets all elements to 0.</summary>
    public void Zero(IReadOnlyList<Tensor> tensors)
    {
        foreach ((string suffix, Tensor table, long pieces) in Groups(tensors))
        {
            GpuKernel.Run("Multi", "zero_" + suffix, tensors[0].device, (pieces, 1), (Threads, 1), [GpuKernel.Address(table)]);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((_, Tensor table, _) in _tables.Values)
        {
            table.Dispose();
        }

        _tables.Clear();
    }

    private List<(string Suffix, Tensor Table, long Pieces)> Groups(IReadOnlyList<Tensor> tensors)
    {
        List<(string, Tensor, long)> groups = [];
        foreach (IGrouping<ScalarType, Tensor> group in tensors.GroupBy(t => t.dtype))
        {
            (Tensor table, long pieces) = Table(group.Key, [.. group]);
            groups.Add((GpuKernel.Suffix(group.Key), table, pieces));
        }

        return groups;
    }

    private (Tensor Table, long Pieces) Table(ScalarType dtype, Tensor[] tensors)
    {
        long[] key = new long[2 * tensors.Length];
        for (int i = 0; i < tensors.Length; i++)
        {
            (key[2 * i], key[(2 * i) + 1]) = ((long)GpuKernel.Address(tensors[i]), tensors[i].numel());
        }

        if (_tables.TryGetValue(dtype, out (long[] Key, Tensor Table, long Pieces) known))
        {
            if (known.Key.AsSpan().SequenceEqual(key))
            {
                return (known.Table, known.Pieces);
            }

            known.Table.Dispose();
        }

        List<long> table = [];
        long size = tensors[0].element_size();
        for (int i = 0; i < tensors.Length; i++)
        {
            for (long start = 0; start < key[(2 * i) + 1]; start += Piece)
            {
                table.Add(key[2 * i] + (start * size));
                table.Add(Math.Min(Piece, key[(2 * i) + 1] - start));
            }
        }

        using Tensor onHost = tensor(table.ToArray(), ScalarType.Int64);
        Tensor onDevice = onHost.to(tensors[0].device).DetachFromDisposeScope();
        _tables[dtype] = (key, onDevice, table.Count / 2);
        return (onDevice, table.Count / 2);
    }
}
