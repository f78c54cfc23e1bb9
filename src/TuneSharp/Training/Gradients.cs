using TuneSharp.Backend;
using TuneSharp.Kernels;
using TuneSharp.Training.Optimizers;

namespace TuneSharp.Training;

/// <summary>Scaling and clipping of all gradients together. Weights without a gradient are passed over.</summary>
public static class Gradients
{
    [ThreadStatic]
    private static GpuMulti? _multi; // keeps its tables from step to step

    /// <summary>Scales all gradients down so that their common 2-norm is at most <paramref name="maxNorm"/>, as torch's <c>clip_grad_norm_</c>.</summary>
    /// <param name="parameters">Whose gradients.</param>
    /// <param name="maxNorm">The limit; <see cref="double.PositiveInfinity"/> only measures.</param>
    /// <returns>The norm before clipping, NaN or infinite if a gradient is; 0 when there is none. The one wait for a GPU.</returns>
    public static double Clip(IReadOnlyList<NamedParameter> parameters, double maxNorm = double.PositiveInfinity)
    {
        if (!(maxNorm >= 0))
        {
            throw new ArgumentException(string.Create(
                System.Globalization.CultureInfo.InvariantCulture, $"clip_grad_norm is {maxNorm}; it must be at least 0, or inf to measure only."));
        }

        using DisposeScope scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        List<Tensor> grads = Collect(parameters);
        if (grads.Count == 0)
        {
            return 0;
        }

        using Tensor norm = Aten.Norm2(stack(grads.Select(Aten.Norm2)));
        if (!double.IsPositiveInfinity(maxNorm))
        {
            // Decided on the device: the multiplication by 1 is cheaper than waiting for the norm first.
            MultiplyAll(grads, norm.add(1e-6).reciprocal_().mul_(maxNorm).clamp_max_(1));
        }

        return norm.item<float>();
    }

    /// <summary>Multiplies all gradients by a number and then scales them down to a 2-norm: on a GPU in three launches, whatever their number.</summary>
    /// <param name="parameters">Whose gradients.</param>
    /// <param name="factor">The number, as 1 / tokens.</param>
    /// <param name="maxNorm">The limit; infinity only measures; null neither measures nor waits.</param>
    /// <returns>The norm after the factor and before clipping; null without a limit.</returns>
    public static double? ScaleAndClip(IReadOnlyList<NamedParameter> parameters, double factor, double? maxNorm)
    {
        using (DisposeScope scope = NewDisposeScope())
        using (IDisposable frozen = no_grad())
        {
            List<Tensor> grads = Collect(parameters);
            if (!(maxNorm < 0) && GpuMulti.Fits(grads))
            {
                Tensor result = (_multi ??= new GpuMulti()).ScaleAndClip(grads, factor, maxNorm ?? double.PositiveInfinity);
                return maxNorm is null ? null : result[0].item<float>();
            }
        }

        Scale(parameters, factor);
        return maxNorm is { } limit ? Clip(parameters, limit) : null;
    }

    /// <summary>Multiplies all gradients by a number, without waiting for a GPU.</summary>
    /// <param name="parameters">Whose gradients.</param>
    /// <param name="factor">The number, as 1 / tokens.</param>
    public static void Scale(IReadOnlyList<NamedParameter> parameters, double factor)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        List<Tensor> grads = Collect(parameters);
        if (grads.Count > 0)
        {
            MultiplyAll(grads, full([], factor, float32, grads[0].device));
        }
    }

    private static void MultiplyAll(List<Tensor> grads, Tensor factor)
    {
        // CUDA's kernel reads the factor as the gradients' own dtype.
        foreach (IGrouping<ScalarType, Tensor> group in grads.GroupBy(g => g.dtype))
        {
            Aten.ForeachMul([.. group], factor.to(group.Key));
        }
    }

    private static List<Tensor> Collect(IReadOnlyList<NamedParameter> parameters)
    {
        List<Tensor> grads = new(parameters.Count);
        foreach (NamedParameter parameter in parameters)
        {
            // Each read of grad makes a new handle: read it once.
            if (parameter.Value.grad is { } grad)
            {
                grads.Add(grad);
            }
        }

        return grads;
    }
}
