using System.Diagnostics;
using System.Text.Json;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using TuneSharp.Recipes;
using TuneSharp.Tests.Checkpointing;
using TuneSharp.Tests.Data;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Contracts;

/// <summary>What training leaves is read by a program that shares no code with ours: tests/check_peft_folder.py.</summary>
public sealed class PeftFolderTests
{
    /// <summary>Tensors of two layers: a pair for each of two linears, a magnitude more with DoRA; everywhere also the head and its base.</summary>
    public static TheoryData<string, int> Kinds() => new() { { "lora", 8 }, { "rslora", 8 }, { "dora", 12 }, { "everywhere", 31 }, { "bf16", 8 } };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Trained_adapters_have_PEFTs_names_shapes_and_settings(string kind, int tensors)
    {
        using TemporaryFolder folder = new();
        string model = Repo.Golden("llama3_1");
        string adapter = Train(kind, model, folder["adapter"]);
        string said = Check(model, adapter, Expected(kind), out int status);
        Assert.Equal(0, status);
        Assert.Equal($"ok {tensors} tensors", said.Trim());
    }

    [Theory]
    [InlineData("r", 4)]
    [InlineData("lora_alpha", 1)]
    [InlineData("use_dora", true)]
    [InlineData("dtype", "BF16")]
    public void The_reader_does_notice(string key, object wrong)
    {
        using TemporaryFolder folder = new();
        string adapter = Train("lora", Repo.Golden("llama3_1"), folder["adapter"]);
        Dictionary<string, object> expected = Expected("lora");
        expected[key] = wrong;
        string said = Check(Repo.Golden("llama3_1"), adapter, expected, out int status);
        Assert.Equal(1, status);
        Assert.Contains(key, said);
    }

    private static LoraConfig Lora(string kind) => new()
    {
        AttnModules = kind == "everywhere" ? Enum.GetValues<LoraModule>() : [LoraModule.QProj, LoraModule.VProj],
        ApplyToMlp = kind == "everywhere",
        ApplyToOutput = kind == "everywhere",
        Rank = 3,
        Alpha = 6,
        Dropout = 0.05,
        UseDora = kind == "dora",
        UseRslora = kind == "rslora",
    };

    private static Dictionary<string, object> Expected(string kind) => new(StringComparer.Ordinal)
    {
        ["r"] = 3,
        ["lora_alpha"] = 6,
        ["lora_dropout"] = 0.05,
        ["target_modules"] = kind == "everywhere"
            ? (string[])["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"] : ["q_proj", "v_proj"],
        ["use_dora"] = kind == "dora",
        ["use_rslora"] = kind == "rslora",
        ["base_model_name_or_path"] = Repo.Golden("llama3_1"),
        ["dtype"] = kind == "bf16" ? "BF16" : "F32",
    };

    private static string Train(string kind, string modelFolder, string adapter)
    {
        using BuildScope scope = new(dtype: kind == "bf16" ? ScalarType.BFloat16 : ScalarType.Float32);
        using TransformerDecoder model = AutoModel.Load(modelFolder, Lora(kind));
        ListDataset samples = new([1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]);
        LoraFinetuneTrainer trainer = new(model, samples, adapter, batchSize: 2, maxSteps: 3, tokenizer: new ByteModelTokenizer());
        Assert.Equal(3, trainer.Train(TestContext.Current.CancellationToken).Count);
        return trainer.SaveModel(adapter);
    }

    private static string Check(string model, string adapter, Dictionary<string, object> expected, out int status)
    {
        ProcessStartInfo start = new("python3", [Path.Combine(Repo.Root, "tests", "check_peft_folder.py"), model, adapter, JsonSerializer.Serialize(expected)])
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
            RedirectStandardError = true,
        };
        using Process python = Process.Start(start)!;
        string said = python.StandardOutput.ReadToEnd() + python.StandardError.ReadToEnd();
        python.WaitForExit();
        status = python.ExitCode;
        Assert.True(status is 0 or 1, said);
        return said;
    }
}
