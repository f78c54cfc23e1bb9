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
            string? ours = map.Rules.FirstOrDefault(
                r => r.Model is not null && (r.File == target || r.File.EndsWith("." + target, StringComparison.Ordinal)))?.Model;
            switch (ours?.Split('.')[^1])
            {
                case "q_proj": attention.Add(LoraModule.QProj); break;
                case "k_proj": attention.Add(LoraModule.KProj); break;
                case "v_proj": attention.Add(LoraModule.VProj); break;
                case "output_proj": attention.Add(LoraModule.OutputProj); break;
                case "w1": mlp.Add(LoraMlpModule.W1); break;
                case "w2": mlp.Add(LoraMlpModule.W2); break;
                case "w3": mlp.Add(LoraMlpModule.W3); break;
                case "qkv_proj": attention.AddRange([LoraModule.QProj, LoraModule.KProj, LoraModule.VProj]); break;
                case "gate_up_proj": mlp.AddRange([LoraMlpModule.W1, LoraMlpModule.W3]); break;
                case "output": output = true; break;
                default:
                    throw new CheckpointException(
                        $"adapter_config.json: target_modules names {target}, which is no linear of this model. Linears: " +
                        $"{string.Join(", ", Targets(map).Select(t => t.Theirs))}.");
            }
        }

        return new LoraConfig
        {
            AttnModules = attention,
            MlpModules = mlp,
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
        HashSet<string> ours = [.. Adapters.NamedLayers(model).Keys.Select(n => (model.Weights.SliceOf(n + ".weight")?.Whole[..^".weight".Length] ?? n).Split('.')[^1])];
        var fused = FusedAdapters.Patterns(lora, model.Weights).Where(p => ours.Contains(p.Target)).ToList();
        return new PeftAdapter
        {
            R = lora.Rank,
            LoraAlpha = lora.Alpha,
            LoraDropout = lora.Dropout,
            TargetModules = [.. Targets(model.Weights).Where(t => ours.Contains(t.Ours)).Select(t => t.Theirs)],
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
        Dictionary<string, Tensor> weights = model.NamedParameters().Where(p => !Adapters.IsAdapterName(p.Key))
            .ToDictionary(p => p.Key, p => p.Value, StringComparer.Ordinal);
        return LazyTensors.Of(weights) with
        {
            Read = name =>
            {
                using IDisposable off = no_grad();
                string module = name[..Math.Max(0, name.LastIndexOf('.'))];
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

    /// <summary>The linears that adapters can sit on: last part of our name, and of theirs.</summary>
    private static IEnumerable<(string Ours, string Theirs)> Targets(WeightMap map) =>
        map.Rules.Where(r => r.Model is not null && r.WeightName == "weight" && r.Model != "tok_embeddings")
            .Select(r => (r.Model!.Split('.')[^1], r.File.Split('.')[^1]));
}
