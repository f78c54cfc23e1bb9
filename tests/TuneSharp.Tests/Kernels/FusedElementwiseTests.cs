using TorchSharp;
using TuneSharp.Backend;
using TuneSharp.Kernels;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Kernels;

/// <summary>RMSNorm, SwiGLU and the loss against their twins.</summary>
public sealed class FusedElementwiseTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public static TheoryData<ScalarType, int, int> Shapes()
    {
        TheoryData<ScalarType, int, int> data = [];
        foreach (ScalarType dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 })
        {
            foreach ((int rows, int width) in new[] { (1, 1), (3, 15), (17, 16), (5, 33), (70, 768), (2, 1031) })
            {
                data.Add(dtype, rows, width);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Rms_norm_equals_the_twin(ScalarType dtype, int rows, int width) =>
        Compare(dtype, x => FusedRmsNorm.Apply(x[0], x[1], 1e-5), x => Aten.RmsNorm(x[0], x[1], 1e-5), New(dtype, rows, width), New(dtype, width));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void SwiGlu_equals_the_twin(ScalarType dtype, int rows, int width) =>
        Compare(
            dtype, x => FusedSwiGlu.Apply(x[0], x[1]), x => nn.functional.silu(x[0]) * x[1], New(dtype, rows, width, 5), New(dtype, rows, width));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Loss_and_its_gradients_equal_the_twin(ScalarType dtype, int rows, int vocab)
    {
        Tensor targets = randint(0, vocab, [rows], ScalarType.Int64);
        // Logits of about 1, as a model's: rounded to bf16, those of 10 and more would be off by as much as the tolerance.
        Tensor x = New(dtype, rows, 24), w = New(dtype, vocab, 24, scale: 0.2);
        Tensor xt = Twin(x), wt = Twin(w);
        Tensor expected = nn.functional.cross_entropy(nn.functional.linear(xt, wt), targets, reduction: nn.Reduction.Sum);
        Tensor loss = LinearCrossEntropy.Sum(x, w, targets, 3);
        (expected * 2).backward();
        (loss * 2).backward();
        Assert.Equal(ScalarType.Float32, loss.dtype);
        if (vocab > 1) // with one token loss and gradients are zero
        {
            Tolerances.Near(expected, loss, Tolerances.Twice(dtype), "loss");
            Tolerances.Near(xt.grad!, x.grad!, Tolerances.Twice(dtype), "dx");
            Tolerances.Near(wt.grad!, w.grad!, Tolerances.Twice(dtype), "dw");
        }
        else
        {
            Assert.Equal(0f, loss.item<float>());
        }

        using IDisposable off = no_grad();
        Assert.Equal(loss.item<float>(), LinearCrossEntropy.Sum(x, w, targets, 3).item<float>());
        using IDisposable reference = KernelChoice.Force(fused: false);
        Tolerances.Near(LinearCrossEntropy.Sum(x, w, targets, 2) + 1, loss + 1, Tolerances.Twice(dtype), "loss without the kernel");
    }

    public static TheoryData<double, double, double, bool> LossOptions()
    {
        TheoryData<double, double, double, bool> data = [];
        foreach (bool fused in (bool[])[true, false])
        {
            data.Add(0, 0.1, 0, fused);
            data.Add(0, 0, 1e-3, fused);
            data.Add(2, 0, 0, fused);
            data.Add(2, 0.2, 1e-2, fused);
            data.Add(0, 0.3, 1e-2, fused);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(LossOptions))]
    public void Capped_smoothed_and_z_loss_equal_their_formulas(double cap, double smoothing, double zLoss, bool fused)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable choice = KernelChoice.Force(fused);
        const int Rows = 13, Vocab = 71;
        Tensor targets = randint(0, Vocab, [Rows], ScalarType.Int64);
        Tensor x = New(ScalarType.Float32, Rows, 24), w = New(ScalarType.Float32, Vocab, 24);
        Tensor xt = x.detach().to(ScalarType.Float64).requires_grad_(), wt = w.detach().to(ScalarType.Float64).requires_grad_();
        Tensor z_RV = nn.functional.linear(xt, wt);
        z_RV = cap > 0 ? (z_RV / cap).tanh() * cap : z_RV;
        Tensor lse_R = z_RV.logsumexp(1);
        Tensor expected = nn.functional.cross_entropy(z_RV, targets, reduction: nn.Reduction.Sum, label_smoothing: smoothing)
            + (zLoss * lse_R.square().sum());
        Tensor loss = LinearCrossEntropy.Sum(x, w, targets, 3, new SoftmaxLossOptions(cap, smoothing, zLoss));
        expected.backward();
        loss.backward();
        Tolerances.Near(expected.to(ScalarType.Float32), loss, Tolerances.Twice(ScalarType.Float32), "loss");
        Tolerances.Near(xt.grad!.to(ScalarType.Float32), x.grad!, Tolerances.Twice(ScalarType.Float32), "dx");
        Tolerances.Near(wt.grad!.to(ScalarType.Float32), w.grad!, Tolerances.Twice(ScalarType.Float32), "dw");
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(7)]
    public void A_label_outside_the_vocabulary_is_refused(long label)
    {
        Tensor x = New(ScalarType.Float32, 1, 4), w = New(ScalarType.Float32, 7, 4);
        ArgumentException e = Assert.Throws<ArgumentException>(() => FusedSoftmaxLoss.Sum(mm(x, w.t()), tensor([label]), true));
        Assert.Contains("vocabulary has 7 tokens", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Gradients_agree_with_finite_differences()
    {
        Tensor x = New(ScalarType.Float32, 2, 19), w = New(ScalarType.Float32, 19);
        Tensor weights = randn(2, 19);
        Tensor Value(Tensor at) => (FusedSwiGlu.Apply(FusedRmsNorm.Apply(at, w, 1e-5), at) * weights).sum();
        Value(x).backward();
        Tensor analytic = x.grad!.clone(), numeric = zeros_like(analytic);
        using IDisposable off = no_grad();
        const float Step = 1e-2f;
        for (int i = 0; i < 38; i++)
        {
            Tensor shift = zeros(38);
            shift[i] = Step;
            shift = shift.reshape(2, 19);
            numeric.reshape(38)[i] = (Value(x + shift) - Value(x - shift)).item<float>() / (2 * Step);
        }

        Tolerances.Near(numeric, analytic, Tolerances.FiniteDifference, "gradient");
    }

    [Fact]
    public void Nan_stays_nan()
    {
        foreach (ScalarType dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 })
        {
            Tensor x = full([2, 40], float.NaN, dtype);
            Assert.True(FusedSwiGlu.Apply(x, ones_like(x)).isnan().all().item<bool>());
            Assert.True(FusedRmsNorm.Apply(x, ones([40], dtype), 1e-5).isnan().all().item<bool>());
            Assert.True(double.IsNaN(FusedSoftmaxLoss.Sum(x.clone(), tensor([0L, 39L]), true)));
        }
    }

    [Fact]
    public void Runs_leave_no_handle_behind()
    {
        Tensor x = New(ScalarType.BFloat16, 9, 40), w = New(ScalarType.BFloat16, 40), head = New(ScalarType.BFloat16, 50, 40);
        Tensor targets = randint(0, 50, [9], ScalarType.Int64);
        KernelRuns.LeaveNothing(
            () =>
            {
                Tensor h = FusedRmsNorm.Apply(x, w, 1e-5);
                LinearCrossEntropy.Sum(FusedSwiGlu.Apply(h, h), head, targets, 2).backward();
            },
            [x, w, head]);
    }

    [Fact]
    public void A_norms_gradient_is_the_same_at_every_run_whichever_thread_took_which_rows()
    {
        Tensor x = New(ScalarType.Float32, 3000, 96), w = New(ScalarType.Float32, 96), dy = randn(3000, 96);
        byte[] first = [];
        for (int i = 0; i < 50; i++)
        {
            FusedRmsNorm.Apply(x, w, 1e-5).backward([dy]);
            byte[] now = w.grad!.bytes.ToArray();
            first = i == 0 ? now : first;
            Assert.Equal(first, now);
            w.grad!.zero_();
        }
    }

    [Fact]
    public void Other_dtypes_layouts_and_devices_take_the_plain_way()
    {
        Tensor x = randn(6, 32, ScalarType.Float64), w = randn(32, ScalarType.Float64);
        Assert.True(Aten.RmsNorm(x, w, 1e-5).equal(FusedRmsNorm.Apply(x, w, 1e-5)).all().item<bool>());
        Tensor turned = randn(32, 6).t();
        Tolerances.Near(nn.functional.silu(turned) * turned, FusedSwiGlu.Apply(turned, turned), Tolerances.Fp32, "turned");
        Tensor meta = empty([6, 32], device: META);
        Assert.Equal([6, 32], FusedSwiGlu.Apply(meta, meta).shape);
        Assert.Equal([6, 32], FusedRmsNorm.Apply(meta, empty([32], device: META), 1e-5).shape);
    }

    public void Dispose() => _scope.Dispose();

    private static Tensor New(ScalarType dtype, int rows, int width, double scale = 1) => (randn(rows, width) * scale).to(dtype).requires_grad_(true);

    private static Tensor New(ScalarType dtype, int width) => randn(width).to(dtype).requires_grad_(true);

    private static Tensor Twin(Tensor t) => t.detach().to(ScalarType.Float32, copy: true).requires_grad_(true);

    private static void Compare(ScalarType dtype, Func<Tensor[], Tensor> ours, Func<Tensor[], Tensor> plain, params Tensor[] x)
    {
        Tensor[] twin = [.. x.Select(Twin)];
        (Tensor y, Tensor expected) = (ours(x), plain(twin));
        Tensor gradient = randn_like(y);
        y.backward([gradient]);
        expected.backward([gradient.to(ScalarType.Float32)]);
        Assert.Equal(dtype, y.dtype);
        Tolerances.Near(expected, y, Tolerances.Once(dtype), "result");
        for (int i = 0; i < x.Length; i++)
        {
            if (twin[i].grad!.norm().item<float>() > 1e-4) // one number normalised has no gradient
            {
                Tolerances.Near(twin[i].grad!, x[i].grad!, Tolerances.Once(dtype), $"gradient {i}");
            }
        }
    }
}
