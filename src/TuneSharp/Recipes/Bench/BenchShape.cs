using TuneSharp.Config;
using TuneSharp.Models;
using TuneSharp.Models.Llama;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Recipes;

/// <summary>Which model a benchmark builds, from its name and the adapters wanted.</summary>
internal static class BenchShape
{
    /// <summary>A shape that no torchtune builder has: the smallest of the SmolLM2 models, where launches cost more than work.</summary>
    private static readonly DecoderConfig Smallest = new()
    {
        VocabSize = 49_152, NumLayers = 30, NumHeads = 9, NumKvHeads = 3, EmbedDim = 576, HiddenDim = 1536, MaxSeqLen = 8192,
        NormEps = 1e-5, RopeBase = 100_000, TieWordEmbeddings = true,
    };

    /// <summary>Builds a model with random weights in the current <see cref="BuildScope"/>.</summary>
    /// <param name="model">A builder's name without its folder and prefix, as <c>llama3_1_8b</c>, or <c>smollm2_135m</c>.</param>
    /// <param name="lora">The adapters, or null to train all weights.</param>
    /// <exception cref="ArgumentException">An unknown name.</exception>
    public static TransformerDecoder Build(string model, LoraConfig? lora)
    {
        if (model == "smollm2_135m")
        {
            return ModelLoader.Build(Smallest, lora, LlamaDecoder.Build, null);
        }

        string suffix = (lora is null ? "." : lora.QuantizeBase ? ".qlora_" : ".lora_") + model;
        string name = ComponentRegistry.Names.FirstOrDefault(n => n.EndsWith(suffix, StringComparison.Ordinal))
            ?? throw new ArgumentException(
                $"--model {model}: there is no builder {suffix[1..]}. Builders: smollm2_135m, " +
                string.Join(", ", ComponentRegistry.Names.Select(n => n[(n.LastIndexOf('.') + 1)..]).Where(n => n.StartsWith("lora_", StringComparison.Ordinal)).Select(n => n["lora_".Length..]).Order(StringComparer.Ordinal)) + ".");
        ComponentInfo builder = ComponentRegistry.Find(name)!;
        object?[] arguments = [.. builder.Factory.GetParameters().Select(p => p.ParameterType == typeof(LoraConfig) ? lora : p.HasDefaultValue ? p.DefaultValue : null)];
        return (TransformerDecoder)builder.Invoke(arguments)!;
    }

    /// <summary>The numbers of a model.</summary>
    /// <param name="model">As for <see cref="Build"/>.</param>
    public static DecoderConfig Of(string model)
    {
        using BuildScope scope = new(META, ScalarType.BFloat16, initialise: false);
        using TransformerDecoder shape = Build(model, null);
        return shape.Shape;
    }

    /// <summary>Adapters from a list of targets.</summary>
    /// <param name="targets"><c>all</c>, or names as <c>q_proj,v_proj,w1</c>.</param>
    /// <param name="rank">r.</param>
    /// <param name="alpha">α.</param>
    /// <param name="dropout">Rate.</param>
    /// <param name="quantize">Hold the base in 4 bits.</param>
    /// <exception cref="ArgumentException">An unknown name.</exception>
    public static LoraConfig Lora(string targets, int rank, double alpha, double dropout, bool quantize)
    {
        string[] names = targets == "all" ? ["q_proj", "k_proj", "v_proj", "output_proj", "w1", "w2", "w3"] : targets.Split(',');
        List<LoraModule> attention = [];
        List<LoraMlpModule> mlp = [];
        foreach (string name in names)
        {
            switch (name)
            {
                case "q_proj": attention.Add(LoraModule.QProj); break;
                case "k_proj": attention.Add(LoraModule.KProj); break;
                case "v_proj": attention.Add(LoraModule.VProj); break;
                case "output_proj": attention.Add(LoraModule.OutputProj); break;
                case "w1": mlp.Add(LoraMlpModule.W1); break;
                case "w2": mlp.Add(LoraMlpModule.W2); break;
                case "w3": mlp.Add(LoraMlpModule.W3); break;
                default:
                    throw new ArgumentException(
                        $"--lora-targets names {name}. It takes all, or some of q_proj, k_proj, v_proj, output_proj, w1, w2, w3, with commas between.");
            }
        }

        return new LoraConfig
        {
            AttnModules = attention, MlpModules = mlp, Rank = rank, Alpha = alpha, Dropout = dropout, QuantizeBase = quantize,
        };
    }
}
