using FsCheck.Xunit;
using TorchSharp;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Modules;

/// <summary>Laws of one adapted linear, for any sizes, rank, scale and bias.</summary>
public sealed class LoraLinearTests
{
    private const double Tolerance = 1e-5; // fp32 sums in another order; weights are folded before the product

    [Property(MaxTest = 40)]
    public void With_B_at_zero_LoRA_is_its_base_to_the_bit(ushort sizes, bool bias, bool rs, int seed)
    {
        using DisposeScope scope = NewDisposeScope();
        using LoraLinear layer = Make(sizes, bias, rs, dora: false, seed, trained: false);
        Tensor x = randn(2, 3, layer.InDim);
        Tiny.Same(Base(layer, x), layer.forward(x));
    }

    [Property(MaxTest = 40)]
    public void DoRA_starts_as_its_base_once_its_magnitude_is_set(ushort sizes, bool bias, int seed)
    {
        using DisposeScope scope = NewDisposeScope();
        using DoraLinear layer = (DoraLinear)Make(sizes, bias, rs: false, dora: true, seed, trained: false);
        Tensor x = randn(2, 3, layer.InDim);
        Tensor old = layer.Magnitude.detach().clone();
        using (no_grad())
        {
            layer.Weight.mul_(3); // as if loaded
        }

        layer.InitialiseMagnitude();
        Tolerances.Near(old * 3, layer.Magnitude, Tolerance, "magnitude");
        Tolerances.Near(Base(layer, x), layer.forward(x), Tolerance, "start");
    }

    [Property(MaxTest = 60)]
    public void Merged_equals_unmerged(ushort sizes, bool bias, bool rs, bool dora, int seed)
    {
        using DisposeScope scope = NewDisposeScope();
        using LoraLinear layer = Make(sizes, bias, rs, dora, seed, trained: true);
        layer.eval();
        Tensor x = randn(2, 3, layer.InDim);
        Tensor merged = nn.functional.linear(x, layer.MergedWeight(), layer.Bias);
        Tolerances.Near(layer.forward(x), merged, Tolerance, "merged");
        Assert.True(Tolerances.Distance(Base(layer, x), merged) > 1e-3); // the adapters do something
    }

    [Property(MaxTest = 40)]
    public void Switched_off_it_is_its_base(ushort sizes, bool bias, bool rs, bool dora, int seed)
    {
        using DisposeScope scope = NewDisposeScope();
        using LoraLinear layer = Make(sizes, bias, rs, dora, seed, trained: true);
        Tensor x = randn(2, 3, layer.InDim);
        layer.AdaptersEnabled = false;
        Tiny.Same(Base(layer, x), layer.forward(x));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_starts_Kaiming_uniform_with_a_root_of_five_and_B_at_zero(bool dora)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(3);
        LoraConfig lora = Tiny.Lora with { Rank = 64, UseDora = dora };
        using LoraLinear layer = dora ? new DoraLinear(400, 32, lora) : new LoraLinear(400, 32, lora);
        const double Bound = 0.05; // √(6 / ((1 + 5)·400))
        Tensor a = layer.LoraA.detach();
        Assert.Equal([64L, 400L], a.shape);
        Assert.InRange(a.max().item<float>(), 0.995 * Bound, Bound);
        Assert.InRange(a.min().item<float>(), -Bound, -0.995 * Bound);
        Assert.InRange(a.mean().item<float>(), -0.0006, 0.0006); // σ of the mean of 25600: 0.00018
        Assert.InRange(a.var().item<float>(), 0.97 * Bound * Bound / 3, 1.03 * Bound * Bound / 3);
        Assert.Equal([32L, 64L], layer.LoraB.shape);
        Assert.Equal(0, layer.LoraB.abs().max().item<float>());
    }

    [Fact]
    public void Adapters_start_so_even_when_weights_are_loaded_next()
    {
        using DisposeScope scope = NewDisposeScope();
        using BuildScope build = new(initialise: false);
        using LoraLinear layer = new(40, 24, Tiny.Lora);
        Assert.InRange(layer.LoraA.abs().max().item<float>(), 0.5 / Math.Sqrt(40), 1 / Math.Sqrt(40));
        Assert.Equal(0, layer.LoraB.abs().max().item<float>());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Dropout_acts_while_training_and_only_then(bool dora)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(4);
        LoraConfig lora = Tiny.Lora with { Dropout = 0.5, UseDora = dora };
        using LoraLinear layer = dora ? new DoraLinear(32, 16, lora) : new LoraLinear(32, 16, lora);
        using (no_grad())
        {
            layer.LoraB.normal_();
        }

        Tensor x = randn(4, 32);
        layer.train();
        Assert.True(Tolerances.Distance(layer.forward(x), layer.forward(x)) > 1e-3);
        layer.eval();
        Tiny.Same(layer.forward(x), layer.forward(x));
    }

    [Fact]
    public void Scales_are_those_of_the_papers()
    {
        LoraConfig lora = Tiny.Lora with { Rank = 16, Alpha = 8 };
        Assert.Equal(0.5, lora.Scale);
        Assert.Equal(2, (lora with { UseRslora = true }).Scale);
    }

    private static LoraLinear Make(ushort sizes, bool bias, bool rs, bool dora, int seed, bool trained)
    {
        manual_seed(seed);
        (long inDim, long outDim, int rank) = (1 + (sizes & 31), 1 + ((sizes >> 5) & 31), 1 + ((sizes >> 10) & 7));
        LoraConfig lora = Tiny.Lora with { Rank = rank, Alpha = 5, UseRslora = rs, UseDora = dora };
        LoraLinear layer = dora ? new DoraLinear(inDim, outDim, lora, bias) : new LoraLinear(inDim, outDim, lora, bias);
        using IDisposable off = no_grad();
        layer.Weight.normal_();
        layer.Bias?.normal_();
        (layer as DoraLinear)?.InitialiseMagnitude();
        if (trained)
        {
            layer.LoraB.uniform_(0.5, 1.5);
            layer.LoraA.uniform_(0.5, 1.5);
            (layer as DoraLinear)?.Magnitude.mul_(1.5);
        }

        return layer;
    }

    private static Tensor Base(LoraLinear layer, Tensor x) => nn.functional.linear(x, layer.Weight, layer.Bias);
}
