namespace TuneSharp.Training.Optimizers;

/// <summary>A trainable weight and the name under which checkpoints keep its optimizer state.</summary>
/// <param name="Name">State-dict key, as in <c>layers.0.attn.q_proj.lora_a.weight</c>.</param>
/// <param name="Value">The weight.</param>
public readonly record struct NamedParameter(string Name, Parameter Value)
{
    /// <summary>Factor on the learning rate for this weight. Default: 1.</summary>
    public double LrScale { get; init; } = 1;
}
