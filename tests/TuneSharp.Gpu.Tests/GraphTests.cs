using TorchSharp;
using TuneSharp.Kernels;
using TuneSharp.Models.Llama;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Modules.Peft;
using TuneSharp.Recipes;
using TuneSharp.Training.Optimizers;
using static TorchSharp.torch;

namespace TuneSharp.Gpu.Tests;

/// <summary>A recorded step against the same step launched kernel by kernel.</summary>
public sealed class GraphTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void A_replayed_step_gives_the_losses_and_gradients_of_a_launched_one(bool checkpoint, bool full)
    {
        DecoderConfig shape = new() { VocabSize = 320, NumLayers = 2, NumHeads = 4, NumKvHeads = 2, EmbedDim = 256, HiddenDim = 344, MaxSeqLen = 512 };
        LoraConfig lora = new() { AttnModules = [LoraModule.QProj, LoraModule.VProj], ApplyToMlp = true, Rank = 8, Alpha = 16 };
        using BuildScope build = new(Gpu.Device, ScalarType.BFloat16);
        using TransformerDecoder model = LlamaDecoder.Build(shape, full ? null : lora);
        NamedParameter[] trained = full
            ? [.. model.named_parameters().Select(p => new NamedParameter(p.name, p.parameter))]
            : [.. Adapters.FreezeAllBut(model).Select(p => new NamedParameter(p.Key, p.Value))];
        using (no_grad())
        {
            foreach (NamedParameter p in trained)
            {
                p.Value.add_(randn_like(p.Value) * 0.05);
            }
        }

        model.Activations = checkpoint ? ActivationPolicy.Full : new ActivationPolicy();
        model.train();
        LinearCrossEntropyLoss loss = new();
        Tensor New() => randint(0, 320, [2, 64], ScalarType.Int64, Gpu.Device);
        Assert.True(StepGraph.Fits(model, loss, New()));
        using StepGraph graph = StepGraph.Record(model, loss, trained, New(), New());
        for (int i = 0; i < 3; i++)
        {
            (Tensor tokens, Tensor labels) = (New(), New());
            labels.narrow(1, 0, 9 * i).fill_(-100); // labels that do not count, another number each time
            float replayed = graph.Replay(tokens, labels).item<float>();
            Tensor[] gradients = [.. trained.Select(p => p.Value.grad!.clone())];
            foreach (NamedParameter p in trained)
            {
                p.Value.grad = null;
            }

            Tensor sum = loss.Sum(model, model.Hidden(tokens), labels);
            sum.backward();
            ActivationCheckpoint.ThrowIfFailed();
            Assert.Equal(sum.item<float>(), replayed, 1e-4f * Math.Abs(replayed));
            for (int p = 0; p < trained.Length; p++)
            {
                Gpu.Near(trained[p].Value.grad!, gradients[p], 4e-3, trained[p].Name);
                trained[p].Value.grad = null;
            }
        }
    }

    public void Dispose() => _scope.Dispose();
}
