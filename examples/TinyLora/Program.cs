// Fine-tunes LoRA adapters from C#, on the small model and the data that come with TuneSharp. From the repository's root:
//
//   dotnet run -c Release --project examples/TinyLora -- out/tiny-lora 40
//
// The arguments are the output folder and the number of steps; both may be left out. 40 steps take about half a minute.
using System.Globalization;
using TorchSharp;
using TuneSharp.Data;
using TuneSharp.Generation;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using TuneSharp.Recipes;
using TuneSharp.Training;
using Parameter = TorchSharp.Modules.Parameter;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string output = args.Length > 0 ? args[0] : Path.Combine("out", "tiny-lora");
int steps = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 40;
string modelFolder = Path.Combine(AppContext.BaseDirectory, "quickstart", "model");
string data = Path.Combine(AppContext.BaseDirectory, "quickstart", "data", "train.jsonl");

// A model with adapters on the queries and values of every layer. For a Llama 2 of Meta's size, the builder of that name does the same:
// Llama2Builders.LoraLlama2_7B(lora, weights: folder).
LoraConfig lora = new() { AttnModules = [LoraModule.QProj, LoraModule.VProj], Rank = 8, Alpha = 16 };
using BuildScope fp32 = new(dtype: torch.ScalarType.Float32);
using TransformerDecoder model = AutoModel.Load(modelFolder, lora);

// The long way to the same weights: a plain model's state dict has all but the adapters, so it is loaded non-strictly.
using (TransformerDecoder plain = AutoModel.Load(modelFolder))
{
    (IList<string> missing, IList<string> unexpected) = model.load_state_dict(plain.state_dict(), strict: false);
    Console.WriteLine($"The plain state dict lacks {missing.Count} tensors, all of adapters: {missing.All(Adapters.IsAdapterName)}; {unexpected.Count} are unexpected.");
}

// All adapters learn unless we say otherwise. Here those of the first layer stay as they are.
IReadOnlyDictionary<string, Parameter> adapters = Adapters.GetAdapterParams(model);
Adapters.SetTrainableParams(model, adapters.Where(a => !a.Key.StartsWith("layers.0.", StringComparison.Ordinal)).ToDictionary());
Console.WriteLine($"{adapters.Count} adapter tensors, {model.parameters().Count(p => p.requires_grad)} of them learn.");

LoraFinetuneTrainer trainer = new(model, data, output, batchSize: 8, maxSteps: steps, loggingSteps: 5)
{
    LearningRate = 5e-3,
    Console = new RunConsole(Console.Out, isTerminal: false),
};
IReadOnlyList<double> losses = trainer.Train();
string folder = trainer.SaveModel(Path.Combine(output, "adapter"));
Console.WriteLine($"Loss of the first and last fifth: {losses.Take(Math.Max(1, steps / 5)).Average():F3} -> {losses.TakeLast(Math.Max(1, steps / 5)).Average():F3}");
Console.WriteLine($"Adapter: {folder}");

// The folder is one that Hugging Face PEFT loads, and so do we.
using TransformerDecoder reloaded = AdapterModel.Load(modelFolder, folder);
IModelTokenizer tokenizer = HuggingFaceTokenizers.HuggingFaceModelTokenizer(path: modelFolder);
int[] prompt = tokenizer.TokenizeMessages([new Message(Role.User, "Define the word \"swimmer\"."), new Message(Role.Assistant, "")], inference: true).Tokens;
GenerationOptions greedy = new() { MaxNewTokens = 24, Temperature = 0, StopTokens = tokenizer.StopTokens };
int[] trained = TextGenerator.Generate(model, [prompt], greedy)[0], loaded = TextGenerator.Generate(reloaded, [prompt], greedy)[0];
Console.WriteLine($"Trained model:  {tokenizer.Decode(trained)}");
Console.WriteLine($"Reloaded model says the same: {trained.SequenceEqual(loaded)}");
