using System.Text.Json.Nodes;
using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Evaluation;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using TuneSharp.Tests.Checkpointing;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Models;

/// <summary>Models of experts, GPT-2 and BERT: what is read is written again, adapters travel, routers are balanced.</summary>
public sealed class SparseAndEncoderTests : IDisposable
{
    private static readonly LoraConfig Everywhere = new()
    {
        AttnModules = [LoraModule.QProj, LoraModule.KProj, LoraModule.VProj, LoraModule.OutputProj], ApplyToMlp = true, Rank = 3, Alpha = 7,
    };

    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Folders() => ["gpt2", "bert_mlm", "bert_classifier", "mixtral", "qwen3_moe", "llama4_text", "gpt_oss"];

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void What_is_read_is_written_again_bit_for_bit(string golden)
    {
        using TransformerDecoder model = AutoModel.Load(Repo.Golden(golden));
        LazyTensors named = AdapterModel.MergedWeights(model).In(SourceNaming.For(Naming.HuggingFace, model.Weights));
        ShardedWriter.Write(_folder["out"], named.Infos, named.Read);
        using CheckpointReader before = CheckpointReader.Open(Repo.Golden(golden));
        using CheckpointReader after = CheckpointReader.Open(_folder["out"]);
        Assert.Equal(before.Tensors.Keys.Order(StringComparer.Ordinal), after.Tensors.Keys.Order(StringComparer.Ordinal));
        Assert.All(before.Tensors.Keys, n => Assert.True(before.Read(n).bytes.SequenceEqual(after.Read(n).bytes), n));
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Adapters_go_to_PEFT_and_back_and_into_the_weights(string golden)
    {
        string folder = Repo.Golden(golden);
        using TransformerDecoder model = AutoModel.Load(folder, Everywhere);
        Randomise(model);
        Tensor ids = Ids(golden);
        Tensor adapted = Logits(model, ids);

        AdapterModel.ToPeft(model, folder).Write(_folder["adapter"], AdapterModel.Tensors(model), model.Weights);
        using TransformerDecoder again = AdapterModel.Load(folder, _folder["adapter"]);
        Assert.Equal(Adapters.GetAdapterParams(model).Keys, Adapters.GetAdapterParams(again).Keys);
        Assert.True(Logits(again, ids).eq(adapted).all().ToBoolean());

        using (CheckpointReader weights = CheckpointReader.Open(folder))
        using (ITensorSource tensors = PeftAdapter.OpenTensors(_folder["adapter"]))
        {
            Exporter.Export(weights, model.Weights, PeftAdapter.Read(_folder["adapter"]), tensors, _folder["merged"], folder);
        }

        using TransformerDecoder merged = AutoModel.Load(_folder["merged"]);
        Near(adapted, Logits(merged, ids));
        using (Adapters.Disable(model))
        {
            Assert.False(allclose(Logits(model, ids), adapted, rtol: 1e-3, atol: 1e-3));
        }

        LazyTensors ours = AdapterModel.MergedWeights(model);
        Assert.All(ours.Infos, i => Near(merged.NamedParameters()[i.Name], ours.Read(i.Name)));
        Adapters.Merge(model);
        Near(adapted, Logits(model, ids));
    }

    [Theory]
    [InlineData("gpt2", true, "attn.c_attn,attn.c_proj,mlp.c_fc,mlp.c_proj")]
    [InlineData("mixtral", false, "q_proj,k_proj,v_proj,o_proj,w1,w2,w3")]
    [InlineData("qwen3_moe", false, "q_proj,k_proj,v_proj,o_proj,gate_proj,down_proj,up_proj")]
    public void PEFT_finds_the_modules_by_the_names_that_are_written(string golden, bool transposed, string modules)
    {
        using TransformerDecoder model = AutoModel.Load(Repo.Golden(golden), Everywhere);
        PeftAdapter peft = AdapterModel.ToPeft(model, null);
        Assert.Equal(transposed, peft.FanInFanOut);
        string[] wanted = modules.Split(',');
        Assert.All(peft.TargetModules, t => Assert.Contains(wanted, w => w == t || w.EndsWith("." + t, StringComparison.Ordinal)));
        Assert.All(wanted, w => Assert.Contains(peft.TargetModules, t => w == t || w.EndsWith("." + t, StringComparison.Ordinal)));
    }

    [Fact]
    public void A_module_whose_name_ends_as_another_does_is_written_with_its_path()
    {
        LoraConfig down = Everywhere with { AttnModules = [], ApplyToMlp = false, MlpModules = [LoraMlpModule.W2] };
        using TransformerDecoder model = AutoModel.Load(Repo.Golden("bert_mlm"), down);
        Assert.Equal(["bert.encoder.layer.0.output.dense", "bert.encoder.layer.1.output.dense"], AdapterModel.ToPeft(model, null).TargetModules);
        LoraConfig both = Everywhere with { ApplyToMlp = false, AttnModules = [LoraModule.OutputProj], MlpModules = [LoraMlpModule.W2] };
        using TransformerDecoder second = AutoModel.Load(Repo.Golden("bert_mlm"), both);
        Assert.Equal(["output.dense"], AdapterModel.ToPeft(second, null).TargetModules);
    }

    [Fact]
    public void Adapters_on_experts_that_share_a_weight_have_PEFTs_names_and_shapes()
    {
        using TransformerDecoder model = AutoModel.Load(Repo.Golden("gpt_oss"), Everywhere);
        PeftAdapter peft = AdapterModel.ToPeft(model, null);
        Assert.Equal(["mlp.experts.gate_up_proj", "mlp.experts.down_proj"], peft.TargetParameters);
        peft.Write(_folder["adapter"], AdapterModel.Tensors(model), model.Weights);
        using ITensorSource tensors = PeftAdapter.OpenTensors(_folder["adapter"]);
        const string experts = "base_model.model.model.layers.0.mlp.experts";
        Assert.Equal([4 * 3, 48], tensors.Tensors[experts + ".base_layer.lora_A.weight"].Shape); // E·r, D
        Assert.Equal([64, 3 * 4], tensors.Tensors[experts + ".base_layer.lora_B.weight"].Shape); // 2F, r·E
        Assert.Equal([4 * 3, 32], tensors.Tensors[experts + ".lora_A.weight"].Shape); // E·r, F
        Assert.Equal([48, 3 * 4], tensors.Tensors[experts + ".lora_B.weight"].Shape); // D, r·E
    }

    [Theory]
    [InlineData("mixtral")]
    [InlineData("qwen3_moe")] // gpt_oss has tokens that are 6e-4 from changing their experts: its loss has no slope to measure
    public void The_auxiliary_loss_has_the_gradient_of_its_value(string golden)
    {
        using TransformerDecoder model = AutoModel.Load(Repo.Golden(golden));
        model.Balance!.Enabled = true;
        Tensor ids = Ids(golden);
        using Tensor loss = model.Balance.Loss(model.Hidden(ids));
        loss.backward();
        foreach (string layer in (string[])["layers.0", "layers.2"])
        {
            if (!model.NamedParameters().TryGetValue(layer + ".mlp.router.weight", out Tensor? router))
            {
                continue;
            }

            manual_seed(5);
            Tensor direction = randn_like(router);
            double expected = (router.grad! * direction).sum().item<float>();
            double Value(double step)
            {
                using IDisposable off = no_grad();
                router.add_(direction * step);
                double value = model.Balance.Loss(model.Hidden(ids)).item<float>();
                router.sub_(direction * step);
                return value;
            }

            const double h = 2e-4; // small enough that no token changes its experts, large enough for fp32
            double slope = (Value(h) - Value(-h)) / (2 * h);
            Assert.True(Math.Abs(slope - expected) <= 0.02 * Math.Abs(expected) + 2e-3, $"{layer}: gradient {expected}, slope {slope}");
        }
    }

    [Theory]
    [InlineData("mixtral")]
    [InlineData("llama4_text")]
    [InlineData("gpt_oss")]
    public void Running_a_layer_again_for_its_gradient_changes_nothing(string golden)
    {
        Dictionary<string, Tensor> Gradients(bool again)
        {
            using TransformerDecoder model = AutoModel.Load(Repo.Golden(golden));
            model.Balance!.Enabled = true;
            model.train();
            model.Activations = new ActivationPolicy { Recompute = again ? RecomputedPart.Full : RecomputedPart.None };
            Tensor hidden = model.Hidden(Ids(golden));
            (hidden.square().mean() + model.Balance.Loss(hidden)).backward();
            return model.NamedParameters().Where(p => p.Value.grad is not null).ToDictionary(p => p.Key, p => p.Value.grad!.clone());
        }

        Dictionary<string, Tensor> plain = Gradients(again: false);
        Dictionary<string, Tensor> recomputed = Gradients(again: true);
        Assert.Equal(plain.Keys, recomputed.Keys);
        Assert.All(plain.Keys, n => Assert.True(plain[n].eq(recomputed[n]).all().ToBoolean(), n));
    }

    [Fact]
    public void A_whole_Llama_4s_text_model_is_found_inside_its_files()
    {
        string golden = Repo.Golden("llama4_text");
        JsonObject text = (JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(golden, "config.v4.json")))!;
        JsonObject whole = new()
        {
            ["architectures"] = new JsonArray("Llama4ForConditionalGeneration"),
            ["model_type"] = "llama4",
            ["text_config"] = text,
            ["vision_config"] = new JsonObject { ["hidden_size"] = 8 },
            ["image_token_index"] = 5,
            ["torch_dtype"] = "float32",
        };
        Directory.CreateDirectory(_folder["whole"]);
        File.WriteAllText(_folder["whole/config.json"], whole.ToJsonString());
        using (CheckpointReader reader = CheckpointReader.Open(golden))
        {
            Dictionary<string, string> names = reader.Tensors.Keys.ToDictionary(n => "language_model." + n, n => n, StringComparer.Ordinal);
            TensorInfo vision = new("vision_model.class_embedding", [8], ScalarType.Float32);
            SafetensorsWriter.Write(
                _folder["whole/model.safetensors"], [.. names.Select(n => reader.Tensors[n.Value] with { Name = n.Key }), vision],
                n => names.TryGetValue(n, out string? own) ? reader.Read(own) : zeros(8));
        }

        Assert.All(Parity.Compare(_folder["whole"], Repo.Golden("llama4_text/io.safetensors")).Where(r => !r.Name.StartsWith("grad.", StringComparison.Ordinal)), r => Assert.True(r.Passed, r.ToString()));
    }

    [Fact]
    public void MXFP4_weights_read_as_their_values()
    {
        float[] values = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6, 0, -0.5f, -1, -1.5f, -2, -3, -4, -6];
        (long e, long o, long g) = (2, 3, 2);
        manual_seed(1);
        Tensor blocks = randint(0, 256, [e, o, g, 16], dtype: ScalarType.Byte);
        Tensor scales = randint(100, 140, [e, o, g], dtype: ScalarType.Byte);
        Dictionary<string, Tensor> file = new(StringComparer.Ordinal) { ["x.gate_up_proj_blocks"] = blocks, ["x.gate_up_proj_scales"] = scales };
        SafetensorsWriter.Write(_folder["m.safetensors"], LazyTensors.Of(file).Infos, n => file[n]);
        using CheckpointReader reader = CheckpointReader.Open(_folder["m.safetensors"]);
        Assert.Equal(["x.gate_up_proj"], reader.Tensors.Keys);
        Assert.Equal([e, g * 32, o], reader.Tensors["x.gate_up_proj"].Shape);
        Tensor read = reader.Read("x.gate_up_proj");
        Assert.Equal(ScalarType.BFloat16, read.dtype);
        for (long i = 0; i < g * 32; i++)
        {
            int both = blocks[1, 2, i / 32, i % 32 / 2].item<byte>();
            float expected = MathF.ScaleB(values[i % 2 == 0 ? both & 15 : both >> 4], scales[1, 2, i / 32].item<byte>() - 127);
            Assert.Equal(expected, read[1, i, 2].to(ScalarType.Float32).item<float>());
        }
    }

    [Fact]
    public void An_encoder_does_not_see_padding()
    {
        using TransformerDecoder model = AutoModel.Load(Repo.Golden("bert_mlm"));
        model.eval();
        Tensor ids = Ids("bert_mlm").narrow(0, 0, 1);
        Tensor alone = model.Logits(ids.narrow(1, 0, 9));
        Tensor padded = model.Hidden(ids, seqLens: [[9, (int)ids.shape[1] - 9]]);
        Near(alone, model.Unembed(padded).narrow(1, 0, 9));
        Assert.Contains("encoder", Assert.Throws<ArgumentException>(() => model.Logits(ids, cache: model.NewCache(1, 64))).Message);
    }

    [Fact]
    public void A_text_longer_than_the_learned_positions_is_refused()
    {
        using TransformerDecoder model = AutoModel.Load(Repo.Golden("gpt2"));
        Assert.Contains("learned positions for 64", Assert.Throws<ArgumentException>(() => model.Logits(zeros([1, 65], ScalarType.Int64))).Message);
    }

    private static Tensor Ids(string golden)
    {
        using SafetensorsFile reference = new(Repo.Golden(golden + "/io.safetensors"));
        return reference.Read("input_ids").to(ScalarType.Int64).clone();
    }

    private static Tensor Logits(TransformerDecoder model, Tensor ids)
    {
        using IDisposable off = no_grad();
        model.eval();
        return model.Logits(ids);
    }

    private static void Randomise(TransformerDecoder model)
    {
        using IDisposable off = no_grad();
        manual_seed(3);
        foreach (TorchSharp.Modules.Parameter p in Adapters.GetAdapterParams(model).Values)
        {
            p.normal_(0, 0.1);
        }
    }

    private static void Near(Tensor expected, Tensor actual) =>
        Assert.True((expected - actual).abs().max().item<float>() <= 1e-4 * Math.Max(1, expected.abs().max().item<float>()));
}
