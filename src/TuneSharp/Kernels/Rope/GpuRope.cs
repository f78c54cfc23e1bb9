namespace TuneSharp.Kernels;

/// <summary>Rotary positions for queries and keys in one launch on a GPU.</summary>
internal static class GpuRope
{
    /// <summary>Turns q and k by the angles of their tokens.</summary>
    /// <param name="q">[B, T, N, H], dense; H divisible by 8.</param>
    /// <param name="k">[B, T, K, H], dense.</param>
    /// <param name="angles">[T or B×T, 1, H/2, 2], fp32, dense.</param>
    /// <param name="back">Turn the other way: the gradient.</param>
    /// <param name="inPlace">Overwrite q and k.</param>
    public static (Tensor Q, Tensor K) Turn(Tensor q, Tensor k, Tensor angles, bool back = false, bool inPlace = false)
    {
        int width = (int)q.shape[^1];
        long tokens = q.shape[0] * q.shape[1];
        (int qHeads, int kHeads) = ((int)q.shape[2], (int)k.shape[2]);
        (Tensor qTurned, Tensor kTurned) = inPlace ? (q, k) : (empty_like(q), empty_like(k));
        int across = width / 8, down = Math.Max(1, 256 / across);
        GpuKernel.Run("Rope", "rope_" + GpuKernel.Suffix(q.dtype), q.device,
            (GpuKernel.Blocks(tokens, down), GpuKernel.Blocks(qHeads + kHeads, 8)), (across, down),
        [
            GpuKernel.Address(q), GpuKernel.Address(k), GpuKernel.Address(qTurned), GpuKernel.Address(kTurned), GpuKernel.Address(angles), (ulong)tokens,
            (ulong)(angles.numel() / width), (ulong)qHeads, (ulong)kHeads, (ulong)width, GpuKernel.Float(back ? -1 : 1),
        ]);
        return (qTurned, kTurned);
    }
}
