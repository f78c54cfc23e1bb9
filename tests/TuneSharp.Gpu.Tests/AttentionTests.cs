using TorchSharp;
using TuneSharp.Backend;
using static TorchSharp.torch;

namespace TuneSharp.Gpu.Tests;

/// <summary>libtorch's attention operators, called without autograd, against softmax in fp64.</summary>
public sealed class AttentionTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    [Theory]
    [InlineData(4, 4, 64, null)]
    [InlineData(8, 2, 128, null)]
    [InlineData(8, 2, 128, 16L)]
    public void Varlen_flash(int heads, int kvHeads, int width, long? window)
    {
        long[] lengths = [37, 1, 90, 128];
        long total = lengths.Sum();
        (Tensor q, Tensor k, Tensor v) = Inputs(total, heads, kvHeads, width);
        (Tensor qe, Tensor ke, Tensor ve) = (Gpu.Exact(q), Gpu.Exact(k), Gpu.Exact(v));
        Tensor wanted = cat([.. lengths.Select((n, i) => (Start: lengths[..i].Sum(), n)).Select(s =>
            Softmax(qe.narrow(0, s.Start, s.n), ke.narrow(0, s.Start, s.n), ve.narrow(0, s.Start, s.n), window))]);
        Tensor gradient = randn(wanted.shape, ScalarType.Float32, Gpu.Device).to(q.dtype);
        wanted.backward([gradient.to(ScalarType.Float64)]);
        using IDisposable off = no_grad();
        int[] starts = [0, .. lengths.Select((_, i) => (int)lengths[..(i + 1)].Sum())];
        Tensor bounds = tensor(starts, ScalarType.Int32).to(Gpu.Device);
        double scale = 1 / Math.Sqrt(width);
        AttentionResult ours = Aten.FlashVarlen(q, k, v, bounds, lengths.Max(), scale, window);
        Gpu.Near(wanted, ours.Out, Gpu.Bf16Twice, "result");
        (Tensor dq, Tensor dk, Tensor dv) = Aten.FlashVarlenBackward(gradient, q, k, v, ours, bounds, lengths.Max(), scale, window);
        Check(qe, ke, ve, dq, dk, dv);
    }

    [Theory]
    [InlineData(4, 4, 64)]
    [InlineData(8, 2, 128)]
    public void Cudnn(int heads, int kvHeads, int width)
    {
        const int Rows = 2, Length = 128;
        (Tensor q, Tensor k, Tensor v) = Inputs(Rows * Length, heads, kvHeads, width);
        (Tensor qe, Tensor ke, Tensor ve) = (Gpu.Exact(q), Gpu.Exact(k), Gpu.Exact(v));
        Tensor wanted = cat([.. Enumerable.Range(0, Rows).Select(i =>
            Softmax(qe.narrow(0, i * Length, Length), ke.narrow(0, i * Length, Length), ve.narrow(0, i * Length, Length), null))]);
        Tensor gradient = randn(wanted.shape, ScalarType.Float32, Gpu.Device).to(q.dtype);
        wanted.backward([gradient.to(ScalarType.Float64)]);
        using IDisposable off = no_grad();
        Tensor Heads(Tensor t) => t.reshape(Rows, Length, t.shape[1], width).transpose(1, 2);
        Tensor Flat(Tensor t) => t.transpose(1, 2).reshape(Rows * Length, t.shape[1], width);
        double scale = 1 / Math.Sqrt(width);
        AttentionResult ours = Aten.CudnnAttention(Heads(q), Heads(k), Heads(v), scale);
        Gpu.Near(wanted, Flat(ours.Out), Gpu.Bf16Twice, "result");
        (Tensor dq, Tensor dk, Tensor dv) = Aten.CudnnAttentionBackward(Heads(gradient), Heads(q), Heads(k), Heads(v), ours, scale);
        Check(qe, ke, ve, Flat(dq), Flat(dk), Flat(dv));
    }

    public void Dispose() => _scope.Dispose();

    private static (Tensor Q, Tensor K, Tensor V) Inputs(long total, int heads, int kvHeads, int width) =>
        (Gpu.New(ScalarType.BFloat16, total, heads, width), Gpu.New(ScalarType.BFloat16, total, kvHeads, width),
            Gpu.New(ScalarType.BFloat16, total, kvHeads, width));

    private static void Check(Tensor qe, Tensor ke, Tensor ve, Tensor dq, Tensor dk, Tensor dv)
    {
        Gpu.Near(qe.grad!, dq, Gpu.Bf16Twice, "dq");
        Gpu.Near(ke.grad!, dk, Gpu.Bf16Twice, "dk");
        Gpu.Near(ve.grad!, dv, Gpu.Bf16Twice, "dv");
    }

    /// <summary>Causal attention of one sample, [T, N, H], written out.</summary>
    private static Tensor Softmax(Tensor q, Tensor k, Tensor v, long? window)
    {
        long t = q.shape[0], groups = q.shape[1] / k.shape[1];
        Tensor keys = k.repeat_interleave(groups, 1), values = v.repeat_interleave(groups, 1);
        Tensor scores = bmm(q.transpose(0, 1), keys.transpose(0, 1).transpose(1, 2)) / Math.Sqrt(q.shape[2]);
        Tensor at = arange(t, ScalarType.Int64, Gpu.Device);
        Tensor ahead = at.unsqueeze(0) - at.unsqueeze(1); // key − query
        Tensor hidden = window is { } w ? ahead.gt(0).logical_or(ahead.lt(-w)) : ahead.gt(0);
        return bmm(scores.masked_fill(hidden, double.NegativeInfinity).softmax(-1), values.transpose(0, 1)).transpose(0, 1);
    }
}
