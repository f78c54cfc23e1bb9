using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Config;
using TuneSharp.Kernels;
using TuneSharp.Models;
using TuneSharp.Models.Llama2;
using TuneSharp.Models.Llama3_2;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using TuneSharp.Tests.Checkpointing;
using TuneSharp.Tests.Modules;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Models;

/// <summary>Builders as people who write code call them.</summary>
public sealed class LlamaBuilderTests
{
    private static readonly LoraConfig Lora = new() { AttnModules = [LoraModule.QProj, LoraModule.VProj], Rank = 8, Alpha = 16 };

    /// <summary>Parameters of each released size, as its model card or paper counts them.</summary>
    [Theory]
    [InlineData("torchtune.models.llama2.llama2_7b", 6_738_415_616)]
    [InlineData("torchtune.models.llama2.llama2_13b", 13_015_864_320)]
    [InlineData("torchtune.models.llama2.llama2_70b", 68_976_648_192)]
    [InlineData("torchtune.models.llama3.llama3_8b", 8_030_261_248)]
    [InlineData("torchtune.models.llama3.llama3_70b", 70_553_706_496)]
    [InlineData("torchtune.models.llama3_1.llama3_1_8b", 8_030_261_248)]
    [InlineData("torchtune.models.llama3_1.llama3_1_405b", 405_853_388_800)]
    [InlineData("torchtune.models.llama3_2.llama3_2_1b", 1_235_814_400)]
    [InlineData("torchtune.models.llama3_2.llama3_2_3b", 3_212_749_824)]
    [InlineData("torchtune.models.llama3_3.llama3_3_70b", 70_553_706_496)]
    public void Sizes_are_those_of_the_releases(string name, long parameters)
    {
        using BuildScope meta = new(new Device(DeviceType.META)); // shapes without memory
        ComponentInfo builder = ComponentRegistry.Find(name)!;
        object?[] arguments = [.. builder.Factory.GetParameters().Select(p => p.HasDefaultValue ? p.DefaultValue : null)];
        using TransformerDecoder model = (TransformerDecoder)builder.Invoke(arguments)!;
        Assert.Equal(parameters, model.parameters().Sum(p => p.numel()));
    }

    [Fact]
    public void A_generic_builder_computes_what_the_folder_of_its_shape_computes()
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder loaded = AutoModel.Load(Repo.Golden("llama2"));
        using TransformerDecoder built = Llama2Builders.Llama2(
            vocabSize: 192, numLayers: 2, numHeads: 4, numKvHeads: 4, embedDim: 48, maxSeqLen: 256, intermediateDim: 96, normEps: 0.002);
        (IList<string> missing, IList<string> unexpected) = built.load_state_dict(loaded.state_dict(), strict: false);
        Assert.Empty(missing);
        Assert.Empty(unexpected);
        Tensor tokens = Tiny.Tokens(2, 9);
        Tiny.Same(loaded.forward(tokens), built.forward(tokens));
    }

    [Fact]
    public void A_plain_state_dict_goes_into_a_model_with_adapters_non_strictly()
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder plain = AutoModel.Load(Repo.Golden("llama2"));
        using TransformerDecoder adapted = Llama2Builders.LoraLlama2(
            Lora, vocabSize: 192, numLayers: 2, numHeads: 4, numKvHeads: 4, embedDim: 48, maxSeqLen: 256, intermediateDim: 96, normEps: 0.002);
        (IList<string> missing, IList<string> unexpected) = adapted.load_state_dict(plain.state_dict(), strict: false);
        Assert.Equal(Adapters.GetAdapterParams(adapted).Keys.Order(StringComparer.Ordinal), missing.Order(StringComparer.Ordinal));
        Assert.Empty(unexpected);
        Tensor tokens = Tiny.Tokens(2, 9);
        Tiny.Same(plain.forward(tokens), adapted.forward(tokens));
        Assert.Throws<InvalidOperationException>(() => adapted.load_state_dict(plain.state_dict(), strict: true));
    }

    [Fact]
    public void Weights_of_another_shape_are_refused_before_memory_is_filled()
    {
        // A meta scope: the 7B itself would take 27 GB, and the check needs shapes only.
        using BuildScope meta = new(new Device(DeviceType.META));
        CheckpointException e = Assert.Throws<CheckpointException>(() => Llama2Builders.Llama2_7B(weights: Repo.Golden("llama2")));
        Assert.Contains("[192, 48]", e.Message);
        Assert.Contains("[32000, 4096]", e.Message);
    }

    [Fact]
    public void A_folder_without_weights_is_told()
    {
        using TemporaryFolder empty = new();
        using BuildScope meta = new(new Device(DeviceType.META));
        Assert.Contains(empty.Path, Assert.Throws<CheckpointException>(() => Llama3_2Builders.LoraLlama3_2_1B(Lora, weights: empty.Path)).Message);
    }

    [Fact]
    public void A_loaded_model_has_the_folders_dtype_or_the_scopes()
    {
        using (TransformerDecoder own = AutoModel.Load(Path.Combine(Repo.Root, "quickstart", "model"), Lora))
        {
            Assert.Equal(ScalarType.BFloat16, own.Dtype);
            Assert.All(own.parameters(), p => Assert.Equal(ScalarType.BFloat16, p.dtype));
        }

        using BuildScope fp32 = new(dtype: ScalarType.Float32);
        using TransformerDecoder model = AutoModel.Load(Path.Combine(Repo.Root, "quickstart", "model"), Lora);
        Assert.All(model.parameters(), p => Assert.Equal(ScalarType.Float32, p.dtype));
        Assert.Equal(Path.Combine(Repo.Root, "quickstart", "model"), model.SourceDirectory);
        Assert.Same(Lora, model.Lora);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_classifier_has_an_output_for_each_class(bool adaptedHead)
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder plain = Llama2Builders.Llama2Classifier(
            numClasses: 3, vocabSize: 61, numLayers: 1, numHeads: 2, numKvHeads: 1, embedDim: 32, maxSeqLen: 64);
        using TransformerDecoder adapted = Llama2Builders.LoraLlama2Classifier(
            Lora with { ApplyToOutput = adaptedHead }, numClasses: 3, vocabSize: 61, numLayers: 1, numHeads: 2, numKvHeads: 1, embedDim: 32, maxSeqLen: 64);
        Assert.Equal([2L, 5L, 3L], plain.forward(Tiny.Tokens(2, 5)).shape);
        Assert.Equal([2L, 5L, 3L], adapted.forward(Tiny.Tokens(2, 5)).shape);
        Assert.Equal(adaptedHead, Adapters.GetAdapterParams(adapted).ContainsKey("output.lora_a.weight"));
        Assert.Contains("num_classes is 0", Assert.Throws<ArgumentException>(() => Llama2Builders.Llama2Classifier(
            numClasses: 0, vocabSize: 61, numLayers: 1, numHeads: 2, numKvHeads: 1, embedDim: 32, maxSeqLen: 64)).Message);
    }

    [Fact]
    public void Qlora_builders_hold_the_linears_of_all_layers_in_four_bits()
    {
        using BuildScope meta = new(META, ScalarType.BFloat16);
        using TransformerDecoder model = Llama2Builders.QloraLlama2_7B(Lora);
        QuantizedParameter[] quantised = [.. model.parameters().OfType<QuantizedParameter>()];
        Assert.Equal(32 * 7, quantised.Length);
        long count = quantised.Sum(p => p.numel()), bytes = quantised.Sum(p => p.Bytes);
        Assert.InRange(8.0 * bytes / count, 4.126, 4.128);
        Assert.True(2.0 * count / bytes >= 3.8);
    }
}
