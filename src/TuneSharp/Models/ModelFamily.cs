using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models;

/// <summary>What <see cref="AutoModel"/> knows of a family: how its <c>config.json</c> is read, its model built and its weights named.</summary>
/// <param name="ModelType">Hugging Face's <c>model_type</c>.</param>
/// <param name="Shape">Reads the file. A field that it does not ask for must be on the list of those that say nothing.</param>
/// <param name="Build">Builds the model under the current <see cref="BuildScope"/>.</param>
/// <param name="Weights">The table of weight names.</param>
internal sealed record ModelFamily(
    string ModelType,
    Func<HfConfig, DecoderConfig> Shape,
    Func<DecoderConfig, LoraConfig?, TransformerDecoder> Build,
    Func<DecoderConfig, WeightMap> Weights);
