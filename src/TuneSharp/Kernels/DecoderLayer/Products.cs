namespace TuneSharp.Kernels;

/// <summary>The products of a linear with an adapter, forward and back, over rows of tokens, without autograd.</summary>
/// <remarks>
/// y = x·Wᵀ + s·(x·Aᵀ)·Bᵀ. Given dy: e = dy·B, dx = dy·W + s·e·A, dA = s·eᵀ·x, dB = s·dyᵀ·(x·Aᵀ), dW = dyᵀ·x. The small products come first: no
/// [out, in] update is ever formed. Gradients of parameters are added to <c>.grad</c> where they lie, by the product that makes them.
/// Letters: M tokens, I in, O out, R rank.
/// </remarks>
internal static class Products
{
    /// <summary>x·Wᵀ + b + s·low·Bᵀ.</summary>
    /// <param name="x_MI">Input.</param>
    /// <param name="p">The linear.</param>
    /// <param name="low_MR">x·Aᵀ, or null without an adapter.</param>
    public static Tensor Forward(Tensor x_MI, LinearPart p, Tensor? low_MR)
    {
        using DisposeScope scope = NewDisposeScope();
        using Tensor w = p.Dense().alias();
        Tensor y_MO = p.Bias is null ? mm(x_MI, w.t()) : nn.functional.linear(x_MI, w, p.Bias);
        if (low_MR is not null)
        {
            y_MO.addmm_(low_MR, p.B!.t(), 1, (float)p.Scale);
        }

        return y_MO.MoveToOuterDisposeScope();
    }

    /// <summary>Adds x·Wᵀ + s·low·Bᵀ to a tensor; for a linear without a bias.</summary>
    public static void AddTo(Tensor y_MO, Tensor x_MI, LinearPart p, Tensor? low_MR)
    {
        using DisposeScope scope = NewDisposeScope();
        using Tensor w = p.Dense().alias();
        y_MO.addmm_(x_MI, w.t(), 1, 1);
        if (low_MR is not null)
        {
            y_MO.addmm_(low_MR, p.B!.t(), 1, (float)p.Scale);
        }
    }

    /// <summary>x·Aᵀ, or null without an adapter.</summary>
    public static Tensor? Low(Tensor x_MI, LinearPart p) => p.A is null ? null : mm(x_MI, p.A.t());

    /// <summary>dy·B, or null without an adapter.</summary>
    public static Tensor? Back(Tensor dy_MO, LinearPart p) => p.B is null ? null : mm(dy_MO, p.B);

    /// <summary>dy·W + s·(dy·B)·A, added to <paramref name="dx_MI"/> if there is one.</summary>
    public static Tensor InputGradient(Tensor dy_MO, LinearPart p, Tensor? back_MR, Tensor? dx_MI = null)
    {
        using DisposeScope scope = NewDisposeScope();
        using Tensor w = p.Dense().alias();
        Tensor dx = dx_MI is null ? mm(dy_MO, w) : dx_MI.addmm_(dy_MO, w, 1, 1);
        if (back_MR is not null)
        {
            dx.addmm_(back_MR, p.A!, 1, (float)p.Scale);
        }

        return dx_MI ?? dx.MoveToOuterDisposeScope();
    }

    /// <summary>Adds the gradients of the linear's parameters.</summary>
    /// <param name="dy_MO">The result's gradient.</param>
    /// <param name="x_MI">The input.</param>
    /// <param name="p">The linear.</param>
    /// <param name="low_MR">x·Aᵀ.</param>
    /// <param name="back_MR">dy·B.</param>
    public static void ParameterGradients(Tensor dy_MO, Tensor x_MI, LinearPart p, Tensor? low_MR, Tensor? back_MR)
    {
        using DisposeScope scope = NewDisposeScope();
        if (p.A is not null)
        {
            AddProduct(p.A, back_MR!.t(), x_MI, p.Scale);
            AddProduct(p.B!, dy_MO.t(), low_MR!, p.Scale);
        }

        if (p.Trains)
        {
            AddProduct(p.Weight, dy_MO.t(), x_MI, 1);
        }

        if (p.Bias is { requires_grad: true })
        {
            Add(p.Bias, dy_MO.sum(dim: 0, type: ScalarType.Float32).to(p.Bias.dtype));
        }
    }

    /// <summary>Adds a gradient to a parameter's.</summary>
    public static void Add(Tensor parameter, Tensor gradient)
    {
        using Tensor? had = parameter.grad;
        if (had is null)
        {
            parameter.grad = gradient;
        }
        else
        {
            had.add_(gradient);
        }
    }

    private static void AddProduct(Tensor parameter, Tensor a, Tensor b, double scale)
    {
        using Tensor? had = parameter.grad;
        if (had is not null)
        {
            had.addmm_(a, b, 1, (float)scale);
            return;
        }

        Tensor made = empty_like(parameter);
        made.addmm_(a, b, 0, (float)scale); // factor 0: what the block held does not matter
        parameter.grad = made;
    }
}
