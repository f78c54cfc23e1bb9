using TuneSharp.Kernels;
using static TorchSharp.torch.nn;

namespace TuneSharp.Modules.Peft;

/// <summary>What is done with a model's adapters: found, trained alone, switched off, merged.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/modules/peft/_utils.py</c>.</remarks>
public static class Adapters
{
    /// <summary>The adapters' parameters by state-dict key, in the model's order; empty for a plain model.</summary>
    /// <param name="model">Any module.</param>
    public static IReadOnlyDictionary<string, Parameter> GetAdapterParams(Module model)
    {
        Dictionary<string, Parameter> found = new(StringComparer.Ordinal);
        foreach ((string name, Parameter parameter) in model.named_parameters())
        {
            if (IsAdapterName(name))
            {
                found.Add(name, parameter);
            }
        }

        return found;
    }

    /// <summary>Lets only the given parameters learn; all others are frozen.</summary>
    /// <param name="model">Any module.</param>
    /// <param name="parameters">Keys (and values) of those that learn.</param>
    /// <exception cref="ArgumentException">The model has no parameter of such a name; nothing is changed then.</exception>
    public static void SetTrainableParams(Module model, IReadOnlyDictionary<string, Parameter> parameters)
    {
        HashSet<string> own = model.named_parameters().Select(p => p.name).ToHashSet(StringComparer.Ordinal);
        if (parameters.Keys.FirstOrDefault(name => !own.Contains(name)) is { } unknown)
        {
            throw new ArgumentException(
                $"The model has no parameter {unknown}. Take the names from {nameof(GetAdapterParams)} or named_parameters of this model.", nameof(parameters));
        }

        foreach ((string name, Parameter parameter) in model.named_parameters())
        {
            parameter.requires_grad_(parameters.ContainsKey(name));
        }
    }

    /// <summary>Freezes everything but the adapters and returns those.</summary>
    /// <param name="model">A model built with a <see cref="LoraConfig"/>.</param>
    /// <exception cref="ArgumentException">The model has no adapters.</exception>
    public static IReadOnlyDictionary<string, Parameter> FreezeAllBut(Module model)
    {
        IReadOnlyDictionary<string, Parameter> adapters = GetAdapterParams(model);
        if (adapters.Count == 0)
        {
            throw new ArgumentException(
                "The model has no adapters to train. Choose a lora_ builder (lora_llama3_2_1b instead of llama3_2_1b), or the full_finetune recipe.");
        }

        SetTrainableParams(model, adapters);
        return adapters;
    }

    /// <summary>Sets DoRA's magnitudes from the base weights. Call once after loading these.</summary>
    /// <param name="model">Any module.</param>
    public static void InitialiseMagnitudes(Module model)
    {
        foreach (DoraLinear layer in Layers(model).OfType<DoraLinear>())
        {
            layer.InitialiseMagnitude();
        }
    }

    /// <summary>Switches the adapters off until the result is disposed: the model computes as its base.</summary>
    /// <param name="model">Any module.</param>
    public static IDisposable Disable(Module model)
    {
        LoraLinear[] layers = [.. Layers(model).Where(l => l.AdaptersEnabled)];
        foreach (LoraLinear layer in layers)
        {
            layer.AdaptersEnabled = false;
        }

        Moe.ExpertAdapter[] experts = [.. model.modules().OfType<Moe.ExpertAdapter>().Where(a => a.Enabled)];
        foreach (Moe.ExpertAdapter adapter in experts)
        {
            adapter.Enabled = false;
        }

        return new Restore(layers, experts);
    }

    /// <summary>Adds the updates to the base weights, in place, and switches the adapters off: the model then computes the same without them.</summary>
    /// <param name="model">Any module.</param>
    public static void Merge(Module model)
    {
        using IDisposable off = no_grad();
        foreach (LoraLinear layer in Layers(model).Where(l => l.AdaptersEnabled))
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor merged = layer.MergedWeight();
            if (layer.Weight is QuantizedParameter quantised)
            {
                quantised.FillPlain(merged); // quantising the sum again would change what the model computes
            }
            else
            {
                layer.Weight.copy_(merged);
            }

            layer.AdaptersEnabled = false;
        }

        foreach (Moe.FusedExperts experts in NamedExperts(model).Values.Where(e => e.Adapters[0].Enabled))
        {
            experts.Merge();
        }
    }

    /// <summary>The adapted layers by module name.</summary>
    /// <param name="model">Any module.</param>
    public static IReadOnlyDictionary<string, LoraLinear> NamedLayers(Module model) =>
        model.named_modules().Where(m => m.module is LoraLinear)
            .ToDictionary(m => m.name, m => (LoraLinear)m.module, StringComparer.Ordinal);

    /// <summary>The experts with adapters on their shared weights, by module name.</summary>
    /// <param name="model">Any module.</param>
    public static IReadOnlyDictionary<string, Moe.FusedExperts> NamedExperts(Module model) =>
        model.named_modules().Where(m => m.module is Moe.FusedExperts { Adapters.Count: > 0 })
            .ToDictionary(m => m.name, m => (Moe.FusedExperts)m.module, StringComparer.Ordinal);

    /// <summary>True for the key of an adapter's parameter.</summary>
    /// <param name="name">State-dict key.</param>
    public static bool IsAdapterName(string name) =>
        name.EndsWith(".lora_a.weight", StringComparison.Ordinal)
        || name.EndsWith(".lora_b.weight", StringComparison.Ordinal)
        || name.EndsWith(".magnitude", StringComparison.Ordinal);

    private static IEnumerable<LoraLinear> Layers(Module model) => model.modules().OfType<LoraLinear>();

    private sealed class Restore(LoraLinear[] layers, Moe.ExpertAdapter[] experts) : IDisposable
    {
        public void Dispose()
        {
            foreach (LoraLinear layer in layers)
            {
                layer.AdaptersEnabled = true;
            }

            foreach (Moe.ExpertAdapter adapter in experts)
            {
                adapter.Enabled = true;
            }
        }
    }
}
