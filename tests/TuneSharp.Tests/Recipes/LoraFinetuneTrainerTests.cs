using TorchSharp;
using TuneSharp.Data;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using TuneSharp.Recipes;
using TuneSharp.Tests.Checkpointing;
using TuneSharp.Tests.Data;
using TuneSharp.Tests.Modules;
using TuneSharp.Training.Metrics;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace TuneSharp.Tests.Recipes;

/// <summary>Training for people who write code.</summary>
public sealed class LoraFinetuneTrainerTests : IDisposable
{
    private static readonly LoraConfig Lora = new() { AttnModules = [LoraModule.QProj, LoraModule.VProj], Rank = 8, Alpha = 16 };

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void The_loss_falls_the_base_stays_and_the_saved_adapter_computes_the_same()
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = AutoModel.Load(Repo.Golden("llama2"), Lora);
        Dictionary<string, Tensor> before = model.NamedParameters().ToDictionary(p => p.Key, p => p.Value.detach().clone());
        LoraFinetuneTrainer trainer = Trainer(model, maxSteps: 30, loggingSteps: 10);
        IReadOnlyList<double> losses = trainer.Train(TestContext.Current.CancellationToken);

        Assert.Equal(30, losses.Count);
        Assert.True(losses[^1] < 0.7 * losses[0], $"{losses[0]} -> {losses[^1]}");
        Assert.All(model.NamedParameters(), p => Assert.Equal(!Adapters.IsAdapterName(p.Key), p.Value.equal(before[p.Key]).all().item<bool>()));
        Assert.Equal([(10L, losses[9]), (20L, losses[19]), (30L, losses[29])], MetricsFile.Read(_folder.Path, "loss"));

        string saved = trainer.SaveModel();
        Assert.Equal(_folder["adapter"], saved);
        using TransformerDecoder loaded = AdapterModel.Load(Repo.Golden("llama2"), saved);
        Tiny.Same(model.forward(Tiny.Tokens(2, 9)), loaded.forward(Tiny.Tokens(2, 9)));
    }

    [Fact]
    public void The_same_seed_gives_the_same_losses()
    {
        IReadOnlyList<double> Losses(int seed)
        {
            manual_seed(1);
            using TransformerDecoder model = AutoModel.Load(Repo.Golden("llama2"), Lora with { Dropout = 0.1 });
            return Trainer(model, maxSteps: 5, seed: seed).Train(TestContext.Current.CancellationToken);
        }

        IReadOnlyList<double> first = Losses(3);
        Assert.Equal(first, Losses(3));
        Assert.NotEqual(first, Losses(4));
    }

    [Fact]
    public void Adapters_that_were_frozen_stay_as_they_are()
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = AutoModel.Load(Repo.Golden("llama2"), Lora);
        IReadOnlyDictionary<string, Parameter> adapters = Adapters.GetAdapterParams(model);
        Dictionary<string, Parameter> last = adapters.Where(a => a.Key.StartsWith("layers.1.", StringComparison.Ordinal)).ToDictionary();
        Adapters.SetTrainableParams(model, last);
        Trainer(model, maxSteps: 3).Train(TestContext.Current.CancellationToken);
        Assert.All(adapters.Where(a => a.Key.EndsWith("lora_b.weight", StringComparison.Ordinal)), a =>
            Assert.Equal(last.ContainsKey(a.Key), a.Value.abs().max().item<float>() > 0));
        Adapters.SetTrainableParams(model, new Dictionary<string, Parameter>());
        Assert.Contains("All adapters are frozen", Assert.Throws<ArgumentException>(
            () => Trainer(model, maxSteps: 3).Train(TestContext.Current.CancellationToken)).Message);
    }

    [Fact]
    public void It_stops_after_the_step_under_way()
    {
        using TransformerDecoder model = AutoModel.Load(Repo.Golden("llama2"), Lora);
        using CancellationTokenSource stop = new();
        stop.Cancel();
        Assert.True(Trainer(model, maxSteps: 50).Train(stop.Token).Count <= 1);
    }

    [Fact]
    public void Mistakes_are_told_with_their_remedy()
    {
        using TransformerDecoder plain = AutoModel.Load(Repo.Golden("llama2")), unloaded = Tiny.Model(Tiny.Lora), small = Tiny.Model(Tiny.Lora);
        ListDataset samples = new([1, 2, 3]), foreign = new([1, 200, 3], [4, 5, 6]);
        Assert.Contains("no adapters", Assert.Throws<ArgumentException>(() => new LoraFinetuneTrainer(plain, samples, _folder.Path)).Message);
        Assert.Contains("Pass one", Assert.Throws<ArgumentException>(() => new LoraFinetuneTrainer(unloaded, samples, _folder.Path)).Message);
        Assert.Contains("vocabulary of 61", Assert.Throws<DatasetException>(
            () => new LoraFinetuneTrainer(small, foreign, _folder.Path, maxSteps: 1, tokenizer: new ByteModelTokenizer())
                .Train(TestContext.Current.CancellationToken)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => new LoraFinetuneTrainer(small, samples, _folder.Path, batchSize: 0));
    }

    public void Dispose() => _folder.Dispose();

    private LoraFinetuneTrainer Trainer(TransformerDecoder model, int maxSteps, int loggingSteps = 10, int seed = 42) =>
        new(model, new ListDataset([.. Enumerable.Range(0, 8).Select(i => (int[])[i, 7, 3, i + 9, 2, 40, 7, 3])]), _folder.Path,
            batchSize: 4, maxSteps, loggingSteps, new ByteModelTokenizer())
        { LearningRate = 2e-2, Seed = seed };
}
