using TorchSharp;
using TuneSharp.Kernels;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Kernels;

/// <summary>Steps of 8-bit optimizers: the CPU kernel against its twin.</summary>
public sealed class Blockwise8Tests
{
    [Theory]
    [InlineData("Adam")]
    [InlineData("Momentum")]
    [InlineData("RmsProp")]
    [InlineData("Adagrad")]
    [InlineData("Lion")]
    public void Kernel_and_twin_take_the_same_steps(string name)
    {
        Rule8 rule = Enum.Parse<Rule8>(name);
        foreach (ScalarType dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 })
        {
            using DisposeScope scope = NewDisposeScope();
            manual_seed(4);
            Tensor start = randn(37, 150).to(dtype);
            (Tensor w, Tensor[] state) fast = (start.clone(), State(start)), slow = (start.clone(), State(start));
            for (int step = 1; step <= 5; step++)
            {
                Tensor gradient = randn(37, 150).to(dtype);
                gradient[0, 0] = step == 3 ? float.NaN : 0;
                Blockwise8Step Of((Tensor W, Tensor[] S) run) => new(
                    rule, run.W, gradient, run.S[0], run.S[1], run.S[2], run.S[3], 0.9f, 0.99f, 1e-8f, 0.1f, 0.01f, step);
                Of(fast).Run();
                using IDisposable plain = KernelChoice.Force(false);
                Of(slow).Run();
            }

            Assert.True(Tolerances.Distance(fast.w - start, slow.w - start) < (dtype == ScalarType.Float32 ? 1e-4 : 2e-2));
            using Tensor codes = fast.state[0].ne(slow.state[0]).sum();
            Assert.True(codes.item<long>() < start.numel() / 100, $"{codes.item<long>()} codes differ");
        }
    }

    private static Tensor[] State(Tensor w)
    {
        long blocks = (w.numel() + 255) / 256;
        return [zeros_like(w, ScalarType.Byte), zeros(blocks), zeros_like(w, ScalarType.Byte), zeros(blocks)];
    }
}
