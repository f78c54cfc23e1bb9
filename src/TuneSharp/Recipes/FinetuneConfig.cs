using System.ComponentModel.DataAnnotations;
using System.Globalization;
using TuneSharp.Checkpointing;
using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Training;
using TuneSharp.Training.Metrics;
using TuneSharp.Training.Optimizers;

namespace TuneSharp.Recipes;

/// <summary>The keys that all fine-tuning recipes read; names and meanings are torchtune's.</summary>
public abstract record FinetuneConfig
{
    /// <summary>Folder for everything the run leaves.</summary>
    public required string OutputDir { get; init; }

    /// <summary><c>cpu</c>, <c>cuda</c> or <c>cuda:N</c>; <c>auto</c> takes a GPU where there is one. Default: auto.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Element type of weights and activations: <c>bf16</c> or <c>fp32</c>. Default: bf16.</summary>
    public ScalarType Dtype { get; init; } = ScalarType.BFloat16;

    /// <summary>Seed of everything random; null draws one and logs it. Default: null.</summary>
    public int? Seed { get; init; }

    /// <summary>The model.</summary>
    public required Component<TransformerDecoder> Model { get; init; }

    /// <summary>
    /// Rows of the token embeddings and the head, for tokens that were added to the tokenizer; the new ones start as the mean of the
    /// old. Saved with the model and in its <c>config.json</c>. LoRA does not train them. Null keeps the model's own number. Default: null.
    /// </summary>
    [Range(1, int.MaxValue)]
    public int? ResizeTokenEmbeddings { get; init; }

    /// <summary>The tokenizer.</summary>
    public required Component<IModelTokenizer> Tokenizer { get; init; }

    /// <summary>Where weights come from and go to.</summary>
    public required Component<Checkpointer> Checkpointer { get; init; }

    /// <summary>One data set, or a list that is read as one.</summary>
    public required IReadOnlyList<Component<IDataset>> Dataset { get; init; }

    /// <summary>Data set for the validation loss, or null.</summary>
    public Component<IDataset>? DatasetVal { get; init; }

    /// <summary>The optimizer.</summary>
    public required Component<Optimizer> Optimizer { get; init; }

    /// <summary>The learning-rate schedule; null keeps the rate.</summary>
    public Component<LrSchedule>? LrScheduler { get; init; }

    /// <summary>The loss.</summary>
    public required Component<ILoss> Loss { get; init; }

    /// <summary>Where metrics go, besides <c>metrics.jsonl</c> in the output folder; null for nowhere else.</summary>
    public Component<IMetricLogger>? MetricLogger { get; init; }

    /// <summary>Times the data is gone through. Default: 1.</summary>
    [Range(1, int.MaxValue)]
    public int Epochs { get; init; } = 1;

    /// <summary>Cap on the optimizer steps of an epoch, or null.</summary>
    [Range(1, int.MaxValue)]
    public int? MaxStepsPerEpoch { get; init; }

    /// <summary>Samples of a micro-batch. Default: 1.</summary>
    [Range(1, int.MaxValue)]
    public int BatchSize { get; init; } = 1;

    /// <summary>Samples of a validation batch; null for <see cref="BatchSize"/>.</summary>
    [Range(1, int.MaxValue)]
    public int? BatchSizeVal { get; init; }

    /// <summary>Optimizer steps between validations; null for never. Default: null.</summary>
    [Range(1, int.MaxValue)]
    public int? RunValEveryNSteps { get; init; }

    /// <summary>Micro-batches of an optimizer step. Default: 1.</summary>
    [Range(1, int.MaxValue)]
    public int GradientAccumulationSteps { get; init; } = 1;

    /// <summary>Largest 2-norm of the gradient; <c>inf</c> only measures it; null does neither. Default: null.</summary>
    [Range(0, double.PositiveInfinity)]
    public double? ClipGradNorm { get; init; }

    /// <summary>New order of samples in each epoch. Default: true.</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary>How samples become a batch. Default: torchtune's padded collation, or the packed one for packed data.</summary>
    public string? CollateFn { get; init; }

    /// <summary>Go on from the newest save in the output folder. Default: false.</summary>
    public bool ResumeFromCheckpoint { get; init; }

    /// <summary>Save every so many optimizer steps; null saves after each epoch. Default: null.</summary>
    [Range(1, int.MaxValue)]
    public int? SaveEveryNSteps { get; init; }

    /// <summary>Keep only layer inputs for the backward pass. Default: false.</summary>
    public bool EnableActivationCheckpointing { get; init; }

    /// <summary>
    /// What checkpointing computes again: <c>full</c> (whole layers), <c>attn+mlp</c>, <c>attn</c>, <c>none</c>, or torchtune's <c>selective</c>
    /// with <see cref="AcOption"/>. Null: <c>full</c> if <see cref="EnableActivationCheckpointing"/>.
    /// </summary>
    public string? AcMode { get; init; }

    /// <summary>n: only every n-th layer is computed again; with <c>selective</c> also torchtune's <c>op</c>, which is <c>attn+mlp</c> here. Null: all.</summary>
    public object? AcOption { get; init; }

    /// <summary>Checkpointed inputs wait in pinned host memory; on a GPU, with whole layers computed again. Default: false.</summary>
    public bool EnableActivationOffloading { get; init; }

    /// <summary>Feed-forward blocks take as many tokens at a time as the model is wide: for very long sequences. Default: false.</summary>
    public bool TiledMlp { get; init; }

    /// <summary>Optimizer steps between log lines. Default: 1.</summary>
    [Range(1, int.MaxValue)]
    public int LogEveryNSteps { get; init; } = 1;

    /// <summary>Log peak memory with each line. Default: false.</summary>
    public bool LogPeakMemoryStats { get; init; }

    /// <summary>A prompt answered before and after training, or null.</summary>
    public SampleConfig? Sample { get; init; }

    /// <summary>All that cannot be, before anything is read.</summary>
    /// <exception cref="ConfigException">Every mistake.</exception>
    public virtual void Check()
    {
        List<ConfigProblem> problems = [];
        void Add(string message) => problems.Add(new ConfigProblem("config", 0, 0, message));
        if (Dtype is not (ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64))
        {
            Add("dtype: fp16 training would need loss scaling and is not offered. Use bf16 or fp32.");
        }

        if (RunValEveryNSteps is not null && DatasetVal is null)
        {
            Add("run_val_every_n_steps needs dataset_val. Add it, or remove run_val_every_n_steps.");
        }

        if (AcMode is not (null or "none" or "attn" or "attn+mlp" or "full" or "selective"))
        {
            Add($"ac_mode is {AcMode}; it can be none, attn, attn+mlp, full or selective.");
        }

        if (AcOption is not (null or "op") && EveryNth is not > 0)
        {
            Add($"ac_option is {AcOption}; it can be a number of layers, at least 1, or op with ac_mode=selective.");
        }

        if (EnableActivationOffloading && Recompute != RecomputedPart.Full)
        {
            Add("enable_activation_offloading moves the inputs of layers that are computed again: set enable_activation_checkpointing=True too.");
        }

        if (this is FullFinetuneConfig { OptimizerInBwd: true })
        {
            if (GradientAccumulationSteps > 1)
            {
                Add($"optimizer_in_bwd: a gradient is used up as soon as it is there, so gradient_accumulation_steps {GradientAccumulationSteps} cannot be. Set it to 1, or optimizer_in_bwd to False.");
            }

            if (ClipGradNorm is not null)
            {
                Add("optimizer_in_bwd: the norm of all gradients is never known, so clip_grad_norm cannot be. Remove it, or set optimizer_in_bwd to False.");
            }
        }

        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }
    }

    /// <summary>How the model saves memory of activations.</summary>
    /// <param name="embedDim">Width of the model.</param>
    internal ActivationPolicy Activations(long embedDim) => new()
    {
        Recompute = Recompute,
        EveryNth = (int)(EveryNth ?? 1),
        Offload = EnableActivationOffloading,
        TileTokens = TiledMlp ? embedDim : 0,
    };

    private long? EveryNth => AcOption switch
    {
        int n => n,
        long n => n,
        string text when long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long n) => n,
        _ => null,
    };

    private RecomputedPart Recompute => AcMode switch
    {
        null => EnableActivationCheckpointing ? RecomputedPart.Full : RecomputedPart.None,
        "attn" => RecomputedPart.Attn,
        "attn+mlp" => RecomputedPart.AttnMlp,
        "selective" => AcOption is "op" ? RecomputedPart.AttnMlp : RecomputedPart.Full,
        "full" => RecomputedPart.Full,
        _ => RecomputedPart.None,
    };
}

/// <summary>A prompt that shows what training did.</summary>
public sealed record SampleConfig
{
    /// <summary>What the user says.</summary>
    public required string User { get; init; }

    /// <summary>Longest answer, in tokens. Default: 40.</summary>
    public int MaxNewTokens { get; init; } = 40;
}

/// <summary>Keys of <c>lora_finetune_single_device</c>.</summary>
public sealed record LoraFinetuneConfig : FinetuneConfig
{
    /// <summary>Save adapters alone, without merged weights. Default: false, as in torchtune.</summary>
    public bool SaveAdapterWeightsOnly { get; init; }

    /// <summary>LoRA+: B learns at so many times the rate of A (https://arxiv.org/abs/2402.12354; 16 is usual). Default: null, the same rate.</summary>
    [Range(double.Epsilon, double.MaxValue)]
    public double? LoraplusLrRatio { get; init; }

    /// <summary>
    /// Save the base as it is held, quantised, beside the adapters, instead of merged weights: a folder that loads by itself.
    /// Only with a quantised base. Default: false.
    /// </summary>
    public bool SaveQuantizedBase { get; init; }
}

/// <summary>Keys of <c>full_finetune_single_device</c>.</summary>
public sealed record FullFinetuneConfig : FinetuneConfig
{
    /// <summary>Start from random weights instead of the checkpoint's: only its config and tokenizer are read. Default: false.</summary>
    public bool FromScratch { get; init; }

    /// <summary>Take the step inside the backward pass, layer by layer, so that the gradients of one layer at a time are held. Default: false.</summary>
    public bool OptimizerInBwd { get; init; }
}
