using TorchSharp;
using TuneSharp.Kernels;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace TuneSharp.Tests.Kernels;

public sealed class ActivationCheckpointTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Parameter _w1 = new(randn(8, 8)), _w2 = new(randn(8, 8));

    [Theory]
    [InlineData(true)]
    [InlineData(false)] // a frozen embedding below
    public void Loss_and_gradients_are_identical_with_dropout(bool inputTrains)
    {
        Parameter x = new(randn(4, 8), requires_grad: inputTrains);
        (float plainLoss, Tensor?[] plain) = Train(x, Block);
        (float loss, Tensor?[] checkpointed) = Train(x, h => ActivationCheckpoint.Run(Block, h));
        Assert.Equal(plainLoss, loss);
        Equal(plain, checkpointed);
        Assert.Equal(inputTrains, checkpointed[2] is not null);
    }

    [Fact]
    public void Checkpoints_nest()
    {
        Parameter x = new(randn(4, 8));
        Tensor Twice(Tensor h) => Block(Block(h));
        Equal(
            Train(x, Twice).Gradients,
            Train(x, h => ActivationCheckpoint.Run(i => ActivationCheckpoint.Run(Block, ActivationCheckpoint.Run(Block, i)), h)).Gradients);
    }

    [Fact]
    public void Shared_tensors_outlive_their_owner()
    {
        Parameter x = new(randn(4, 8));
        Tensor mask = randn(8);
        Tensor expected = (x * mask).sum(), ours;
        expected.backward();
        Tensor plain = x.grad!.clone();
        x.grad = null;
        using (Tensor passing = mask.clone())
        {
            ours = ActivationCheckpoint.Run((h, shared) => h * shared[0], x, passing).sum();
        }

        ours.backward();
        ActivationCheckpoint.ThrowIfFailed();
        Assert.True(plain.equal(x.grad!).all().item<bool>());
    }

    [Fact]
    public void The_generator_goes_on_as_if_the_block_ran_once()
    {
        Parameter x = new(randn(4, 8));
        Train(x, Block);
        Tensor expected = randn(3);
        Train(x, h => ActivationCheckpoint.Run(Block, h));
        Assert.True(expected.equal(randn(3)).all().item<bool>());
    }

    [Fact]
    public void Nothing_is_kept_or_left_behind()
    {
        Parameter x = new(randn(4, 8));
        int runs = 0;
        Tensor Counted(Tensor h)
        {
            runs++;
            return Block(h);
        }

        long first = 0;
        for (int step = 0; step < 60; step++)
        {
            using DisposeScope scope = NewDisposeScope();
            Train(x, h => ActivationCheckpoint.Run(Counted, ActivationCheckpoint.Run(Counted, h)));
            scope.Dispose();
            if (step == 10)
            {
                first = KernelRuns.LiveHandles();
            }
        }

        Assert.Equal(first, KernelRuns.LiveHandles());
        Assert.Equal(60 * 4 * 2, runs); // four blocks, each forward and again
    }

    [Fact]
    public void Without_gradients_the_block_just_runs()
    {
        using IDisposable frozen = no_grad();
        Assert.False(ActivationCheckpoint.Run(Block, _w1).requires_grad);
    }

    [Fact]
    public void A_failure_in_the_backward_pass_is_thrown_afterwards()
    {
        Parameter x = new(randn(4, 8));
        int runs = 0;
        Tensor Fails(Tensor h) => runs++ == 0 ? Block(h) : throw new InvalidOperationException("the disk is gone");
        ActivationCheckpoint.Run(Fails, x).sum().backward();
        Assert.Equal(0, x.grad!.abs().sum().item<float>());
        Assert.Equal("the disk is gone", Assert.Throws<InvalidOperationException>(ActivationCheckpoint.ThrowIfFailed).Message);
        ActivationCheckpoint.ThrowIfFailed(); // said once
    }

    [Fact]
    public void A_failure_in_the_forward_pass_is_thrown_at_once() =>
        Assert.Throws<InvalidOperationException>(() => ActivationCheckpoint.Run((Tensor _) => throw new InvalidOperationException(), _w1));

    public void Dispose() => _scope.Dispose();

    private static void Equal(Tensor?[] expected, Tensor?[] actual)
    {
        foreach ((Tensor? e, Tensor? a) in expected.Zip(actual))
        {
            Assert.True(e is null ? a is null : e.equal(a!).all().item<bool>());
        }
    }

    private Tensor Block(Tensor h)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor wide = nn.functional.gelu(nn.functional.linear(h, _w1));
        return nn.functional.linear(nn.functional.dropout(wide, 0.3, training: true), _w2).MoveToOuterDisposeScope();
    }

    private (float Loss, Tensor?[] Gradients) Train(Parameter x, Func<Tensor, Tensor> block)
    {
        foreach (Parameter p in new[] { _w1, _w2, x })
        {
            p.grad = null;
        }

        manual_seed(7);
        Tensor loss = block(block(x)).pow(2).sum();
        loss.backward();
        ActivationCheckpoint.ThrowIfFailed();
        return (loss.item<float>(), [.. new[] { _w1, _w2, x }.Select(p => p.grad?.clone())]);
    }
}
