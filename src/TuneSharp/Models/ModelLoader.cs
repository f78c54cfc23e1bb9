using TuneSharp.Backend;
using TuneSharp.Checkpointing;
using TuneSharp.Kernels;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models;

/// <summary>Builds a model and, where a folder is given, fills it from there.</summary>
internal static class ModelLoader
{
    /// <summary>Builds a shape under the current <see cref="BuildScope"/>; with weights and no scope, in the checkpoint's own dtype.</summary>
    public static TransformerDecoder Build(
        DecoderConfig shape, LoraConfig? lora, Func<DecoderConfig, LoraConfig?, TransformerDecoder> build, string? weights,
        Quantization? quantization = null)
    {
        TorchBackend.EnsureLoaded();
        if (weights is null)
        {
            return build(shape, lora);
        }

        using CheckpointReader source = CheckpointReader.Open(weights);
        ScalarType dtype = BuildScope.Current?.Dtype ?? source.Tensors.Values.First(t => source.ReadsAsStored(t.Name)).Dtype;
        using BuildScope scope = new(BuildScope.Current?.Device, dtype, initialise: false, quantization);
        TransformerDecoder model = build(shape, lora);
        Fill(model, source);
        model.SourceDirectory = weights;
        return model;
    }

    /// <summary>Copies base weights into a model; adapters keep their values, and DoRA's magnitudes follow the weights.</summary>
    public static void Fill(TransformerDecoder model, ITensorSource source)
    {
        WeightLoader.Load(source, model.NamedParameters(), model.Weights, Adapters.IsAdapterName);
        Adapters.InitialiseMagnitudes(model);
    }
}
