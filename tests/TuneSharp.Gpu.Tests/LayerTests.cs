using TorchSharp;
using TuneSharp.Kernels;
using TuneSharp.Models.Llama;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Modules.Peft;
using static TorchSharp.torch;

namespace TuneSharp.Gpu.Tests;

/// <summary>
/// Whole models through the fused layer, in bf16, against the modules in fp32 with the same weights: loss and every gradient may be no further
/// off than what plain libtorch computes in bf16, give or take a little.
/// </summary>
public sealed class LayerTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    private static readonly DecoderConfig Small = new()
    {
        VocabSize = 331, NumLayers = 3, NumHeads = 4, NumKvHeads = 2, EmbedDim = 256, HiddenDim = 344, MaxSeqLen = 512,
    };

    private static readonly LoraConfig All = new()
    {
        AttnModules = [LoraModule.QProj, LoraModule.KProj, LoraModule.VProj, LoraModule.OutputProj], ApplyToMlp = true, Rank = 8, Alpha = 16,
    };

    private static readonly LoraConfig Two = new() { AttnModules = [LoraModule.QProj, LoraModule.VProj], Rank = 16, Alpha = 16 };

    private static readonly int[][] Packed = [[40, 1, 87], [128], [3, 125]];

    [Theory]
    [InlineData("all", false, false)]
    [InlineData("folded", false, false)]
    [InlineData("folded", true, true)]
    [InlineData("folded 32", true, false)]
    [InlineData("all", true, false)]
    [InlineData("all", true, true)]
    [InlineData("two", false, true)]
    [InlineData("full", false, false)]
    [InlineData("full", true, true)]
    public void Loss_and_gradients_are_as_good_as_plain_ones(string mode, bool checkpoint, bool packed) => Check(mode, checkpoint, packed, Small);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Windows_and_biases(bool packed) =>
        Check("full", true, packed, Small with { SlidingWindow = 24, SlidingLayers = [0, 2], AttentionBias = true, MlpBias = true });

    [Fact]
    public void Gelu_and_heads_of_64() => Check("all", false, false, Small with { NumHeads = 8, HeadDim = 64, NumKvHeads = 8 });

    [Fact]
    public void Adapters_that_are_off_leave_the_base()
    {
        using TransformerDecoder model = New(All, Small, ScalarType.BFloat16);
        using IDisposable off = no_grad();
        using IDisposable without = Adapters.Disable(model);
        Tensor tokens = Tokens();
        Tensor ours = model.Hidden(tokens);
        using IDisposable reference = KernelChoice.Force(fused: false);
        Gpu.Near(model.Hidden(tokens), ours, 2 * Gpu.Bf16Twice, "hidden states");
    }

    [Fact]
    public void The_same_step_twice_gives_the_same_bits()
    {
        using TransformerDecoder model = New(All, Small, ScalarType.BFloat16);
        Adapters.FreezeAllBut(model);
        (Tensor tokens, Tensor labels) = (Tokens(), Tokens());
        Dictionary<string, Tensor> once = Gradients(model, tokens, labels, null, out Tensor loss);
        Dictionary<string, Tensor> twice = Gradients(model, tokens, labels, null, out Tensor again);
        Assert.Equal(loss.item<float>(), again.item<float>());
        Assert.All(once, g => Assert.True(Gpu.Distance(twice[g.Key], g.Value) == 0, g.Key));
    }

    public void Dispose() => _scope.Dispose();

    private static void Check(string mode, bool checkpoint, bool packed, DecoderConfig shape)
    {
        LoraConfig? lora = mode switch
        {
            "all" => All,
            "two" => Two,
            "folded" => All with { Rank = 16 }, // ranks and widths that the gated kernel takes
            "folded 32" => All with { Rank = 32 },
            _ => null,
        };
        shape = mode.StartsWith("folded", StringComparison.Ordinal) ? shape with { HiddenDim = 352 } : shape;
        IReadOnlyList<int[]>? lengths = packed ? Packed : null;
        (Tensor tokens, Tensor labels) = (Tokens(), Tokens());
        using TransformerDecoder model = New(lora, shape, ScalarType.BFloat16);
        using TransformerDecoder exactModel = New(lora, shape, ScalarType.Float32);
        using (no_grad())
        {
            IReadOnlyDictionary<string, Tensor> from = model.NamedParameters();
            foreach ((string name, Tensor p) in exactModel.NamedParameters())
            {
                p.copy_(from[name]);
            }
        }

        if (lora is not null)
        {
            Adapters.FreezeAllBut(model);
            Adapters.FreezeAllBut(exactModel);
        }

        model.Activations = checkpoint ? ActivationPolicy.Full : new ActivationPolicy();
        Dictionary<string, Tensor> ours = Gradients(model, tokens, labels, lengths, out Tensor loss);
        model.Activations = new ActivationPolicy();
        using IDisposable reference = KernelChoice.Force(fused: false);
        Dictionary<string, Tensor> plain = Gradients(model, tokens, labels, lengths, out _);
        Dictionary<string, Tensor> exact = Gradients(exactModel, tokens, labels, lengths, out Tensor wanted);
        Gpu.Near(wanted, loss, 2e-3, "loss");
        Assert.Equal(exact.Keys.Order(StringComparer.Ordinal), ours.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, Tensor gradient) in exact)
        {
            double distance = Gpu.Distance(ours[name], gradient), asPlain = Gpu.Distance(plain[name], gradient);
            Assert.True(distance <= (1.25 * asPlain) + 2e-3, FormattableString.Invariant($"{name}: {distance:E2}, plainly {asPlain:E2}"));
        }
    }

    private static Dictionary<string, Tensor> Gradients(
        TransformerDecoder model, Tensor tokens, Tensor labels, IReadOnlyList<int[]>? lengths, out Tensor loss)
    {
        model.train();
        for (int i = 0; i < 2; i++) // the second pass adds to what the first left
        {
            Tensor sum = new LinearCrossEntropyLoss().Sum(model, model.Hidden(tokens, null, null, lengths), labels);
            sum.backward();
            ActivationCheckpoint.ThrowIfFailed();
        }

        loss = new LinearCrossEntropyLoss().Sum(model, model.Hidden(tokens, null, null, lengths), labels).detach();
        Dictionary<string, Tensor> taken = new(StringComparer.Ordinal);
        foreach ((string name, Tensor p) in model.NamedParameters())
        {
            if (p.grad is { } g)
            {
                taken.Add(name, g.clone());
                p.grad = null;
            }
        }

        return taken;
    }

    private static Tensor Tokens() => randint(0, Small.VocabSize, [3, 128], ScalarType.Int64, Gpu.Device);

    private static TransformerDecoder New(LoraConfig? lora, DecoderConfig shape, ScalarType dtype)
    {
        using BuildScope scope = new(Gpu.Device, dtype);
        TransformerDecoder model = LlamaDecoder.Build(shape, lora);
        using IDisposable off = no_grad();
        foreach ((string name, Tensor p) in model.NamedParameters())
        {
            p.normal_(p.dim() == 1 && name.EndsWith("scale", StringComparison.Ordinal) ? 1 : 0, p.dim() == 2 ? 0.06 : 0.1);
        }

        return model;
    }
}
