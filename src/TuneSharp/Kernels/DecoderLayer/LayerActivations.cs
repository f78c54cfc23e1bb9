using TuneSharp.Backend;

namespace TuneSharp.Kernels;

/// <summary>What a layer computed on the way forward and needs on the way back.</summary>
/// <remarks>Owned by whoever made it; not part of any scope. Letters: M = B·T tokens, D width, F inner width, R rank.</remarks>
internal sealed class LayerActivations : IDisposable
{
    private readonly List<Tensor> _all = [];

    /// <summary>The normed input, [M, D].</summary>
    public Tensor Normed { get; private set; } = null!;

    /// <summary>x·Aᵀ of the three projections; null without an adapter.</summary>
    public Tensor? LowQ { get; private set; }

    /// <summary>See <see cref="LowQ"/>.</summary>
    public Tensor? LowK { get; private set; }

    /// <summary>See <see cref="LowQ"/>.</summary>
    public Tensor? LowV { get; private set; }

    /// <summary>The queries before their norm, [B, T, N, H]; null without one.</summary>
    public Tensor? RawQ { get; private set; }

    /// <summary>The keys before their norm; null without one.</summary>
    public Tensor? RawK { get; private set; }

    /// <summary>Turned queries, [B, T, N, H].</summary>
    public Tensor Q { get; private set; } = null!;

    /// <summary>Turned keys, [B, T, K, H].</summary>
    public Tensor K { get; private set; } = null!;

    /// <summary>Values, [B, T, K, H].</summary>
    public Tensor V { get; private set; } = null!;

    /// <summary>The attention's result and what its backward pass needs.</summary>
    public AttentionResult Attention { get; private set; }

    /// <summary>Attended, [M, N·H].</summary>
    public Tensor Attended { get; private set; } = null!;

    /// <summary>Attended·Aᵀ of the output projection.</summary>
    public Tensor? LowOutput { get; private set; }

    /// <summary>Input plus attention, [M, D].</summary>
    public Tensor Middle { get; private set; } = null!;

    /// <summary>The normed middle, [M, D].</summary>
    public Tensor MiddleNormed { get; private set; } = null!;

    /// <summary>x·Aᵀ of gate and up.</summary>
    public Tensor? LowGate { get; private set; }

    /// <summary>See <see cref="LowGate"/>.</summary>
    public Tensor? LowUp { get; private set; }

    /// <summary>Gate and up are the base's products alone: the kernel that reads them adds the adapters'.</summary>
    public bool Folded { get; private init; }

    /// <summary>[M, F].</summary>
    public Tensor Gate { get; private set; } = null!;

    /// <summary>[M, F].</summary>
    public Tensor Up { get; private set; } = null!;

    /// <summary>Runs a layer up to its gate and up products: what the backward pass must know. The product down is not among it.</summary>
    /// <param name="x_BTD">The layer's input.</param>
    /// <param name="p">Its parts.</param>
    /// <param name="angles">Rotary angles, or null.</param>
    /// <param name="plan">What queries see.</param>
    public static LayerActivations Of(Tensor x_BTD, LayerParts p, Tensor? angles, AttentionPlan plan)
    {
        LayerActivations a = new() { Folded = GpuSwiGluLow.Fits(p.Gate, p.Up, p.Down) };
        using DisposeScope scope = NewDisposeScope();
        (long b, long t, long d) = (x_BTD.shape[0], x_BTD.shape[1], x_BTD.shape[2]);
        Tensor x = x_BTD.view(b * t, d);
        Tensor normed = a.Normed = a.Keep(GpuRmsNorm.Forward(x, p.AttentionNorm.Weight, p.AttentionNorm.Eps, p.AttentionNorm.Offset));
        (a.LowQ, a.LowK, a.LowV) = (a.KeepAny(Products.Low(normed, p.Q)), a.KeepAny(Products.Low(normed, p.K)), a.KeepAny(Products.Low(normed, p.V)));
        Tensor q = Products.Forward(normed, p.Q, a.LowQ).view(b, t, -1, p.HeadDim);
        Tensor k = Products.Forward(normed, p.K, a.LowK).view(b, t, -1, p.HeadDim);
        a.V = a.Keep(Products.Forward(normed, p.V, a.LowV).view(b, t, -1, p.HeadDim));
        if (p.QNorm is { } qNorm)
        {
            a.RawQ = a.Keep(q);
            q = GpuRmsNorm.Forward(q, qNorm.Weight, qNorm.Eps, qNorm.Offset);
        }

        if (p.KNorm is { } kNorm)
        {
            a.RawK = a.Keep(k);
            k = GpuRmsNorm.Forward(k, kNorm.Weight, kNorm.Eps, kNorm.Offset);
        }

        if (angles is not null)
        {
            GpuRope.Turn(q, k, angles, inPlace: true);
        }

        (a.Q, a.K) = (a.Keep(q), a.Keep(k));
        AttentionResult r = GpuAttention.Forward(a.Q, a.K, a.V, plan, p.Scale);
        a.Attention = new AttentionResult(a.Keep(r.Out), a.Keep(r.LogSumExp), a.Keep(r.SeedA), a.Keep(r.SeedB));
        Tensor attended = a.Attended = a.Keep(r.Out.view(b * t, -1));
        a.LowOutput = a.KeepAny(Products.Low(attended, p.Output));
        Tensor o = Products.Forward(attended, p.Output, a.LowOutput);
        a.MiddleNormed = a.Keep(GpuRmsNorm.AddForward(x, o, p.MlpNorm.Weight, p.MlpNorm.Eps, sum: o, p.MlpNorm.Offset));
        a.Middle = a.Keep(o);
        (a.LowGate, a.LowUp) = (a.KeepAny(Products.Low(a.MiddleNormed, p.Gate)), a.KeepAny(Products.Low(a.MiddleNormed, p.Up)));
        a.Gate = a.Keep(Products.Forward(a.MiddleNormed, p.Gate, a.Folded ? null : a.LowGate));
        a.Up = a.Keep(Products.Forward(a.MiddleNormed, p.Up, a.Folded ? null : a.LowUp));
        return a;
    }

    /// <summary>The layer's result, [B, T, D].</summary>
    /// <param name="p">Its parts.</param>
    /// <param name="shape">Of the result.</param>
    /// <param name="last">Nothing here is needed any more: memory is used again and freed.</param>
    public Tensor Result(LayerParts p, long[] shape, bool last)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor? place = last ? Gate : null;
        Tensor inner = Folded ? GpuSwiGluLow.Forward(Gate, Up, LowGate!, LowUp!, p, place) : GpuSwiGlu.Forward(Gate, Up, p.Gelu, place);
        Tensor? low = Products.Low(inner, p.Down);
        if (last && p.Down.Bias is null)
        {
            Products.AddTo(Middle, inner, p.Down, low);
            return Middle.view(shape).MoveToOuterDisposeScope();
        }

        Tensor y = Products.Forward(inner, p.Down, low);
        y.add_(Middle);
        return y.view(shape).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => _all.ForEach(t => t.Dispose());

    private Tensor? KeepAny(Tensor? t) => t is null ? null : Keep(t);

    private Tensor Keep(Tensor t)
    {
        Tensor mine = t.detach().DetachFromDisposeScope();
        _all.Add(mine);
        return mine;
    }
}
