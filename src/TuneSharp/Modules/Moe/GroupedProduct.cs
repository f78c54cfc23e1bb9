using TuneSharp.Backend;

namespace TuneSharp.Modules.Moe;

/// <summary>Rows sorted by expert times their experts' matrices. Letters: M rows, E experts, I in, O out.</summary>
internal static class GroupedProduct
{
    /// <summary>Each slice times its own matrix.</summary>
    /// <param name="x_MI">Sorted rows.</param>
    /// <param name="w_EIO">A matrix for each expert.</param>
    /// <param name="groups">Which slice is whose.</param>
    /// <returns>[M, O].</returns>
    public static Tensor Apply(Tensor x_MI, Tensor w_EIO, ExpertGroups groups)
    {
        if (Fits(x_MI, w_EIO.shape[1], w_EIO.shape[2], w_EIO.dtype))
        {
            bool isDense = w_EIO.stride(-1) == 1 || w_EIO.stride(-2) == 1;
            return Aten.GroupedMm(x_MI.contiguous(), isDense ? w_EIO : w_EIO.contiguous(), groups.Ends_E);
        }

        // Taken apart once: a slice at a time would give each its own full-size gradient.
        Tensor[] w_IO = w_EIO.unbind(0);
        return groups.ForEach(x_MI, (e, x) => x.mm(w_IO[e]));
    }

    /// <summary>Whether one grouped product can serve all experts: bf16 on a GPU, rows of whole 16-byte pieces.</summary>
    public static bool Fits(Tensor x, long inDim, long outDim, ScalarType dtype) =>
        x.device_type == DeviceType.CUDA && x.dtype == ScalarType.BFloat16 && dtype == ScalarType.BFloat16 && inDim % 8 == 0 && outDim % 8 == 0;
}
