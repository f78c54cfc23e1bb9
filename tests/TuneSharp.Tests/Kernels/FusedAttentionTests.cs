using TorchSharp;
using TuneSharp.Kernels;
using TuneSharp.Modules;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Kernels;

public sealed class FusedAttentionTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public static TheoryData<ScalarType, int, int, int, int, int> Shapes()
    {
        TheoryData<ScalarType, int, int, int, int, int> data = [];
        foreach (ScalarType dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 })
        {
            data.Add(dtype, 2, 2, 1, 1, 16);     // smallest
            data.Add(dtype, 1, 64, 2, 2, 64);    // exactly one tile
            data.Add(dtype, 2, 77, 4, 2, 32);    // a part of a tile
            data.Add(dtype, 3, 130, 6, 2, 48);   // three tiles, three query heads to a key head
            data.Add(dtype, 1, 129, 3, 1, 80);   // one key head, more than a panel wide
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Result_and_gradients_equal_the_twin(ScalarType dtype, int b, int t, int n, int k, int h)
    {
        Tensor angles = new Rope(h, 256, 10_000).Angles(null, t, CPU);
        Compare(Inputs(dtype, b, t, n, k, h), angles, null, dtype);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Packed_samples_see_only_themselves(ScalarType dtype)
    {
        int[][] lengths = [[1, 70, 9], [80]];
        Tensor positions = stack([cat([arange(1), arange(70), arange(9)]), arange(80)]).to(ScalarType.Int64);
        Tensor angles = new Rope(32, 256, 10_000).Angles(positions, 80, CPU);
        Compare(Inputs(dtype, 2, 80, 4, 2, 32), angles, lengths, dtype);
    }

    [Fact]
    public void Lengths_that_do_not_fill_the_row_are_refused()
    {
        Tensor[] x = Inputs(ScalarType.Float32, 1, 8, 1, 1, 16);
        Tensor angles = new Rope(16, 256, 10_000).Angles(null, 8, CPU);
        ArgumentException e = Assert.Throws<ArgumentException>(() => FusedAttention.Apply(x[0], x[1], x[2], angles, [[3, 4]]));
        Assert.Contains("row 0 have 7 tokens together, the row has 8", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Gradients_of_large_scores_are_finite()
    {
        Tensor[] x = Inputs(ScalarType.Float32, 1, 70, 2, 1, 16);
        Tensor angles = new Rope(16, 256, 10_000).Angles(null, 70, CPU);
        Tensor y = FusedAttention.Apply(x[0] * 300, x[1] * 300, x[2], angles, null);
        y.sum().backward();
        Assert.True(y.isfinite().all().item<bool>());
        Assert.All(x, p => Assert.True(p.grad!.isfinite().all().item<bool>()));
    }

    [Fact]
    public void Runs_leave_no_handle_behind()
    {
        Tensor[] x = Inputs(ScalarType.BFloat16, 1, 70, 2, 1, 16);
        Tensor angles = new Rope(16, 256, 10_000).Angles(null, 70, CPU);
        KernelRuns.LeaveNothing(() => FusedAttention.Apply(x[0], x[1], x[2], angles, null).sum().backward(), x);
    }

    [Fact]
    public void An_error_in_the_backward_pass_is_thrown_afterwards()
    {
        Tensor[] x = Inputs(ScalarType.Float32, 1, 8, 1, 1, 16);
        Tensor angles = new Rope(16, 256, 10_000).Angles(null, 8, CPU);
        Tensor y = FusedAttention.Apply(x[0], x[1], x[2], angles, null);
        BackwardErrors.FailNext(new InvalidDataException("no room for gradients"));
        y.sum().backward();
        InvalidDataException e = Assert.Throws<InvalidDataException>(ActivationCheckpoint.ThrowIfFailed);
        Assert.Equal("no room for gradients", e.Message);
        ActivationCheckpoint.ThrowIfFailed(); // once only
    }

    [Fact]
    public void Other_layouts_take_the_plain_way()
    {
        Tensor x = randn(1, 8, 2, 16);
        Assert.True(FusedAttention.Fits(x, x, x));
        Assert.False(FusedAttention.Fits(x.transpose(0, 1), x, x));
        Assert.False(FusedAttention.Fits(x.to(ScalarType.Float64), x, x));
        Assert.False(FusedAttention.Fits(x, x, x.to(ScalarType.BFloat16)));
        Tensor meta = empty([1, 8, 2, 16], device: META);
        Assert.False(FusedAttention.Fits(meta, meta, meta));
        using IDisposable reference = KernelChoice.Force(fused: false);
        Assert.False(FusedAttention.Fits(x, x, x));
    }

    public void Dispose() => _scope.Dispose();

    private static Tensor[] Inputs(ScalarType dtype, int b, int t, int n, int k, int h)
    {
        manual_seed(7);
        Tensor New(int heads) => randn([b, t, heads, h]).to(dtype).requires_grad_(true);
        return [New(n), New(k), New(k)];
    }

    private static void Compare(Tensor[] x, Tensor angles, int[][]? lengths, ScalarType dtype)
    {
        Tensor gradient = randn_like(x[0]);
        Tensor[] twin = [.. x.Select(p => p.detach().to(ScalarType.Float32, copy: true).requires_grad_(true))];
        Tensor expected = Twin(twin, angles, lengths);
        expected.backward([gradient.to(ScalarType.Float32)]);
        Tensor y = FusedAttention.Apply(x[0], x[1], x[2], angles, lengths);
        y.backward([gradient]);
        Tolerances.Near(expected, y, Tolerances.Once(dtype), "result");
        foreach ((Tensor ours, Tensor theirs, string name) in x.Zip(twin, ["dq", "dk", "dv"]))
        {
            Tolerances.Near(theirs.grad!, ours.grad!, Tolerances.Twice(dtype), name);
        }

        using IDisposable off = no_grad();
        Assert.True(y.equal(FusedAttention.Apply(x[0], x[1], x[2], angles, lengths)).all().item<bool>());
    }

    private static Tensor Twin(Tensor[] x, Tensor angles, int[][]? lengths)
    {
        Tensor q = Rope.Apply(x[0], angles).transpose(1, 2);
        Tensor k = Rope.Apply(x[1], angles).transpose(1, 2);
        AttentionContext context = new(angles, SeqLens: lengths);
        return Attention.Attend(q, k, x[2].transpose(1, 2), context, causal: true, dropout: 0).transpose(1, 2);
    }
}
