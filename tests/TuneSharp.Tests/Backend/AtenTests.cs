using TorchSharp;
using TuneSharp.Backend;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Backend;

public sealed class AtenTests
{
    [Fact]
    public void Rms_norm_equals_the_formula()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = randn(3, 8);
        Tensor w = randn(8);
        Tensor expected = x * (x.pow(2).mean([-1], keepdim: true) + 1e-5).rsqrt() * w;
        Assert.True(allclose(expected, Aten.RmsNorm(x, w, 1e-5), rtol: 1e-5, atol: 1e-6));
    }

    /// <summary>The kernel is the GPU's, the script that calls it is compiled anywhere: what fails here must be the missing kernel.</summary>
    [Fact]
    public void The_script_that_calls_cudnn_is_well_formed()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor q = randn([1, 2, 4, 8], ScalarType.BFloat16);
        Exception e = Assert.ThrowsAny<Exception>(() => Aten.CudnnAttention(q, q, q, 1));
        Assert.Contains("_scaled_dot_product_cudnn_attention", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("expected", e.Message, StringComparison.Ordinal);
    }
}
