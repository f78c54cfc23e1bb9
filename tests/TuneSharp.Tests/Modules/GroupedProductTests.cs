using TorchSharp;
using TuneSharp.Backend;
using TuneSharp.Modules;
using TuneSharp.Modules.Moe;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Modules;

/// <summary>The grouped product that a GPU uses, against the loop over experts; on the GPU where there is one.</summary>
public sealed class GroupedProductTests : IDisposable
{
    private const int Experts = 5;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Device _device;

    public GroupedProductTests()
    {
        TorchBackend.EnsureLoaded();
        _device = cuda.is_available() ? CUDA : CPU;
    }

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Sorted_rows_come_back_to_their_tokens()
    {
        Tensor x_TD = rand([7, 3], device: _device);
        ExpertGroups groups = Groups();
        Assert.Equal([6, 0, 3, 4, 1], groups.Counts); // the second expert gets none
        Assert.True(groups.Expert_M.eq(groups.Expert_M.sort().Values).all().ToBoolean());
        Assert.True(allclose(groups.Sum(groups.Sort(x_TD)), x_TD * 2));
        Tensor shares_TK = rand([7, 2], device: _device);
        Assert.True(allclose(groups.Sum(groups.Sort(x_TD) * groups.SortShares(shares_TK)), x_TD * shares_TK.sum(dim: 1, keepdim: true)));
    }

    [Fact]
    public void Weights_in_one_block_give_what_a_loop_gives_with_its_gradients()
    {
        manual_seed(1);
        using BuildScope build = new(_device, ScalarType.BFloat16);
        Linear[] linears = [.. Enumerable.Range(0, Experts).Select(_ => new Linear(16, 24))];
        Tensor[] before = [.. linears.Select(l => l.Weight.detach().clone())];
        ExpertGroups groups = Groups();
        Tensor x_MI = randn([14, 16], device: _device).to(ScalarType.BFloat16);
        Tensor dy_MO = randn([14, 24], device: _device).to(ScalarType.BFloat16);

        (Tensor Y, Tensor Dx, Tensor[] Dw) Run(Func<Tensor, Tensor> product)
        {
            Tensor x = x_MI.detach().clone().requires_grad_(true);
            Tensor result = product(x);
            result.backward([dy_MO]);
            Tensor[] gradients = [.. linears.Select(l => l.Weight.grad?.clone() ?? zeros_like(l.Weight))];
            foreach (Linear linear in linears)
            {
                linear.Weight.grad = null;
            }

            return (result.detach(), x.grad!, gradients);
        }

        (Tensor loopY, Tensor loopDx, Tensor[] loopDw) = Run(x => groups.ForEach(x, (e, rows) => linears[e].forward(rows)));
        (Tensor y, Tensor dx, Tensor[] dw) = Run(x => new ExpertStack(linears).Apply(x, groups));
        Near(loopY, y);
        Near(loopDx, dx);
        for (int e = 0; e < Experts; e++)
        {
            Near(loopDw[e], dw[e]);
            Assert.True(linears[e].Weight.eq(before[e]).all().ToBoolean()); // moved, not changed
        }
    }

    [Fact]
    public void A_weight_that_is_moved_into_the_block_is_still_the_linears_own()
    {
        using BuildScope build = new(_device, ScalarType.BFloat16);
        Linear[] linears = [.. Enumerable.Range(0, Experts).Select(_ => new Linear(16, 24))];
        ExpertStack stack = new(linears);
        ExpertGroups groups = Groups();
        Tensor x_MI = randn([14, 16], device: _device).to(ScalarType.BFloat16);
        using IDisposable off = no_grad();
        Tensor first = stack.Apply(x_MI, groups);
        foreach (Linear linear in linears)
        {
            linear.Weight.mul_(2); // as an optimizer or a loader does
        }

        Near(first * 2, stack.Apply(x_MI, groups));
    }

    /// <summary>Two experts for each of seven tokens.</summary>
    private ExpertGroups Groups() => new(
        tensor((long[])[0, 2, 0, 3, 4, 0, 0, 2, 3, 0, 2, 0, 3, 3], device: _device).reshape(7, 2), Experts);

    /// <summary>bf16 has 8 bits: sums of 14 products in another order differ by an ulp or two.</summary>
    private static void Near(Tensor expected, Tensor actual) => Assert.True(allclose(
        expected.to(ScalarType.Float32), actual.to(ScalarType.Float32), rtol: 2e-2, atol: 2e-2 * Math.Max(1, expected.abs().max().to(ScalarType.Float32).item<float>())));
}
