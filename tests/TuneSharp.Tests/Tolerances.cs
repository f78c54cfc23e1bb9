using TorchSharp;
using static TorchSharp.torch;

namespace TuneSharp.Tests;

/// <summary>How far a fused kernel may lie from its slow twin in fp32: ‖ours − twin‖ / ‖twin‖. The one table of such numbers.</summary>
internal static class Tolerances
{
    /// <summary>fp32 against fp32: sums run in another order, and exp is ours; 2^-24 a step over some hundred terms.</summary>
    public const double Fp32 = 3e-6;

    /// <summary>bf16 in and out, fp32 inside: each stored number is rounded once, 2^-9 at most, about half that on average.</summary>
    public const double Bf16 = 4e-3;

    /// <summary>bf16 with a bf16 number between two steps (logits, low-rank products, the result that attention reads back): two or three roundings.</summary>
    public const double Bf16Twice = 1e-2;

    /// <summary>A model's logits by two ways of computing the same in fp32: a few layers of sums in another order.</summary>
    public const double Fp32Model = 1e-5;

    /// <summary>A model's logits in bf16 against fp32, for the few layers of the golden models: 2^-9 a rounding, some hundred on the way.</summary>
    public const double Bf16Logits = 3e-2;

    /// <summary>Central differences in fp32 with a step of 1e-2: truncation 1e-4, rounding 1e-7 / 1e-2.</summary>
    public const double FiniteDifference = 5e-3;

    /// <summary>The tolerance for a kernel that rounds its results once.</summary>
    public static double Once(ScalarType dtype) => dtype == ScalarType.Float32 ? Fp32 : Bf16;

    /// <summary>The tolerance for a kernel that also rounds between two products.</summary>
    public static double Twice(ScalarType dtype) => dtype == ScalarType.Float32 ? Fp32 : Bf16Twice;

    /// <summary>‖ours − twin‖ / ‖twin‖, in fp64.</summary>
    public static double Distance(Tensor ours, Tensor twin)
    {
        using DisposeScope scope = NewDisposeScope();
        Assert.Equal(twin.shape, ours.shape);
        Tensor expected = twin.to(ScalarType.Float64);
        return ((ours.to(ScalarType.Float64) - expected).norm() / expected.norm()).item<double>();
    }

    /// <summary>Fails when the distance is above the tolerance (or not a number).</summary>
    public static void Near(Tensor twin, Tensor ours, double tolerance, string what)
    {
        double distance = Distance(ours, twin);
        Assert.True(distance <= tolerance, FormattableString.Invariant($"{what}: {distance:E2} > {tolerance:E2}"));
    }
}
