using TorchSharp;
using TuneSharp.Kernels;
using TuneSharp.Training;
using TuneSharp.Training.Optimizers;
using static TorchSharp.torch;

namespace TuneSharp.Gpu.Tests;

/// <summary>4-bit weights, 8-bit optimizer states and operations on many tensors against their twins.</summary>
public sealed class QuantTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    [Theory]
    [InlineData(QuantType.Nf4, true, 64, ScalarType.BFloat16)]
    [InlineData(QuantType.Nf4, false, 128, ScalarType.Float32)]
    [InlineData(QuantType.Fp4, true, 64, ScalarType.Float32)]
    [InlineData(QuantType.Nf4, true, 64, ScalarType.Float32)]
    public void A_weight_comes_back_bit_for_bit(QuantType type, bool nested, int block, ScalarType dtype)
    {
        using IDisposable off = no_grad();
        Tensor w = Gpu.New(dtype, 72, 1000);
        using QuantizedTensor q = QuantizedTensor.Quantize(w, new Quantization { Type = type, DoubleQuant = nested, BlockSize = block });
        Tensor ours = q.Dequantize();
        using IDisposable reference = KernelChoice.Force(fused: false);
        Assert.Equal(0, Gpu.Distance(ours, q.Dequantize()));
    }

    [Theory]
    [InlineData(ScalarType.BFloat16, 70_001)]
    [InlineData(ScalarType.Float32, 4096)]
    public void Adam_with_8_bit_states_equals_its_twin(ScalarType dtype, int count)
    {
        using IDisposable off = no_grad();
        long blocks = (count + 255) / 256;
        Tensor[] w = [Gpu.New(dtype, count), null!];
        w[1] = w[0].clone();
        Tensor[] c1 = [zeros(count, ScalarType.Byte, Gpu.Device), zeros(count, ScalarType.Byte, Gpu.Device)];
        Tensor[] c2 = [zeros(count, ScalarType.Byte, Gpu.Device), zeros(count, ScalarType.Byte, Gpu.Device)];
        Tensor[] a1 = [zeros(blocks, ScalarType.Float32, Gpu.Device), zeros(blocks, ScalarType.Float32, Gpu.Device)];
        Tensor[] a2 = [zeros(blocks, ScalarType.Float32, Gpu.Device), zeros(blocks, ScalarType.Float32, Gpu.Device)];
        Tensor start = w[0].clone();
        for (int step = 1; step <= 3; step++)
        {
            Tensor g = Gpu.New(dtype, 0.1, count);
            for (int i = 0; i < 2; i++)
            {
                using IDisposable choice = KernelChoice.Force(fused: i == 0);
                new Blockwise8Step(Rule8.Adam, w[i], g, c1[i], a1[i], c2[i], a2[i], 0.9f, 0.999f, 1e-8f, 0.01f, 1e-2f, step).Run();
            }
        }

        Gpu.Near(a1[1], a1[0], 1e-5, "scales of the mean");
        Gpu.Near(a2[1], a2[0], 1e-5, "scales of the square");
        Gpu.Near(w[1] - start, w[0] - start, dtype == ScalarType.Float32 ? 1e-2 : 2e-2, "movement of the weight"); // a tie may fall to the other code
        Assert.True(c1[0].ne(c1[1]).to(ScalarType.Float32).mean().item<float>() < 1e-3f);
    }

    [Fact]
    public void Many_gradients_are_scaled_and_clipped_in_one_go()
    {
        List<NamedParameter> Made(int seed)
        {
            manual_seed(seed);
            cuda.manual_seed(seed);
            List<NamedParameter> made = [];
            foreach ((int n, ScalarType dtype) in new[] { (7, ScalarType.BFloat16), (70_000, ScalarType.BFloat16), (16, ScalarType.Float32), (200_003, ScalarType.Float32) })
            {
                TorchSharp.Modules.Parameter p = new(zeros(n, dtype, Gpu.Device));
                p.grad = randn([n], ScalarType.Float32, Gpu.Device).to(dtype);
                made.Add(new NamedParameter(FormattableString.Invariant($"p{made.Count}"), p));
            }

            return made;
        }

        List<NamedParameter> ours = Made(5), plain = Made(5);
        double? norm = Gradients.ScaleAndClip(ours, 0.01, 1.5);
        using IDisposable reference = KernelChoice.Force(fused: false);
        double? wanted = Gradients.ScaleAndClip(plain, 0.01, 1.5);
        Assert.Equal(wanted!.Value, norm!.Value, 2e-3 * wanted.Value);
        for (int i = 0; i < ours.Count; i++)
        {
            Gpu.Near(plain[i].Value.grad!, ours[i].Value.grad!, 8e-3, ours[i].Name);
        }
    }

    public void Dispose() => _scope.Dispose();
}
