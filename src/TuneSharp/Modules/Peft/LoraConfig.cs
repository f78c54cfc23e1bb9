using TuneSharp.Config;
using TuneSharp.Kernels;

namespace TuneSharp.Modules.Peft;

/// <summary>An attention projection that adapters can sit on.</summary>
public enum LoraModule
{
    /// <summary><c>q_proj</c>: queries.</summary>
    QProj,

    /// <summary><c>k_proj</c>: keys.</summary>
    KProj,

    /// <summary><c>v_proj</c>: values.</summary>
    VProj,

    /// <summary><c>output_proj</c>: the attention's output.</summary>
    OutputProj,
}

/// <summary>A linear of the feed-forward block that adapters can sit on.</summary>
public enum LoraMlpModule
{
    /// <summary><c>w1</c>: gate.</summary>
    W1,

    /// <summary><c>w2</c>: down.</summary>
    W2,

    /// <summary><c>w3</c>: up.</summary>
    W3,
}

/// <summary>Where adapters sit and how large they are. YAML keys are torchtune's.</summary>
/// <remarks>Papers: LoRA https://arxiv.org/abs/2106.09685, rsLoRA https://arxiv.org/abs/2312.03732, DoRA https://arxiv.org/abs/2402.09353.</remarks>
public sealed record LoraConfig
{
    /// <summary>Attention projections with adapters.</summary>
    [ConfigKey("lora_attn_modules")]
    public required IReadOnlyList<LoraModule> AttnModules { get; init; }

    /// <summary>Adapters on all three linears of each feed-forward block. Default: false.</summary>
    [ConfigKey("apply_lora_to_mlp")]
    public bool ApplyToMlp { get; init; }

    /// <summary>Adapters on some linears of the feed-forward blocks; used when <see cref="ApplyToMlp"/> is false. Default: none.</summary>
    [ConfigKey("lora_mlp_modules")]
    public IReadOnlyList<LoraMlpModule> MlpModules { get; init; } = [];

    /// <summary>Adapters on the head. Not with a head tied to the embedding table. Default: false.</summary>
    [ConfigKey("apply_lora_to_output")]
    public bool ApplyToOutput { get; init; }

    /// <summary>Rank r of the update. Default: 8.</summary>
    [ConfigKey("lora_rank")]
    public int Rank { get; init; } = 8;

    /// <summary>α: the update is scaled by α/r (α/√r with <see cref="UseRslora"/>). Default: 16.</summary>
    [ConfigKey("lora_alpha")]
    public double Alpha { get; init; } = 16;

    /// <summary>Dropout rate on the adapters' input. Default: 0.</summary>
    [ConfigKey("lora_dropout")]
    public double Dropout { get; init; }

    /// <summary>Learn a magnitude for each output beside the direction (DoRA). Default: false.</summary>
    [ConfigKey("use_dora")]
    public bool UseDora { get; init; }

    /// <summary>Scale by α/√r (rsLoRA). Default: false.</summary>
    [ConfigKey("use_rslora")]
    public bool UseRslora { get; init; }

    /// <summary>Hold the frozen linears quantised (QLoRA). Default: false.</summary>
    [ConfigKey("quantize_base")]
    public bool QuantizeBase { get; init; }

    /// <summary>How: <c>nf4</c>, <c>fp4</c> or <c>int8</c>. Default: nf4.</summary>
    [ConfigKey("quant_type")]
    public QuantType QuantType { get; init; }

    /// <summary>Hold the scales of 4-bit weights in 8 bits too. Default: true.</summary>
    [ConfigKey("double_quant")]
    public bool DoubleQuant { get; init; } = true;

    /// <summary>Hold the head quantised as well. Default: false, as in torchtune and bitsandbytes.</summary>
    [ConfigKey("quantize_output")]
    public bool QuantizeOutput { get; init; }

    /// <summary>Hold the embedding table quantised as well; a tied head reads it. Default: false.</summary>
    [ConfigKey("quantize_embedding")]
    public bool QuantizeEmbedding { get; init; }

    /// <summary>How the frozen linears are held; null for plain numbers.</summary>
    public Quantization? Base => QuantizeBase ? new Quantization(QuantType, DoubleQuant) : null;

    /// <summary>The factor on B·A·x.</summary>
    public double Scale => UseRslora ? Alpha / Math.Sqrt(Rank) : Alpha / Rank;

    /// <summary>Whether an attention projection has adapters.</summary>
    /// <param name="module">The projection.</param>
    public bool Targets(LoraModule module) => AttnModules.Contains(module);

    /// <summary>Whether a linear of the feed-forward block has adapters.</summary>
    /// <param name="module">The linear.</param>
    public bool Targets(LoraMlpModule module) => ApplyToMlp || MlpModules.Contains(module);

    /// <summary>Says what cannot be.</summary>
    /// <exception cref="ArgumentException">The first mistake, with its values and the fix.</exception>
    public LoraConfig Checked()
    {
        if (Rank <= 0)
        {
            throw new ArgumentException($"lora_rank is {Rank}; it must be at least 1.");
        }

        if (Dropout is < 0 or >= 1)
        {
            throw new ArgumentException(FormattableString.Invariant($"lora_dropout is {Dropout}; it must lie in [0, 1)."));
        }

        if (!QuantizeBase && (QuantizeOutput || QuantizeEmbedding))
        {
            throw new ArgumentException(
                $"{(QuantizeOutput ? "quantize_output" : "quantize_embedding")} goes with quantize_base: set quantize_base=True, or take a qlora_ builder.");
        }

        return AttnModules.Count == 0 && !ApplyToMlp && MlpModules.Count == 0 && !ApplyToOutput
            ? throw new ArgumentException(
                "No linear has adapters: lora_attn_modules is empty, and neither apply_lora_to_mlp nor apply_lora_to_output is set. " +
                "Name some, as in lora_attn_modules=[q_proj,v_proj].")
            : this;
    }
}
