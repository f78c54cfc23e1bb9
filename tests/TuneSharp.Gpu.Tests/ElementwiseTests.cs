using TorchSharp;
using TuneSharp.Kernels;
using static TorchSharp.torch;

namespace TuneSharp.Gpu.Tests;

/// <summary>Norm, gated activation, rotation and loss against their formulas in fp64.</summary>
public sealed class ElementwiseTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public static TheoryData<ScalarType, int, int> Shapes()
    {
        TheoryData<ScalarType, int, int> data = [];
        foreach (ScalarType dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 })
        {
            foreach ((int rows, int width) in new[] { (1, 8), (3, 15), (17, 64), (5, 257), (70, 768), (9, 1031), (130, 4096), (3, 14336) })
            {
                data.Add(dtype, rows, width);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Rms_norm(ScalarType dtype, int rows, int width) =>
        Gpu.Compare(Gpu.Once(dtype), x => FusedRmsNorm.Apply(x[0], x[1], 1e-5), Norm, Gpu.New(dtype, rows, width), Gpu.New(dtype, width));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Rms_norm_of_a_sum_with_an_offset(ScalarType dtype, int rows, int width)
    {
        using IDisposable off = no_grad();
        Tensor x = Gpu.New(dtype, rows, width), d = Gpu.New(dtype, rows, width), w = Gpu.New(dtype, width), sum = empty_like(x);
        Tensor y = GpuRmsNorm.AddForward(x, d, w, 1e-6, sum, offset: 1);
        Gpu.Near(Gpu.Exact(x) + Gpu.Exact(d), sum, Gpu.Once(dtype), "sum");
        Gpu.Near(Norm([Gpu.Exact(sum), Gpu.Exact(w) + 1], 1e-6), y, Gpu.Once(dtype), "norm");
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void SwiGlu(ScalarType dtype, int rows, int width) =>
        Gpu.Compare(
            Gpu.Once(dtype), x => FusedSwiGlu.Apply(x[0], x[1]), x => nn.functional.silu(x[0]) * x[1],
            Gpu.New(dtype, rows, width), Gpu.New(dtype, rows, width));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void GeGlu(ScalarType dtype, int rows, int width)
    {
        Tensor gate = Gpu.New(dtype, rows, width), up = Gpu.New(dtype, rows, width);
        Tensor g = Gpu.Exact(gate), u = Gpu.Exact(up);
        Tensor wanted = 0.5 * g * (1 + (Math.Sqrt(2 / Math.PI) * (g + (0.044715 * g.pow(3)))).tanh()) * u;
        Tensor dy = randn(wanted.shape, ScalarType.Float32, Gpu.Device).to(dtype);
        wanted.backward([dy.to(ScalarType.Float64)]);
        using IDisposable off = no_grad();
        Gpu.Near(wanted, GpuSwiGlu.Forward(gate, up, gelu: true), Gpu.Once(dtype), "result");
        Tensor again = empty_like(gate), dUp = empty_like(gate);
        GpuSwiGlu.Backward(gate, up, dy, dGate: dy, dUp, gelu: true, again); // over its own input
        Gpu.Near(g.grad!, dy, Gpu.Once(dtype), "gate's gradient");
        Gpu.Near(u.grad!, dUp, Gpu.Once(dtype), "up's gradient");
        Gpu.Near(wanted, again, Gpu.Once(dtype), "result again");
    }

    [Theory]
    [InlineData(37, 64, 16, false)]
    [InlineData(200, 352, 32, true)]
    public void Gated_activation_with_adapters(int rows, int width, int rank, bool gelu)
    {
        using IDisposable off = no_grad();
        Tensor New(params long[] shape) => Gpu.New(ScalarType.BFloat16, shape);
        Tensor gate = New(rows, width), up = New(rows, width), d = New(rows, width);
        Tensor lowGate = New(rows, rank), lowUp = New(rows, rank), back = New(rows, rank);
        LinearPart Part(Tensor a, Tensor b, double scale) => new(b, null, a, b, scale);
        LayerParts p = new()
        {
            AttentionNorm = null!, MlpNorm = null!, Q = null!, K = null!, V = null!, Output = null!, HeadDim = 8, Scale = 1, Gelu = gelu,
            Gate = Part(New(rank, 8), New(width, rank), 0.5), Up = Part(New(rank, 8), New(width, rank), 0.25), Down = Part(New(rank, width), New(8, rank), 2),
        };
        Assert.True(GpuSwiGluLow.Fits(p.Gate, p.Up, p.Down));
        Tensor Sum(Tensor y, Tensor low, Tensor b, double scale) => Gpu.Exact(y).detach() + (scale * mm(Gpu.Exact(low), Gpu.Exact(b).t()));
        Tensor g = Sum(gate, lowGate, p.Gate.B!, 0.5), u = Sum(up, lowUp, p.Up.B!, 0.25), dy = Sum(d, back, p.Down.A!.t(), 2);
        Tensor t = (Math.Sqrt(2 / Math.PI) * (g + (0.044715 * g.pow(3)))).tanh();
        Tensor act = gelu ? 0.5 * g * (1 + t) : g * g.sigmoid();
        Tensor slope = gelu
            ? (0.5 * (1 + t)) + (0.5 * g * (1 - t.square()) * Math.Sqrt(2 / Math.PI) * (1 + (3 * 0.044715 * g.square())))
            : g.sigmoid() * (1 + (g * (1 - g.sigmoid())));
        Gpu.Near(act * u, GpuSwiGluLow.Forward(gate, up, lowGate, lowUp, p, null), Gpu.Bf16, "result");
        GpuSwiGluLow.Backward(gate, up, d, lowGate, lowUp, back, p);
        Gpu.Near(dy * u * slope, gate, Gpu.Bf16, "gate's gradient");
        Gpu.Near(dy * act, up, Gpu.Bf16, "up's gradient");
        Gpu.Near(act * u, d, Gpu.Bf16, "result again");
    }

    [Theory]
    [InlineData(ScalarType.BFloat16, 128, 32, 8)]
    [InlineData(ScalarType.Float32, 64, 5, 1)]
    [InlineData(ScalarType.BFloat16, 8, 3, 3)]
    [InlineData(ScalarType.BFloat16, 256, 9, 2)]
    public void Rope_turns_and_turns_back(ScalarType dtype, int width, int heads, int kvHeads)
    {
        using IDisposable off = no_grad();
        Tensor q = Gpu.New(dtype, 2, 37, heads, width), k = Gpu.New(dtype, 2, 37, kvHeads, width);
        Tensor turns = randn([74, 1, width / 2], ScalarType.Float32, Gpu.Device) * 3;
        Tensor angles = stack([turns.cos(), turns.sin()], -1);
        (Tensor tq, Tensor tk) = GpuRope.Turn(q, k, angles);
        Gpu.Near(Turned(Gpu.Exact(q), turns), tq, Gpu.Once(dtype), "queries");
        Gpu.Near(Turned(Gpu.Exact(k), turns), tk, Gpu.Once(dtype), "keys");
        GpuRope.Turn(tq, tk, angles, back: true, inPlace: true);
        Gpu.Near(Gpu.Exact(q), tq, Gpu.Twice(dtype), "queries back");
        Gpu.Near(Gpu.Exact(k), tk, Gpu.Twice(dtype), "keys back");
    }

    public static TheoryData<ScalarType, int, int, double, double, double> Losses()
    {
        TheoryData<ScalarType, int, int, double, double, double> data = [];
        foreach (ScalarType dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 })
        {
            data.Add(dtype, 33, 1000, 0, 0, 0);
            data.Add(dtype, 5, 8191, 0, 0.1, 0);
            data.Add(dtype, 9, 4001, 2, 0, 1e-3);
            data.Add(dtype, 700, 32000, 0, 0.2, 1e-3);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void Linear_cross_entropy(ScalarType dtype, int rows, int vocab, double cap, double smoothing, double zLoss)
    {
        Tensor x = Gpu.New(dtype, rows, 64), w = Gpu.New(dtype, 0.2, vocab, 64), xe = Gpu.Exact(x), we = Gpu.Exact(w);
        Tensor y = randint(0, vocab, [rows], ScalarType.Int64, Gpu.Device);
        Tensor z = nn.functional.linear(xe, we);
        z = cap == 0 ? z : (z / cap).tanh() * cap;
        Tensor lse = z.logsumexp(1);
        Tensor at = z.gather(1, y.unsqueeze(1)).squeeze(1);
        Tensor wanted = (lse - at + (smoothing * (at - z.mean([1L]))) + (zLoss * lse.square())).sum();
        Tensor ours = LinearCrossEntropy.Sum(x, w, y, 8, new SoftmaxLossOptions(cap, smoothing, zLoss));
        (wanted * 2).backward();
        (ours * 2).backward();
        ActivationCheckpoint.ThrowIfFailed();
        Gpu.Near(wanted, ours, Gpu.Once(dtype), "loss");
        Gpu.Near(xe.grad!, x.grad!, Gpu.Twice(dtype), "dx");
        Gpu.Near(we.grad!, w.grad!, Gpu.Twice(dtype), "dw");
    }

    [Fact]
    public void Every_source_compiles_for_this_device()
    {
        Assert.NotEmpty(GpuKernel.Sources());
        using IDisposable off = no_grad();
        Tensor x = Gpu.New(ScalarType.BFloat16, 4, 64);
        Assert.Equal(x.shape, GpuSwiGlu.Forward(x, x).shape);
    }

    public void Dispose() => _scope.Dispose();

    private static Tensor Norm(Tensor[] x) => Norm(x, 1e-5);

    private static Tensor Norm(Tensor[] x, double eps) => x[0] / (x[0].square().mean([-1L], keepdim: true) + eps).sqrt() * x[1];

    private static Tensor Turned(Tensor x, Tensor turns)
    {
        Tensor cos = turns.to(ScalarType.Float64).cos().reshape(2, 37, 1, -1), sin = turns.to(ScalarType.Float64).sin().reshape(2, 37, 1, -1);
        Tensor pairs = x.reshape([.. x.shape[..^1], x.shape[^1] / 2, 2]);
        (Tensor a, Tensor b) = (pairs.select(-1, 0), pairs.select(-1, 1));
        return stack([(a * cos) - (b * sin), (b * cos) + (a * sin)], -1).reshape(x.shape);
    }
}
