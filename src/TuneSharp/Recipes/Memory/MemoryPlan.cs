using TuneSharp.Kernels;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using TuneSharp.Training.Optimizers;

namespace TuneSharp.Recipes;

/// <summary>Reads out of a config, on a model without memory, what <see cref="MemoryEstimate"/> needs. No checkpoint, data or device is touched.</summary>
internal static class MemoryPlan
{
    /// <summary>Tokens of a row where neither the config nor the caller says any.</summary>
    public const long DefaultLength = 2048;

    /// <summary>The inputs of a config.</summary>
    /// <param name="cfg">The run.</param>
    /// <param name="length">Tokens of a row; null for the tokenizer's <c>max_seq_len</c>, else 2048.</param>
    public static MemoryInputs Read(FinetuneConfig cfg, long? length)
    {
        // Only `auto` takes its shape from the checkpoint; a named builder needs none to be there.
        bool named = cfg.Model.Name != "auto" || cfg.Model.Arguments.GetValueOrDefault("path") is not null;
        using BuildScope scope = new(META, cfg.Dtype, initialise: false, vocabSize: cfg.ResizeTokenEmbeddings);
        using TransformerDecoder model = !named ? cfg.Model.Build(cfg.Checkpointer.Build())
            : cfg.Model.Name == Models.Transformer.TransformerBuilders.Name ? cfg.Model.Build(cfg.Tokenizer.Build())
            : cfg.Model.Build();
        return Read(cfg, model, length);
    }

    /// <summary>The inputs of a config whose model is built, and not yet prepared for training.</summary>
    /// <param name="cfg">The run.</param>
    /// <param name="model">Its model, without memory.</param>
    /// <param name="length">Tokens of a row; null for the tokenizer's <c>max_seq_len</c>, else 2048.</param>
    public static MemoryInputs Read(FinetuneConfig cfg, TransformerDecoder model, long? length)
    {
        if (cfg is LoraFinetuneConfig)
        {
            Adapters.FreezeAllBut(model);
        }

        NamedParameter[] trained = Trained(model);
        using Optimizer optimizer = cfg.Optimizer.Build((object)trained);
        long known = length ?? WrittenLength(cfg) ?? Math.Min(DefaultLength, model.Shape.MaxSeqLen);
        return Read(cfg, model, trained, optimizer, known);
    }

    /// <summary>The inputs of a run that is set up.</summary>
    public static MemoryInputs Read(
        FinetuneConfig cfg, TransformerDecoder model, IReadOnlyList<NamedParameter> trained, Optimizer optimizer, long length)
    {
        bool lora = cfg is LoraFinetuneConfig;
        long adapters = Adapters.GetAdapterParams(model).Values.Sum(Bytes);
        return new MemoryInputs
        {
            Shape = model.Shape,
            Batch = cfg.BatchSize,
            Length = length,
            Element = cfg.Dtype == ScalarType.BFloat16 ? 2 : cfg.Dtype == ScalarType.Float64 ? 8 : 4,
            Weights = model.parameters().Sum(Bytes) + model.buffers().Sum(Bytes) - adapters,
            Adapters = adapters,
            Trained = trained.Sum(p => p.Value.numel()),
            LargestTrained = trained.Max(p => p.Value.numel()),
            Optimizer = optimizer.StateBytes,
            PlainLinears = Linears(model).Where(l => l.Weight is not QuantizedParameter).Sum(l => l.Weight.numel()),
            LargestQuantised = model.parameters().OfType<QuantizedParameter>().Select(p => p.numel()).DefaultIfEmpty().Max(),
            RankSum = Adapters.NamedLayers(model).Count * (model.Lora?.Rank ?? 0) / model.Shape.NumLayers,
            Activations = cfg.Activations(model.Shape.EmbedDim),
            OptimizerInBackward = cfg is FullFinetuneConfig { OptimizerInBwd: true },
            Accumulation = cfg.GradientAccumulationSteps,
            IsLora = lora,
            IsGpu = cfg.Device.StartsWith("cuda", StringComparison.Ordinal) || (cfg.Device == "auto" && cuda.is_available()),
        };
    }

    /// <summary>What a model trains.</summary>
    public static NamedParameter[] Trained(TransformerDecoder model) =>
        [.. model.named_parameters().Where(p => p.parameter.requires_grad).Select(p => new NamedParameter(p.name, p.parameter))];

    private static long? WrittenLength(FinetuneConfig cfg) => cfg.Tokenizer.Arguments.GetValueOrDefault("max_seq_len") switch
    {
        int n => n,
        long n => n,
        _ => null,
    };

    private static IEnumerable<Linear> Linears(TransformerDecoder model) =>
        model.named_modules().Where(m => m.name.StartsWith("layers.", StringComparison.Ordinal)).Select(m => m.module).OfType<Linear>();

    private static long Bytes(Tensor t) => t is QuantizedParameter quantised ? quantised.Bytes : t.numel() * t.element_size();
}
