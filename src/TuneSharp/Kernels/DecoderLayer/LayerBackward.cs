namespace TuneSharp.Kernels;

/// <summary>The way back through a layer, step by step in the opposite order; gradients of parameters land in their <c>.grad</c>.</summary>
internal static class LayerBackward
{
    /// <summary>Adds the parameters' gradients and gives the input's.</summary>
    /// <param name="dy_BTD">The result's gradient, dense.</param>
    /// <param name="x_BTD">The layer's input.</param>
    /// <param name="a">What the layer computed. Its gate and up are overwritten.</param>
    /// <param name="p">Its parts.</param>
    /// <param name="angles">Rotary angles, or null.</param>
    /// <param name="plan">What queries see.</param>
    /// <param name="wantsInput">Whether the input's gradient is wanted.</param>
    public static Tensor? Run(
        Tensor dy_BTD, Tensor x_BTD, LayerActivations a, LayerParts p, Tensor? angles, AttentionPlan plan, bool wantsInput)
    {
        using DisposeScope scope = NewDisposeScope();
        long d = x_BTD.shape[2];
        Tensor dy = dy_BTD.view(-1, d), x = x_BTD.view(-1, d);
        Tensor dMiddle = GatedBlock(dy, a, p);
        (Tensor dq, Tensor dk, Tensor dv) = Attention(dMiddle, a, p, angles, plan);
        Tensor? backQ = Products.Back(dq, p.Q), backK = Products.Back(dk, p.K), backV = Products.Back(dv, p.V);
        Products.ParameterGradients(dq, a.Normed, p.Q, a.LowQ, backQ);
        Products.ParameterGradients(dk, a.Normed, p.K, a.LowK, backK);
        Products.ParameterGradients(dv, a.Normed, p.V, a.LowV, backV);
        if (!wantsInput && !p.AttentionNorm.Weight.requires_grad)
        {
            return null;
        }

        Tensor dNormed = Products.InputGradient(dq, p.Q, backQ);
        Products.InputGradient(dk, p.K, backK, dNormed);
        Products.InputGradient(dv, p.V, backV, dNormed);
        return Norm(x, p.AttentionNorm, dNormed, dMiddle).view(x_BTD.shape).MoveToOuterDisposeScope();
    }

    /// <summary>Back through the gated block and its norm: the gradient of the middle, [M, D].</summary>
    private static Tensor GatedBlock(Tensor dy, LayerActivations a, LayerParts p)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor? backDown = Products.Back(dy, p.Down);
        Tensor dInner = Products.InputGradient(dy, p.Down, a.Folded ? null : backDown);
        (Tensor dGate, Tensor dUp) = (a.Gate, a.Up);
        if (a.Folded)
        {
            GpuSwiGluLow.Backward(a.Gate, a.Up, dInner, a.LowGate!, a.LowUp!, backDown!, p);
        }
        else
        {
            GpuSwiGlu.Backward(a.Gate, a.Up, dInner, dGate, dUp, p.Gelu, again: dInner);
        }

        Tensor inner = dInner; // the kernel left the forward result there
        Tensor? lowDown = Products.Low(inner, p.Down);
        Products.ParameterGradients(dy, inner, p.Down, lowDown, backDown);
        Tensor? backGate = Products.Back(dGate, p.Gate), backUp = Products.Back(dUp, p.Up);
        Products.ParameterGradients(dGate, a.MiddleNormed, p.Gate, a.LowGate, backGate);
        Products.ParameterGradients(dUp, a.MiddleNormed, p.Up, a.LowUp, backUp);
        Tensor dNormed = Products.InputGradient(dGate, p.Gate, backGate);
        Products.InputGradient(dUp, p.Up, backUp, dNormed);
        return Norm(a.Middle, p.MlpNorm, dNormed, dy).MoveToOuterDisposeScope();
    }

    /// <summary>Back through output projection, attention, rotation and the heads' norms: gradients of the projections, [M, out].</summary>
    private static (Tensor Q, Tensor K, Tensor V) Attention(Tensor dMiddle, LayerActivations a, LayerParts p, Tensor? angles, AttentionPlan plan)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor? back = Products.Back(dMiddle, p.Output);
        Tensor dAttended = Products.InputGradient(dMiddle, p.Output, back);
        Products.ParameterGradients(dMiddle, a.Attended, p.Output, a.LowOutput, back);
        (Tensor dq, Tensor dk, Tensor dv) = GpuAttention.Backward(dAttended.view(a.Q.shape), a.Q, a.K, a.V, a.Attention, plan, p.Scale);
        if (angles is not null)
        {
            GpuRope.Turn(dq, dk, angles, back: true, inPlace: true);
        }

        if (p.QNorm is { } qNorm)
        {
            dq = Norm(a.RawQ!, qNorm, dq, null);
        }

        if (p.KNorm is { } kNorm)
        {
            dk = Norm(a.RawK!, kNorm, dk, null);
        }

        static Tensor Rows(Tensor t) => t.reshape(t.shape[0] * t.shape[1], -1).MoveToOuterDisposeScope();
        return (Rows(dq), Rows(dk), Rows(dv));
    }

    /// <summary>Back through a norm; over the incoming gradient.</summary>
    private static Tensor Norm(Tensor x, NormPart norm, Tensor dy, Tensor? others)
    {
        (Tensor dx, Tensor? dw) = GpuRmsNorm.Backward(
            x, norm.Weight, dy, norm.Eps, norm.Weight.requires_grad, norm.Offset, others, into: dy);
        if (dw is not null)
        {
            Products.Add(norm.Weight, dw);
        }

        return dx;
    }
}
