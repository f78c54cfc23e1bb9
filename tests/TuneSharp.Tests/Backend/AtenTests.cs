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
}
