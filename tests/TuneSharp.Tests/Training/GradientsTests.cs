using TorchSharp;
using TuneSharp.Training;
using TuneSharp.Training.Optimizers;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Training;

public sealed class GradientsTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    [Theory]
    [InlineData(0.5)]
    [InlineData(1000)]
    public void Clipping_equals_torch(double maxNorm)
    {
        NamedParameter[] ours = Weights(float32), theirs = [.. ours.Select(w => new NamedParameter(w.Name, new(w.Value.detach().clone())))];
        foreach ((NamedParameter a, NamedParameter b) in ours.Zip(theirs))
        {
            if (a.Value.grad is { } grad)
            {
                b.Value.grad = grad.clone();
            }
        }

        double expected = nn.utils.clip_grad_norm_(theirs.Where(w => w.Value.grad is not null).Select(w => w.Value), maxNorm);
        Assert.Equal(expected, Gradients.Clip(ours, maxNorm), expected * 1e-5);
        foreach ((NamedParameter a, NamedParameter b) in ours.Zip(theirs).Where(p => p.First.Value.grad is not null))
        {
            Assert.True(a.Value.grad!.allclose(b.Value.grad!, rtol: 1e-5, atol: 1e-7));
        }
    }

    [Fact]
    public void Infinity_only_measures()
    {
        NamedParameter[] weights = Weights(float32);
        Tensor before = weights[0].Value.grad!.clone();
        Assert.True(Gradients.Clip(weights, double.PositiveInfinity) > 0);
        Assert.True(before.equal(weights[0].Value.grad!).all().item<bool>());
    }

    [Fact]
    public void Bf16_gradients_are_summed_in_fp32()
    {
        NamedParameter w = new("w", new(zeros(1000, dtype: bfloat16)));
        w.Value.grad = full([1000], 1, bfloat16);
        Assert.Equal(Math.Sqrt(1000), Gradients.Clip([w], 1), 1e-3); // bf16 itself has only steps of 0.125 here
        Assert.Equal(bfloat16, w.Value.grad!.dtype);
        Assert.Equal(1 / Math.Sqrt(1000), w.Value.grad![0].to(float32).item<float>(), 2e-4);
    }

    [Fact]
    public void A_broken_gradient_shows_in_the_norm()
    {
        NamedParameter[] weights = Weights(float32);
        weights[1].Value.grad!.fill_(float.NaN);
        Assert.True(double.IsNaN(Gradients.Clip(weights, 1)));
    }

    [Fact]
    public void Scaling_multiplies_every_gradient()
    {
        foreach (ScalarType dtype in new[] { float32, bfloat16 })
        {
            NamedParameter[] weights = Weights(dtype);
            Tensor before = weights[1].Value.grad!.clone();
            Gradients.Scale(weights, 0.25);
            Assert.True((before * 0.25f).equal(weights[1].Value.grad!).all().item<bool>());
        }
    }

    [Fact]
    public void Without_gradients_there_is_nothing_to_do()
    {
        NamedParameter w = new("w", new(zeros(3)));
        Gradients.Scale([w], 2);
        Assert.Equal(0, Gradients.Clip([w], 1));
    }

    [Fact]
    public void A_negative_limit_is_refused_with_its_value()
    {
        Assert.Contains("-1", Assert.Throws<ArgumentException>(() => Gradients.Clip(Weights(float32), -1)).Message);
        Assert.Contains("NaN", Assert.Throws<ArgumentException>(() => Gradients.Clip(Weights(float32), double.NaN)).Message);
    }

    [Fact]
    public void No_tensor_is_left_behind()
    {
        NamedParameter[] weights = Weights(float32);
        long before = LiveTensors.Now;
        Gradients.Scale(weights, 0.5);
        Gradients.Clip(weights, 1);
        LiveTensors.DidNotGrow(before);
    }

    public void Dispose() => _scope.Dispose();

    /// <summary>Weights of several shapes, the last without a gradient.</summary>
    private static NamedParameter[] Weights(ScalarType dtype)
    {
        NamedParameter[] weights = [.. new long[][] { [4, 3], [7], [2, 3, 5], [2] }.Select((shape, i) => new NamedParameter($"w{i}", new(zeros(shape, dtype: dtype))))];
        foreach (NamedParameter w in weights.SkipLast(1))
        {
            w.Value.grad = randn(w.Value.shape).to(dtype);
        }

        return weights;
    }
}
