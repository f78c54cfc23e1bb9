using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
namespace TuneSharp.Models.Llama;
internal static class LlamaLoader
{
    public static TransformerDecoder Build(DecoderConfig shape, LoraConfig? lora, string? weights) => weights is null ? LlamaDecoder.Build(shape, lora) : throw new InvalidOperationException();
}
