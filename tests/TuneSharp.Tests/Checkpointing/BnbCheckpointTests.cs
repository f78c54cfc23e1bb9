using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Kernels;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Checkpointing;

/// <summary>Checkpoints in bitsandbytes' layout: read as they are, written byte for byte.</summary>
public sealed class BnbCheckpointTests
{
    private static readonly string Full = Repo.Golden("bnb/full");
    private static readonly string FourBit = Repo.Golden("bnb/bnb_4bit");
    private static readonly LoraConfig Lora = new() { AttnModules = [LoraModule.QProj, LoraModule.VProj], Rank = 2 };

    [Fact]
    public void Quantising_a_model_while_it_is_read_writes_the_file_that_transformers_writes()
    {
        using TemporaryFolder folder = new();
        using BuildScope build = new(CPU, ScalarType.BFloat16);
        using TransformerDecoder model = AutoModel.Load(Full, Lora with { QuantizeBase = true });
        Write(model, Full, folder.Path);
        SameFiles(folder.Path);
    }

    [Fact]
    public void Exporting_quantised_writes_the_same_file()
    {
        using TemporaryFolder folder = new();
        using CheckpointReader weights = CheckpointReader.Open(Full);
        Exporter.Export(weights, AutoModel.Weights(HfConfig.Read(Full)), null, null, folder["out"], Full, quantization: new Quantization());
        SameFiles(folder["out"]);
    }

    [Fact]
    public void A_quantised_checkpoint_is_held_as_it_is_and_goes_out_as_it_came()
    {
        using TemporaryFolder folder = new();
        using TransformerDecoder model = AutoModel.Load(FourBit);
        QuantizedParameter[] held = [.. model.parameters().OfType<QuantizedParameter>()];
        Assert.Equal(14, held.Length);
        Assert.All(held, p => Assert.NotNull(p.Value));
        long count = held.Sum(p => p.numel());
        Assert.True(2.0 * count / held.Sum(p => p.Bytes) >= 3.8);
        Write(model, FourBit, folder.Path);
        SameFiles(folder.Path);
    }

    [Fact]
    public void A_plain_model_and_an_adapted_one_take_the_same_numbers_from_it()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor tokens = arange(40, ScalarType.Int64).unsqueeze(0);
        using BuildScope build = new(CPU, ScalarType.Float32);
        using TransformerDecoder held = AutoModel.Load(FourBit);
        using TransformerDecoder adapted = AutoModel.Load(FourBit, Lora);
        using TransformerDecoder plain = AutoModel.Build(HfConfig.Read(FourBit));
        using CheckpointReader source = CheckpointReader.Open(FourBit);
        WeightLoader.Load(source, plain.NamedParameters(), plain.Weights, _ => false);
        Assert.Empty(plain.parameters().OfType<QuantizedParameter>());
        Tensor expected = plain.Logits(tokens).detach();
        Assert.True((held.Logits(tokens) - expected).abs().max().item<float>() < 1e-5f);
        Assert.True((adapted.Logits(tokens) - expected).abs().max().item<float>() < 1e-5f);
    }

    [Theory]
    [InlineData(QuantType.Fp4)]
    [InlineData(QuantType.Int8)]
    public void Other_types_come_back_as_they_went_out(QuantType type)
    {
        using TemporaryFolder folder = new();
        using CheckpointReader weights = CheckpointReader.Open(Full);
        Exporter.Export(weights, AutoModel.Weights(HfConfig.Read(Full)), null, null, folder["out"], Full, quantization: new Quantization(type));
        using TransformerDecoder model = AutoModel.Load(folder["out"]);
        Assert.Equal(type, AdapterModel.Quantization(model)?.Type);
        using DisposeScope scope = NewDisposeScope();
        const string name = "model.layers.1.mlp.up_proj.weight";
        using CheckpointReader back = CheckpointReader.Open(folder["out"]);
        Tensor original = weights.Read(name).to(ScalarType.Float32);
        double distance = (back.Read(name).to(ScalarType.Float32) - original).norm().item<float>() / original.norm().item<float>();
        Assert.InRange(distance, 1e-4, type == QuantType.Int8 ? 0.02 : 0.15);
    }

    [Fact]
    public void A_quantised_model_that_was_made_here_is_written_in_the_files_row_order()
    {
        using TemporaryFolder folder = new();
        using DisposeScope scope = NewDisposeScope();
        manual_seed(3);
        Tensor tokens = arange(30, ScalarType.Int64).unsqueeze(0);
        Tensor before;
        using (BuildScope build = new(CPU, ScalarType.Float32))
        {
            using TransformerDecoder model = AutoModel.Build(HfConfig.Read(Full), Lora with { QuantizeBase = true, DoubleQuant = false });
            before = model.Logits(tokens).detach();
            Write(model, Full, folder.Path);
        }

        using BuildScope again = new(CPU, ScalarType.Float32);
        using TransformerDecoder read = AutoModel.Load(folder.Path);
        Assert.True((read.Logits(tokens) - before).abs().max().item<float>() < 1e-4f);
    }

    [Fact]
    public void A_damaged_part_is_named()
    {
        using TemporaryFolder folder = new();
        using (SafetensorsFile file = new(Path.Combine(FourBit, "model.safetensors")))
        {
            SafetensorsWriter.Write(
                folder["model.safetensors"], file.Tensors.Values.Where(t => t.Name != "model.layers.0.mlp.up_proj.weight.nested_absmax"), file.Read);
        }

        using CheckpointReader reader = CheckpointReader.Open(folder.Path);
        Assert.Contains("model.layers.0.mlp.up_proj.weight.nested_absmax is missing",
            Assert.Throws<CheckpointException>(() => reader.Read("model.layers.0.mlp.up_proj.weight")).Message);
    }

    private static void Write(TransformerDecoder model, string companions, string folder)
    {
        LazyTensors weights = AdapterModel.QuantizedWeights(model);
        ShardedWriter.Write(folder, weights.Infos, weights.Read);
        CompanionFiles.Copy(companions, folder);
        BnbConfig.Write(folder, AdapterModel.Quantization(model));
    }

    private static void SameFiles(string folder)
    {
        Assert.Equal(File.ReadAllBytes(Path.Combine(FourBit, "model.safetensors")), File.ReadAllBytes(Path.Combine(folder, "model.safetensors")));
        Assert.Equal(
            File.ReadAllText(Path.Combine(FourBit, "config.json")).TrimEnd(), File.ReadAllText(Path.Combine(folder, "config.json")).TrimEnd());
    }
}
