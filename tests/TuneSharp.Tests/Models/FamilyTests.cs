using System.Text.Json.Nodes;
using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Generation;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using TuneSharp.Tests.Checkpointing;
using TuneSharp.Tests.Modules;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Models;

/// <summary>Laws that hold for every family, tried on each model folder under tests/golden that <see cref="AutoModel"/> loads.</summary>
public sealed class FamilyTests
{
    private const double Fp32 = Tolerances.Fp32Model;
    private const int Prompt = 12;    // longer than the golden models' windows, so that these matter

    /// <summary>Decoder folders, found on disk.</summary>
    public static TheoryData<string> Folders() =>
    [
        .. Directory.EnumerateDirectories(Repo.Golden(""))
            .Where(d => File.Exists(Path.Combine(d, "config.json")) && File.Exists(Path.Combine(d, "io.safetensors")))
            .Where(d => AutoModel.KnownTypes.Contains(HfConfig.Read(d).ModelType))
            .Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal),
    ];

    /// <summary>Those that generate text.</summary>
    public static TheoryData<string> Generators() =>
        [.. Folders().Select(f => f.Data).Where(f => Shape(f) is { NumClasses: 0 } && HfConfig.Read(Repo.Golden(f)).ModelType != "bert")];

    /// <summary>Dense models: a router's choice is not continuous, so a bound on rounding says nothing of experts.</summary>
    public static TheoryData<string> Dense() => [.. Folders().Select(f => f.Data).Where(f => Shape(f).Moe is null)];

    /// <summary>Dense decoders with four linears of attention and three of the block; experts, GPT-2 and BERT have tests of their own.</summary>
    public static TheoryData<string> WithLinearAdapters() =>
        [.. Generators().Select(f => f.Data).Where(f => Shape(f).Moe is null && HfConfig.Read(Repo.Golden(f)).ModelType != "gpt2")];

    [Theory]
    [MemberData(nameof(Generators))]
    public void Cached_is_uncached_and_a_batch_is_its_rows(string folder)
    {
        using TransformerDecoder model = Load(folder);
        int[][] prompts = [Ids(model, Prompt, 1), Ids(model, 3, 2), Ids(model, 9, 3)];
        GenerationOptions greedy = new() { Temperature = 0, MaxNewTokens = 12 };
        int[][] batch = Generate(model, prompts, greedy);
        Assert.Equal(Generate(model, prompts, greedy with { EnableKvCache = false }), batch);
        if (model.MustRecompute(1, Prompt + 12))
        {
            return; // rotary frequencies follow the longest row, as in transformers: a row alone has others
        }

        for (int row = 0; row < prompts.Length; row++)
        {
            Assert.Equal(Generate(model, [prompts[row]], greedy)[0], batch[row]);
        }
    }

    [Theory]
    [MemberData(nameof(Generators))]
    public void Tokens_fed_one_by_one_give_the_logits_of_all_at_once(string folder)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable off = no_grad();
        using TransformerDecoder model = Load(folder);
        Tensor ids = tensor([.. Ids(model, 2 * Prompt, 4).Select(i => (long)i)]).unsqueeze(0);
        long length = ids.shape[1];
        while (model.MustRecompute(1, length))
        {
            length--;
        }

        ids = ids.narrow(1, 0, length);
        using KvCache cache = model.NewCache(1, length);
        Tensor first = model.Logits(ids.narrow(1, 0, 5), cache: cache);
        List<Tensor> steps = [first, model.Logits(ids.narrow(1, 5, 4), cache: cache)]; // several tokens after the first, then one by one
        for (long i = 9; i < length; i++)
        {
            steps.Add(model.Logits(ids.narrow(1, i, 1), cache: cache));
        }

        Tolerances.Near(model.Logits(ids), cat(steps, 1), Fp32, folder);
    }

    [Theory]
    [MemberData(nameof(Generators))]
    public void Padding_changes_nothing_on_either_side(string folder)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable off = no_grad();
        using TransformerDecoder model = Load(folder);
        long real = 14, pad = model.MustRecompute(1, 19) ? 2 : 5, all = real + pad;
        Tensor ids = tensor([.. Ids(model, (int)real, 5).Select(i => (long)i)]).unsqueeze(0);
        Tensor filler = zeros([1, pad], ScalarType.Int64), causal = ones([all, all], ScalarType.Bool).tril(), self = eye(all, dtype: ScalarType.Bool);
        Tensor index = arange(all, ScalarType.Int64);
        Tensor Mask(Tensor keys) => causal.logical_and(keys).logical_or(self).unsqueeze(0).unsqueeze(0);

        Tensor alone = model.Logits(ids);
        Tensor right = model.Logits(cat([ids, filler], 1), mask: Mask(index.lt(real))).narrow(1, 0, real);
        Tensor left = model.Logits(cat([filler, ids], 1), (index - pad).clamp_min(0).unsqueeze(0), Mask(index.ge(pad))).narrow(1, pad, real);
        Tolerances.Near(alone, right, Fp32, folder + ": right");
        Tolerances.Near(alone, left, Fp32, folder + ": left");
    }

    [Theory]
    [MemberData(nameof(Generators))]
    public void Packed_samples_do_not_see_each_other(string folder)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable off = no_grad();
        using TransformerDecoder model = Load(folder);
        int[] lengths = [13, 3];
        Tensor ids = tensor([.. Ids(model, 16, 6).Select(i => (long)i)]).unsqueeze(0);
        Tensor positions = tensor([.. lengths.SelectMany(n => Enumerable.Range(0, n)).Select(i => (long)i)]).unsqueeze(0);
        Tensor packed = model.Unembed(model.Hidden(ids, positions, null, [lengths]));
        Tensor apart = cat([model.Logits(ids.narrow(1, 0, 13)), model.Logits(ids.narrow(1, 13, 3))], 1);
        Tolerances.Near(apart, packed, Fp32, folder);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Written_back_the_file_is_the_same_bytes(string folder)
    {
        using TransformerDecoder model = Load(folder);
        using CheckpointReader source = CheckpointReader.Open(Repo.Golden(folder));
        LazyTensors written = AdapterModel.MergedWeights(model).In(SourceNaming.For(Naming.HuggingFace, model.Weights));
        string[] kept = [.. source.Tensors.Keys.Where(n => !model.Weights.IsDropped(n)).Order(StringComparer.Ordinal)];
        Assert.Equal(kept, written.Infos.Select(i => i.Name).Order(StringComparer.Ordinal));
        foreach (string name in kept)
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor mine = written.Read(name).contiguous(), theirs = source.Read(name);
            Assert.Equal(theirs.shape, mine.shape);
            Assert.True(theirs.bytes.SequenceEqual(mine.bytes), name);
        }
    }

    [Theory]
    [MemberData(nameof(Dense))]
    public void In_bf16_logits_stay_within_what_its_eight_bits_allow(string folder)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable off = no_grad();
        using TransformerDecoder exact = Load(folder);
        using TransformerDecoder rounded = Load(folder, ScalarType.BFloat16);
        Tensor ids = tensor([.. Ids(exact, 12, 7).Select(i => (long)i)]).unsqueeze(0);
        Tensor a = exact.Logits(ids), b = rounded.Logits(ids);
        double relative = ((a - b).norm() / a.norm()).item<float>();
        Assert.True(relative < Tolerances.Bf16Logits, FormattableString.Invariant($"{folder}: {relative:E2}"));
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_field_that_nobody_understands_is_refused(string folder)
    {
        JsonObject json = (JsonObject)JsonNode.Parse(File.ReadAllText(Repo.Golden(folder + "/config.json")))!;
        json["attention_sharpening"] = 2;
        CheckpointException e = Assert.Throws<CheckpointException>(() => AutoModel.Shape(new HfConfig(json)));
        Assert.Contains("attention_sharpening", e.Message);
    }

    [Theory]
    [MemberData(nameof(WithLinearAdapters))]
    public void Adapters_go_to_PEFT_and_back(string folder)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable off = no_grad();
        foreach (LoraConfig lora in (LoraConfig[])[
            new() { AttnModules = [LoraModule.QProj, LoraModule.VProj, LoraModule.OutputProj], ApplyToMlp = true, Rank = 3, Alpha = 5 },
            new() { AttnModules = [LoraModule.QProj, LoraModule.KProj], Rank = 2, Alpha = 4, UseRslora = true },
            new() { AttnModules = [LoraModule.VProj], MlpModules = [LoraMlpModule.W1], Rank = 2, Alpha = 4, UseDora = true }])
        {
            using BuildScope build = new(CPU, ScalarType.Float32);
            using TransformerDecoder model = AutoModel.Load(Repo.Golden(folder), lora);
            manual_seed(8);
            foreach ((string name, TorchSharp.Modules.Parameter p) in Adapters.GetAdapterParams(model))
            {
                if (name.EndsWith("magnitude", StringComparison.Ordinal))
                {
                    p.mul_(1.1);
                }
                else
                {
                    p.normal_(0, 0.1);
                }
            }

            model.eval();
            using TemporaryFolder to = new();
            AdapterModel.ToPeft(model, "base").Write(to.Path, AdapterModel.Tensors(model), model.Weights);
            using TransformerDecoder back = AdapterModel.Load(Repo.Golden(folder), to.Path);
            back.eval();
            Tensor ids = tensor([.. Ids(model, 10, 9).Select(i => (long)i)]).unsqueeze(0);
            Tensor logits = model.Logits(ids);
            Tolerances.Near(logits, back.Logits(ids), Fp32, folder);

            using TemporaryFolder merged = new();
            using CheckpointReader weights = CheckpointReader.Open(Repo.Golden(folder));
            using ITensorSource updates = PeftAdapter.OpenTensors(to.Path);
            Exporter.Export(weights, model.Weights, PeftAdapter.Read(to.Path), updates, merged.Path + "/m", Repo.Golden(folder));
            using TransformerDecoder whole = AutoModel.Load(merged.Path + "/m");
            whole.eval();
            Tolerances.Near(logits, whole.Logits(ids), Fp32, folder + ": merged");

            using TransformerDecoder resumed = AutoModel.Load(Repo.Golden(folder), lora);
            resumed.eval();
            AdapterModel.LoadAdapters(resumed, updates);
            Tiny.Same(logits, resumed.Logits(ids));
        }
    }

    private static DecoderConfig Shape(string folder) => AutoModel.Shape(HfConfig.Read(Repo.Golden(folder)));

    private static int[][] Generate(TransformerDecoder model, int[][] prompts, GenerationOptions options) =>
        TextGenerator.Generate(model, prompts, options, stop: TestContext.Current.CancellationToken);

    private static TransformerDecoder Load(string folder, ScalarType dtype = ScalarType.Float32)
    {
        using BuildScope build = new(CPU, dtype);
        TransformerDecoder model = AutoModel.Load(Repo.Golden(folder));
        model.eval();
        return model;
    }

    private static int[] Ids(TransformerDecoder model, int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(3, (int)model.Shape.VocabSize))];
    }
}
