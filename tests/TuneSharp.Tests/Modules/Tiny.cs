using TuneSharp.Models.Llama;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Modules;

/// <summary>Decoders small enough that a law can be tried on many of them.</summary>
internal static class Tiny
{
    /// <summary>Two layers, grouped heads of a width that the fused kernels take.</summary>
    public static readonly DecoderConfig Shape = new()
    {
        VocabSize = 61, NumLayers = 2, NumHeads = 4, NumKvHeads = 2, EmbedDim = 64, HiddenDim = 48, MaxSeqLen = 256,
    };

    /// <summary>Adapters on everything that can carry one, except the head.</summary>
    public static readonly LoraConfig Lora = new()
    {
        AttnModules = [LoraModule.QProj, LoraModule.KProj, LoraModule.VProj, LoraModule.OutputProj], ApplyToMlp = true, Rank = 3, Alpha = 7,
    };

    /// <summary>A model whose weights are large enough to tell right from wrong; adapters too when <paramref name="trained"/>, else they are fresh.</summary>
    public static TransformerDecoder Model(LoraConfig? lora = null, DecoderConfig? shape = null, int seed = 1, bool trained = true)
    {
        manual_seed(seed);
        TransformerDecoder model = LlamaDecoder.Build(shape ?? Shape, lora);
        using IDisposable off = no_grad();
        foreach ((string name, Tensor p) in model.NamedParameters())
        {
            if (p.dim() == 2 && (trained || !Adapters.IsAdapterName(name)))
            {
                p.normal_(0, 0.15);
            }
        }

        Adapters.InitialiseMagnitudes(model);
        return model;
    }

    /// <summary>Token ids, [rows, length].</summary>
    public static Tensor Tokens(long rows, long length, int seed = 2)
    {
        manual_seed(seed);
        return randint(0, Shape.VocabSize, [rows, length], dtype: ScalarType.Int64);
    }

    /// <summary>The gradients by name, cloned; and forgotten by the model.</summary>
    public static Dictionary<string, Tensor> TakeGradients(TransformerDecoder model)
    {
        Dictionary<string, Tensor> taken = new(StringComparer.Ordinal);
        foreach ((string name, Tensor p) in model.NamedParameters())
        {
            if (p.grad is { } g)
            {
                taken.Add(name, g.clone());
                p.grad = null;
            }
        }

        return taken;
    }

    /// <summary>Fails unless both have the same names and near values.</summary>
    public static void NearAll(Dictionary<string, Tensor> expected, Dictionary<string, Tensor> actual, double tolerance)
    {
        Assert.NotEmpty(expected);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, Tensor e) in expected)
        {
            Tolerances.Near(e, actual[name], tolerance, name);
        }
    }

    /// <summary>Fails unless all elements are the same bits.</summary>
    public static void Same(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.shape, actual.shape);
        Assert.True(expected.equal(actual).all().item<bool>(), "differs");
    }
}
