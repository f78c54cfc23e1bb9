namespace TuneSharp.Modules.Losses;

/// <summary>A loss over hidden states and the head, so that it may apply the head in pieces and never hold all logits.</summary>
public interface ILoss
{
    /// <summary>The label that does not count.</summary>
    int IgnoreIndex { get; }

    /// <summary>
    /// The loss summed over the labels that count. The recipe divides once by the tokens of the whole step, so neither the
    /// length of a micro-batch nor accumulation changes the result.
    /// </summary>
    /// <param name="model">Whose head is applied.</param>
    /// <param name="hidden">[B, T, D], from <see cref="TransformerDecoder.Hidden"/>.</param>
    /// <param name="labels">[B, T], int64, shifted already.</param>
    /// <returns>A fp32 scalar.</returns>
    Tensor Sum(TransformerDecoder model, Tensor hidden, Tensor labels);
}
