using TuneSharp.Checkpointing;
using TuneSharp.Kernels;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models;

/// <summary>The bridge between our adapters and PEFT's folders.</summary>
public static class AdapterModel
{
    /// <summary>Loads a model folder and puts a PEFT adapter on it.</summary>
    /// <param name="modelFolder">A Hugging Face folder.</param>
    /// <param name="adapterFolder">A PEFT folder.</param>
    /// <exception cref="CheckpointException">The adapter does not fit the model.</exception>
    public static TransformerDecoder Load(string modelFolder, string adapterFolder)
    {
        PeftAdapter adapter = PeftAdapter.Read(adapterFolder);
        WeightMap map = AutoModel.Weights(HfConfig.Read(modelFolder));
        TransformerDecoder model = AutoModel.Load(modelFolder, ToLora(adapter, map));
        using ITensorSource tensors = PeftAdapter.OpenTensors(adapterFolder);
        LoadAdapters(model, tensors);
        return model;
    }

    /// <summary>Fills a model's adapters from a file in PEFT's or our names.</summary>
    /// <param name="model">A model with the adapters that the file holds.</param>
    /// <param name="tensors">The file.</param>
    public static void LoadAdapters(TransformerDecoder model, ITensorSource tensors)
    {
        Dictionary<string, Tensor> adapters = Adapters.GetAdapterParams(model).ToDictionary(p => p.Key, p => (Tensor)p.Value, StringComparer.Ordinal);
        WeightLoader.Load(tensors, adapters, model.Weights, _ => false);
    }

    /// <summary>Our settings for what a PEFT adapter holds.</summary>
    /// <param name="adapter">PEFT's settings.</param>
    /// <param name="map">The family's weight names.</param>
    /// <exception cref="CheckpointException">A target is no linear of the model, or ranks differ by module.</exception>
    public static LoraConfig ToLora(PeftAdapter adapter, WeightMap map)
    {
        if (!FusedAdapters.AreOurs(adapter, map))
        {
            throw new CheckpointException(
                "adapter_config.json: rank_pattern and alpha_pattern (a rank of its own for some modules) are not supported for training or " +
                "generation. `tune export` can merge such an adapter into its base.");
        }

        List<LoraModule> attention = [];
        List<LoraMlpModule> mlp = [];
        bool output = false;
        foreach (string target in adapter.TargetModules)
        {
            bool known = false;
            foreach (WeightRule rule in map.RulesOf(target))
            {
                known |= Add(rule.Model!.Split('.')[^1]);
            }

            if (!known)
            {
                throw new CheckpointException(
                    $"adapter_config.json: target_modules names {target}, which is no linear of this model. Linears: " +
                    $"{string.Join(", ", map.Rules.Where(r => IsLinear(r)).Select(r => r.File.Split('.')[^1]).Distinct(StringComparer.Ordinal))}.");
            }
        }

        if (adapter.TargetParameters.Count > 0)
        {
            string[] unknown = [.. adapter.TargetParameters.Where(t => !ExpertParameters.Any(e => t.EndsWith(e, StringComparison.Ordinal)))];
            if (unknown.Length > 0 || adapter.TargetParameters.Count != ExpertParameters.Length)
            {
                throw new CheckpointException(
                    $"adapter_config.json: target_parameters names {string.Join(", ", adapter.TargetParameters)}; adapters on " +
                    $"{string.Join(" and ", ExpertParameters)} together are supported.");
            }

            mlp.AddRange([LoraMlpModule.W1, LoraMlpModule.W2, LoraMlpModule.W3]);
        }

        bool Add(string ours)
        {
            switch (ours)
            {
                case "q_proj": attention.Add(LoraModule.QProj); return true;
                case "k_proj": attention.Add(LoraModule.KProj); return true;
                case "v_proj": attention.Add(LoraModule.VProj); return true;
                case "qkv_proj": attention.AddRange([LoraModule.QProj, LoraModule.KProj, LoraModule.VProj]); return true;
                case "output_proj": attention.Add(LoraModule.OutputProj); return true;
                case "w1": mlp.Add(LoraMlpModule.W1); return true;
                case "w2": mlp.Add(LoraMlpModule.W2); return true;
                case "w3": mlp.Add(LoraMlpModule.W3); return true;
                case "gate_up_proj": mlp.AddRange([LoraMlpModule.W1, LoraMlpModule.W3]); return true;
                case "output": output = true; return true;
                default: return false;
            }
        }

        return new LoraConfig
        {
            AttnModules = [.. attention.Distinct()],
            MlpModules = [.. mlp.Distinct()],
            ApplyToOutput = output,
            Rank = adapter.R,
            Alpha = adapter.LoraAlpha,
            Dropout = adapter.LoraDropout,
            UseDora = adapter.UseDora,
            UseRslora = adapter.UseRslora,
        };
    }

    /// <summary>PEFT's settings for a model's adapters.</summary>
    /// <param name="model">A model built with a <see cref="LoraConfig"/>.</param>
    /// <param name="baseModel">How the adapter calls its base: a hub name or a folder.</param>
    public static PeftAdapter ToPeft(TransformerDecoder model, string? baseModel)
    {
        LoraConfig lora = model.Lora ?? throw new ArgumentException("The model has no adapters: build it with a LoraConfig.");
        HashSet<WeightRule> adapted =
            [.. Adapters.NamedLayers(model).Keys.Select(n => model.Weights.RuleOf(model.Weights.SliceOf(n + ".weight")?.Whole[..^".weight".Length] ?? n)).OfType<WeightRule>()];
        HashSet<string> ours = [.. adapted.Select(r => r.Model!.Split('.')[^1])];
        var fused = FusedAdapters.Patterns(lora, model.Weights).Where(p => ours.Contains(p.Target)).ToList();
        string? experts = model.Weights.Rules.FirstOrDefault(r => r.Model?.EndsWith(".experts.gate_up_proj", StringComparison.Ordinal) == true)?.File;
        return new PeftAdapter
        {
            R = lora.Rank,
            LoraAlpha = lora.Alpha,
            LoraDropout = lora.Dropout,
            TargetModules = Targets(model.Weights, adapted, model.Shape.NumLayers),
            TargetParameters = Adapters.NamedExperts(model).Count == 0 ? []
                : [.. ExpertParameters.Select(p => string.Join('.', experts!.Split('.')[^3..^2]) + "." + p)],
            FanInFanOut = adapted.Any(r => r.Transposed),
            TaskType = model.Shape.NumClasses > 0 ? "SEQ_CLS" : model.Shape.Bidirectional ? null : "CAUSAL_LM",
            UseDora = lora.UseDora,
            UseRslora = lora.UseRslora,
            BaseModelNameOrPath = baseModel,
            RankPattern = fused.ToDictionary(p => p.Target, p => p.Rank, StringComparer.Ordinal),
            AlphaPattern = fused.ToDictionary(p => p.Target, p => p.Alpha, StringComparer.Ordinal),
        };
    }

    /// <summary>A model's adapter tensors by our names, with the frozen weight of an adapted head, as PEFT stores it.</summary>
    /// <param name="model">A model built with a <see cref="LoraConfig"/>.</param>
    public static LazyTensors Tensors(TransformerDecoder model)
    {
        Dictionary<string, Tensor> tensors = Adapters.GetAdapterParams(model).ToDictionary(p => p.Key, p => (Tensor)p.Value, StringComparer.Ordinal);
        if (model.OutputLayer is LoraLinear head)
        {
            tensors.Add("output.weight", head.DenseWeight());
        }

        return FusedAdapters.Join(tensors, model);
    }

    /// <summary>A model's whole weights by our names, adapters merged in one layer at a time while they are written.</summary>
    /// <param name="model">Any decoder.</param>
    public static LazyTensors MergedWeights(TransformerDecoder model)
    {
        IReadOnlyDictionary<string, LoraLinear> layers = Adapters.NamedLayers(model);
        IReadOnlyDictionary<string, Modules.Moe.FusedExperts> experts = Adapters.NamedExperts(model);
        Dictionary<string, Tensor> weights = model.NamedParameters().Where(p => !Adapters.IsAdapterName(p.Key))
            .ToDictionary(p => p.Key, p => p.Value, StringComparer.Ordinal);
        return LazyTensors.Of(weights) with
        {
            Read = name =>
            {
                using IDisposable off = no_grad();
                string module = name.Contains('.', StringComparison.Ordinal) ? name[..name.LastIndexOf('.')] : "";
                if (experts.TryGetValue(module, out Modules.Moe.FusedExperts? fused) && fused.Merged(name[(module.Length + 1)..]) is { } merged)
                {
                    return merged;
                }

                bool adapted = name.EndsWith(".weight", StringComparison.Ordinal) && layers.ContainsKey(module);
                return adapted ? layers[module].MergedWeight() : weights[name] is QuantizedParameter quantised ? quantised.Dense() : weights[name];
            },
        };
    }

    /// <summary>How a model's frozen weights are held; null when they are plain.</summary>
    /// <param name="model">Any decoder.</param>
    public static Quantization? Quantization(TransformerDecoder model) =>
        model.parameters().OfType<QuantizedParameter>().FirstOrDefault(p => p.Value is not null)?.Format;

    /// <summary>A model's base weights as they are held, by their names in Hugging Face's files: what a quantised folder holds.</summary>
    /// <param name="model">Any decoder with quantised weights.</param>
    public static LazyTensors QuantizedWeights(TransformerDecoder model)
    {
        if (model.Weights.Fused.Count > 0)
        {
            throw new CheckpointException(
                "save_quantized_base: this family's files hold several weights of the model as one, whose codes are not those of its parts. " +
                "Set save_quantized_base=False: full weights are saved then.");
        }

        List<TensorInfo> infos = [];
        Dictionary<string, Func<string, Tensor>> read = new(StringComparer.Ordinal);
        foreach ((string name, Tensor parameter) in model.NamedParameters().Where(p => !Adapters.IsAdapterName(p.Key)))
        {
            MappedName mapped = model.Weights.ToFile(name) ?? throw new CheckpointException($"{name} has no name in Hugging Face's files, so it cannot be saved there.");
            LazyTensors parts = (parameter as QuantizedParameter)?.Value is { } value
                ? QuantizedParts((QuantizedParameter)parameter, value, mapped)
                : new LazyTensors(
                    [new TensorInfo(mapped.Name, parameter.shape, parameter.dtype)],
                    _ => mapped.Apply(parameter is QuantizedParameter plain ? plain.Dense() : parameter));
            infos.AddRange(parts.Infos);
            foreach (TensorInfo info in parts.Infos)
            {
                read[info.Name] = parts.Read;
            }
        }

        return new LazyTensors(infos, name => read[name](name));
    }

    /// <summary>Codes go out as they came in; only a weight that was made here, in the model's row order, is quantised once more.</summary>
    private static LazyTensors QuantizedParts(QuantizedParameter parameter, QuantizedTensor value, MappedName mapped) =>
        mapped.Transform is null || parameter.IsReordered
            ? BnbWriter.Parts(mapped.Name, value)
            : BnbWriter.Quantize(
                new LazyTensors([new TensorInfo(mapped.Name, parameter.shape, parameter.dtype)], _ => mapped.Apply(parameter.Dense())),
                _ => true, parameter.Format);

    /// <summary>What PEFT calls the adapted weights of experts that share tensors.</summary>
    private static readonly string[] ExpertParameters = ["experts.gate_up_proj", "experts.down_proj"];

    private static bool IsLinear(WeightRule rule) =>
        rule is { Model: not null, WeightName: "weight", IsOlderName: false } && !rule.Model.Contains("embeddings", StringComparison.Ordinal);

    /// <summary>
    /// The shortest names that mean the adapted linears and no others, as PEFT reads them: a name's end. Where only a full path tells two apart
    /// (BERT's output.dense and attention.output.dense), the paths of all layers.
    /// </summary>
    private static List<string> Targets(WeightMap map, HashSet<WeightRule> adapted, int numLayers)
    {
        List<string> targets = [];
        foreach (WeightRule rule in map.Rules.Where(r => adapted.Contains(r)))
        {
            string tail = rule.File[(rule.File.LastIndexOf("{}", StringComparison.Ordinal) is var at and >= 0 ? at + 3 : 0)..];
            string[] parts = tail.Split('.');
            string? name = Enumerable.Range(1, parts.Length).Select(n => string.Join('.', parts[^n..]))
                .FirstOrDefault(end => map.RulesOf(end).Where(IsLinear).All(adapted.Contains));
            targets.AddRange(name is not null ? [name]
                : Enumerable.Range(0, numLayers).Select(i => rule.File.Replace("{}", i.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal)));
        }

        return [.. targets.Distinct(StringComparer.Ordinal)];
    }
}
