using TuneSharp.Backend;
using TuneSharp.Kernels;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Training.Optimizers;

namespace TuneSharp.Recipes;

/// <summary>Forward pass, loss and backward pass of one shape of batch as a CUDA graph: a small model then runs at the GPU's speed, not the launches'.</summary>
/// <remarks>
/// Batches are copied into fixed tensors. The recorded backward pass writes each gradient to the same place every time, over what was there: after a
/// replay the gradients are those of this batch alone, and <c>.grad</c> of each parameter is that place again.
/// </remarks>
internal sealed class StepGraph : IDisposable
{
    private const long MostWork = 1L << 23; // tokens times width: above it kernels last longer than launching them

    private readonly GpuGraph _graph = new();
    private readonly Tensor _tokens;
    private readonly Tensor _labels;
    private readonly List<(Tensor Parameter, Tensor Gradient)> _gradients = [];
    private Tensor? _sum;

    private StepGraph(Tensor tokens, Tensor labels) =>
        (_tokens, _labels) = (tokens.clone().DetachFromDisposeScope(), labels.clone().DetachFromDisposeScope());

    /// <summary>Whether a step over these tokens can be recorded, and is worth it.</summary>
    public static bool Fits(TransformerDecoder model, ILoss loss, Tensor tokens) =>
        GpuGraph.Available && tokens.device_type == DeviceType.CUDA && model.IsGraphable && loss is LinearCrossEntropyLoss && model.HasPlainHead
        && model.OutputWeight is not QuantizedParameter && tokens.numel() * model.Shape.EmbedDim <= MostWork;

    /// <summary>Records a step; the gradients that there are must be none.</summary>
    /// <param name="model">What trains.</param>
    /// <param name="loss">From <see cref="Fits"/>.</param>
    /// <param name="trained">Whose gradients.</param>
    /// <param name="tokens">[B, T].</param>
    /// <param name="labels">[B, T].</param>
    public static StepGraph Record(TransformerDecoder model, ILoss loss, IReadOnlyList<NamedParameter> trained, Tensor tokens, Tensor labels)
    {
        StepGraph made = new(tokens, labels);
        LinearCrossEntropyLoss head = (LinearCrossEntropyLoss)loss;
        bool before = head.FixedShape;
        head.FixedShape = true;
        try
        {
            void Forget()
            {
                foreach (NamedParameter p in trained)
                {
                    p.Value.grad = null;
                }
            }

            void Once()
            {
                using DisposeScope scope = NewDisposeScope();
                made.Run(model, head);
                ActivationCheckpoint.ThrowIfFailed();
                Forget();
            }

            made._graph.Record(Once, () =>
            {
                using DisposeScope scope = NewDisposeScope();
                made._sum = made.Run(model, head).detach().DetachFromDisposeScope();
            });
            ActivationCheckpoint.ThrowIfFailed();
            foreach (NamedParameter p in trained)
            {
                if (p.Value.grad is { } gradient)
                {
                    made._gradients.Add((p.Value, gradient.DetachFromDisposeScope()));
                }
            }

            Forget();
            return made;
        }
        finally
        {
            head.FixedShape = before;
        }
    }

    /// <summary>Runs the step on a batch of the same shape and leaves its gradients.</summary>
    /// <returns>The summed loss; overwritten by the next replay.</returns>
    public Tensor Replay(Tensor tokens, Tensor labels)
    {
        _tokens.copy_(tokens);
        _labels.copy_(labels);
        _graph.Replay();
        foreach ((Tensor parameter, Tensor gradient) in _gradients)
        {
            parameter.grad = gradient;
        }

        return _sum!;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _graph.Dispose();
        _tokens.Dispose();
        _labels.Dispose();
        _sum?.Dispose();
        _gradients.ForEach(g => g.Gradient.Dispose());
    }

    private Tensor Run(TransformerDecoder model, LinearCrossEntropyLoss loss)
    {
        Tensor sum = loss.Sum(model, model.Hidden(_tokens), _labels);
        sum.backward();
        return sum;
    }
}
