using TuneSharp.Modules.Peft;

namespace TuneSharp.Modules;

/// <summary>Makes each linear of a model plain, LoRA or DoRA: decided once, by where it sits.</summary>
/// <param name="lora">The adapters, or null for a plain model.</param>
public sealed class LinearFactory(LoraConfig? lora)
{
    private readonly LoraConfig? _lora = lora?.Checked();

    /// <summary>An attention projection.</summary>
    /// <param name="module">Which.</param>
    /// <param name="inDim">Width of the input.</param>
    /// <param name="outDim">Width of the output.</param>
    /// <param name="bias">Whether it has a bias.</param>
    public Linear Attention(LoraModule module, long inDim, long outDim, bool bias = false) =>
        Make(_lora?.Targets(module) == true, inDim, outDim, bias);

    /// <summary>A linear of a feed-forward block.</summary>
    /// <param name="module">Which.</param>
    /// <param name="inDim">Width of the input.</param>
    /// <param name="outDim">Width of the output.</param>
    /// <param name="bias">Whether it has a bias.</param>
    public Linear Mlp(LoraMlpModule module, long inDim, long outDim, bool bias = false) =>
        Make(_lora?.Targets(module) == true, inDim, outDim, bias);

    /// <summary>The head; null when it is tied to the embedding table.</summary>
    /// <param name="embedDim">Width of the hidden states.</param>
    /// <param name="vocabSize">Width of the logits.</param>
    /// <param name="tied">The head reads the embedding table.</param>
    /// <exception cref="ArgumentException">Adapters on a tied head.</exception>
    public Linear? Output(long embedDim, long vocabSize, bool tied)
    {
        bool adapted = _lora?.ApplyToOutput == true;
        if (tied)
        {
            return adapted
                ? throw new ArgumentException(
                    "apply_lora_to_output: this model's head is its embedding table (tie_word_embeddings). Set apply_lora_to_output=False.")
                : null;
        }

        return Make(adapted, embedDim, vocabSize, bias: false);
    }

    private Linear Make(bool adapted, long inDim, long outDim, bool bias) =>
        !adapted ? new Linear(inDim, outDim, bias)
        : _lora!.UseDora ? new DoraLinear(inDim, outDim, _lora, bias)
        : new LoraLinear(inDim, outDim, _lora, bias);
}
