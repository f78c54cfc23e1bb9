using TuneSharp.Checkpointing;
using TuneSharp.Modules;

namespace TuneSharp.Models.Llama;

/// <summary>Reads Hugging Face's <c>config.json</c> of the Llama family.</summary>
internal static class LlamaHfConfig
{
    /// <summary>The shape that the file describes.</summary>
    /// <exception cref="CheckpointException">A field has a value that this family does not compute.</exception>
    public static DecoderConfig Shape(HfConfig c) => HfDecoder.Read(c) with { MlpBias = c.Flag("mlp_bias", false) };
}
