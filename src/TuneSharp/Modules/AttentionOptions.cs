namespace TuneSharp.Modules;

/// <summary>How the attention of a family departs from softmax(q·kᵀ/√H)·v.</summary>
public sealed record AttentionOptions
{
    /// <summary>Factor on the scores; null for 1/√H.</summary>
    public double? Scale { get; init; }

    /// <summary>Scores are capped: cap · tanh(score / cap); null for no cap.</summary>
    public double? SoftCap { get; init; }

    /// <summary>A learned score for each head that takes its share of the softmax and gives nothing. Key <c>sinks</c> [N].</summary>
    public bool Sinks { get; init; }

    /// <summary>Queries and keys are normed after the rotation, without weights, with this ε (Llama 4); null for not.</summary>
    public double? NormAfterRope { get; init; }

    /// <summary>Dropout rate on attention weights while training.</summary>
    public double Dropout { get; init; }

    /// <summary>Whether a kernel that computes the plain softmax can stand in.</summary>
    internal bool IsPlainSoftmax => SoftCap is null && !Sinks;
}
