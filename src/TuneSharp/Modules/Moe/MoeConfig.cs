namespace TuneSharp.Modules.Moe;

/// <summary>How a router turns its scores into the experts of a token and their shares.</summary>
public enum Routing
{
    /// <summary>Softmax over all experts, then the largest (Mixtral, Qwen 3).</summary>
    SoftmaxThenTop,

    /// <summary>The largest scores, then a softmax over these alone (gpt-oss).</summary>
    TopThenSoftmax,

    /// <summary>The largest scores; their sigmoids multiply the experts' input, not their output (Llama 4).</summary>
    SigmoidOnInput,
}

/// <summary>The numbers of a mixture of experts.</summary>
public sealed record MoeConfig
{
    /// <summary>Experts of a layer, E.</summary>
    public required int NumExperts { get; init; }

    /// <summary>Experts that each token goes to, K.</summary>
    public required int TopK { get; init; }

    /// <summary>Width inside an expert, F.</summary>
    public required long HiddenDim { get; init; }

    /// <summary>From scores to shares.</summary>
    public Routing Routing { get; init; }

    /// <summary>The shares of a token's experts are divided by their sum; for <see cref="Routing.SoftmaxThenTop"/>.</summary>
    public bool NormTopK { get; init; }

    /// <summary>A bias on the router's scores.</summary>
    public bool RouterBias { get; init; }

    /// <summary>Width inside an expert that all tokens go to; 0 for none.</summary>
    public long SharedHiddenDim { get; init; }

    /// <summary>Layers with one dense block instead of experts, by number.</summary>
    public IReadOnlyList<int> DenseLayers { get; init; } = [];

    /// <summary>Weight of the auxiliary loss that keeps experts evenly used; 0 for none.</summary>
    public double AuxLossCoef { get; init; }

    /// <summary>Says what cannot be.</summary>
    /// <exception cref="ArgumentException">The first mistake, with its values.</exception>
    public MoeConfig Checked() =>
        NumExperts < 1 ? throw new ArgumentException($"num_experts is {NumExperts}; it must be at least 1.")
        : TopK < 1 || TopK > NumExperts
            ? throw new ArgumentException($"num_experts_per_tok is {TopK}; it must lie between 1 and the number of experts, {NumExperts}.")
        : HiddenDim < 1 ? throw new ArgumentException($"The width inside an expert is {HiddenDim}; it must be positive.")
        : this;
}
