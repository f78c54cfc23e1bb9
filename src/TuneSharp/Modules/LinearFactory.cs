using TuneSharp.Kernels;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Modules;

/// <summary>Makes each linear of a model plain, LoRA or DoRA, its weight held plain or quantised: decided once, by where it sits.</summary>
/// <param name="lora">The adapters, or null for a plain model.</param>
public sealed class LinearFactory(LoraConfig? lora)
{
    private readonly LoraConfig? _lora = lora?.Checked();

    private readonly Quantization? _quantization = lora?.Base ?? BuildScope.Current?.Quantization;

    /// <summary>An attention projection.</summary>
    /// <param name="module">Which.</param>
    /// <param name="inDim">Width of the input.</param>
    /// <param name="outDim">Width of the output.</param>
    /// <param name="bias">Whether it has a bias.</param>
    public Linear Attention(LoraModule module, long inDim, long outDim, bool bias = false) =>
        Make(_lora?.Targets(module) == true, inDim, outDim, bias, _quantization);

    /// <summary>Several attention projections in one linear: it has adapters when one of them would.</summary>
    /// <param name="modules">Which.</param>
    /// <param name="inDim">Width of the input.</param>
    /// <param name="outDim">Width of all outputs together.</param>
    /// <param name="bias">Whether it has a bias.</param>
    public Linear FusedAttention(IReadOnlyList<LoraModule> modules, long inDim, long outDim, bool bias = false) =>
        Make(_lora is not null && modules.Any(_lora.Targets), inDim, outDim, bias, _quantization);

    /// <summary>A linear of a feed-forward block.</summary>
    /// <param name="module">Which.</param>
    /// <param name="inDim">Width of the input.</param>
    /// <param name="outDim">Width of the output.</param>
    /// <param name="bias">Whether it has a bias.</param>
    public Linear Mlp(LoraMlpModule module, long inDim, long outDim, bool bias = false) =>
        Make(_lora?.Targets(module) == true, inDim, outDim, bias, _quantization);

    /// <summary>The head; null when it is tied to the embedding table.</summary>
    /// <param name="embedDim">Width of the hidden states.</param>
    /// <param name="vocabSize">Width of the logits.</param>
    /// <param name="tied">The head reads the embedding table.</param>
    /// <param name="bias">Whether it has a bias.</param>
    /// <exception cref="ArgumentException">Adapters on a tied head.</exception>
    public Linear? Output(long embedDim, long vocabSize, bool tied, bool bias = false)
    {
        bool adapted = _lora?.ApplyToOutput == true;
        if (tied)
        {
            return adapted
                ? throw new ArgumentException(
                    "apply_lora_to_output: this model's head is its embedding table (tie_word_embeddings). Set apply_lora_to_output=False.")
                : null;
        }

        return Make(adapted, embedDim, vocabSize, bias, _lora?.QuantizeOutput == true ? _quantization : null);
    }

    /// <summary>The embedding table.</summary>
    /// <param name="vocabSize">Rows.</param>
    /// <param name="embedDim">Columns.</param>
    public Embedding Embedding(long vocabSize, long embedDim) =>
        new(vocabSize, embedDim, _lora?.QuantizeEmbedding == true ? _quantization : null);

    private Linear Make(bool adapted, long inDim, long outDim, bool bias, Quantization? quantization) =>
        !adapted ? new Linear(inDim, outDim, bias, quantization)
        : _lora!.UseDora ? new DoraLinear(inDim, outDim, _lora, bias, quantization)
        : new LoraLinear(inDim, outDim, _lora, bias, quantization);
}
