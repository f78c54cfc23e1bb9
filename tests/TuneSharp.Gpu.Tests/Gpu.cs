using System.Runtime.CompilerServices;
using TorchSharp;
using TuneSharp.Backend;
using static TorchSharp.torch;

[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)] // one device, one generator

namespace TuneSharp.Gpu.Tests;

/// <summary>What the tests on a GPU share.</summary>
internal static class Gpu
{
    /// <summary>bf16 results against fp64 of the same bf16 inputs: each stored number is rounded once, 2^-9 at most.</summary>
    public const double Bf16 = 4e-3;

    /// <summary>bf16 with bf16 numbers between steps.</summary>
    public const double Bf16Twice = 1.2e-2;

    /// <summary>fp32 with the approximate exponential of the hardware (2 ulp) and sums in another order.</summary>
    public const double Fp32 = 5e-6;

    public static readonly Device Device = new(DeviceType.CUDA, 0);

    [ModuleInitializer]
    internal static void Load() => TorchBackend.EnsureLoaded();

    /// <summary>The tolerance for a result that is rounded once.</summary>
    public static double Once(ScalarType dtype) => dtype == ScalarType.Float32 ? Fp32 : Bf16;

    /// <summary>The tolerance for a result with a rounding between two steps.</summary>
    public static double Twice(ScalarType dtype) => dtype == ScalarType.Float32 ? 2 * Fp32 : Bf16Twice;

    /// <summary>Random numbers on the GPU that require a gradient.</summary>
    public static Tensor New(ScalarType dtype, params long[] shape) => New(dtype, 1, shape);

    /// <summary>Random numbers of a size on the GPU that require a gradient.</summary>
    public static Tensor New(ScalarType dtype, double size, params long[] shape) =>
        (randn(shape, ScalarType.Float32, Device) * size).to(dtype).requires_grad_(true);

    /// <summary>The same numbers in fp64, as a leaf of their own.</summary>
    public static Tensor Exact(Tensor t) => t.detach().to(ScalarType.Float64).requires_grad_(true);

    /// <summary>‖ours − exact‖ / ‖exact‖.</summary>
    public static double Distance(Tensor ours, Tensor exact)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor wanted = exact.detach().to(ScalarType.Float64);
        return ((ours.detach().to(ScalarType.Float64) - wanted).norm() / wanted.norm()).item<double>();
    }

    /// <summary>Fails when the distance is above the tolerance, or not a number.</summary>
    public static void Near(Tensor exact, Tensor ours, double tolerance, string what)
    {
        Assert.Equal(exact.shape, ours.shape);
        double distance = Distance(ours, exact);
        Assert.True(distance <= tolerance, FormattableString.Invariant($"{what}: {distance:E2} > {tolerance:E2}"));
    }

    /// <summary>Runs a kernel and its formula in fp64 on the same numbers and compares results and gradients.</summary>
    public static void Compare(double tolerance, Func<Tensor[], Tensor> kernel, Func<Tensor[], Tensor> formula, params Tensor[] inputs)
    {
        Tensor[] exact = [.. inputs.Select(Exact)];
        Tensor ours = kernel(inputs), wanted = formula(exact);
        Near(wanted, ours, tolerance, "result");
        Tensor gradient = randn(ours.shape, ScalarType.Float32, Device).to(ours.dtype);
        ours.backward([gradient]);
        wanted.backward([gradient.to(ScalarType.Float64)]);
        Kernels.ActivationCheckpoint.ThrowIfFailed();
        for (int i = 0; i < inputs.Length; i++)
        {
            Near(exact[i].grad!, inputs[i].grad!, tolerance, FormattableString.Invariant($"gradient {i}"));
        }
    }
}
