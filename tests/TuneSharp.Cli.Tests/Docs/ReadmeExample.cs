using TuneSharp.Models.Llama3_2;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using TuneSharp.Recipes;

namespace TuneSharp.Cli.Tests.Docs;

/// <summary>The README's example, so that the compiler reads it. <see cref="DocsTests"/> compares the two.</summary>
internal static class ReadmeExample
{
    internal static void Run()
    {
        LoraConfig lora = new() { AttnModules = [LoraModule.QProj, LoraModule.VProj], Rank = 8, Alpha = 16 };
        using TransformerDecoder model = Llama3_2Builders.LoraLlama3_2_1B(lora, weights: "/tmp/Llama-3.2-1B-Instruct");
        LoraFinetuneTrainer trainer = new(model, "my.jsonl", "out/mine", batchSize: 2, maxSteps: 100, loggingSteps: 10);
        IReadOnlyList<double> losses = trainer.Train();
        string adapter = trainer.SaveModel(); // a folder that PEFT loads
    }
}
