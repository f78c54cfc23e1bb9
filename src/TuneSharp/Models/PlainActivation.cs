using TuneSharp.Checkpointing;
using TuneSharp.Modules;

namespace TuneSharp.Models;

/// <summary>The activations of feed-forward blocks without a gate, by Hugging Face's names.</summary>
internal static class PlainActivation
{
    private static readonly Dictionary<string, GateActivation> Names = new(StringComparer.Ordinal)
    {
        ["gelu_new"] = GateActivation.GeluTanh, ["gelu_pytorch_tanh"] = GateActivation.GeluTanh, ["gelu_fast"] = GateActivation.GeluTanh,
        ["gelu"] = GateActivation.Gelu, ["relu"] = GateActivation.Relu, ["silu"] = GateActivation.Silu, ["swish"] = GateActivation.Silu,
    };

    /// <summary>Reads one.</summary>
    /// <param name="c">The file.</param>
    /// <param name="key">Its key.</param>
    /// <param name="otherwise">What it means when absent.</param>
    /// <exception cref="CheckpointException">It is none of those computed.</exception>
    public static GateActivation Read(HfConfig c, string key, string otherwise)
    {
        string name = c.Text(key, otherwise);
        HfDecoder.OneOf(c, key, name, [.. Names.Keys]);
        return Names[name];
    }
}
