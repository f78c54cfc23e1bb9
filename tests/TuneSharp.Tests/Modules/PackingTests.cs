using TorchSharp;
using TuneSharp.Kernels;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Modules;

/// <summary>Samples packed into rows are computed as if each stood alone, whichever way the attention goes.</summary>
public sealed class PackingTests
{
    private const double Tolerance = 2e-5; // of whole models in fp32: sums run in another order in each layer

    /// <summary>Lengths of the samples of each row. Short ones and long ones.</summary>
    private static readonly int[][][] Lengths = [[[5, 3, 8], [16], [1, 1, 14]], [[100, 28], [128]]];

    public static TheoryData<int, bool> Ways() => new() { { 0, true }, { 0, false }, { 1, true }, { 1, false } };

    [Fact]
    public void A_gpu_attends_under_a_mask_and_the_cpu_sample_by_sample()
    {
        Assert.True(Attention.PrefersMask(new Device(DeviceType.CUDA, 0)));
        Assert.False(Attention.PrefersMask(CPU));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void The_mask_gives_what_the_lengths_give(int set)
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Tiny.Model();
        (Tensor tokens, _, Tensor positions) = Packed(Lengths[set]);
        Tensor mask = Attention.BlockCausalMask(Lengths[set], tokens.shape[1], CPU);
        Tolerances.Near(
            model.Hidden(tokens, positions, null, Lengths[set]).detach(), model.Hidden(tokens, positions, mask).detach(), Tolerance, "hidden states");
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Packed_logits_loss_and_gradients_equal_those_of_the_samples_alone(int set, bool fused)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable choice = KernelChoice.Force(fused);
        using TransformerDecoder model = Tiny.Model();
        (Tensor tokens, Tensor labels, Tensor positions) = Packed(Lengths[set]);
        LinearCrossEntropyLoss loss = new();

        Tensor hidden = model.Hidden(tokens, positions, null, Lengths[set]);
        Tensor packed = loss.Sum(model, hidden, labels);
        packed.backward();
        Dictionary<string, Tensor> packedGradients = Tiny.TakeGradients(model);

        double alone = 0;
        List<Tensor> logits = [];
        foreach ((int row, int start, int length) in Samples(Lengths[set]))
        {
            Tensor Part(Tensor t) => t.narrow(0, row, 1).narrow(1, start, length).contiguous();
            Tensor h = model.Hidden(Part(tokens));
            Tensor sum = loss.Sum(model, h, Part(labels));
            sum.backward();
            alone += sum.item<float>();
            logits.Add(model.Unembed(h).detach().squeeze(0));
        }

        Tolerances.Near(cat(logits, 0), model.Unembed(hidden).detach().reshape(-1, Tiny.Shape.VocabSize), Tolerance, "logits");
        Assert.Equal(alone, packed.item<float>(), Tolerance * alone);
        Tiny.NearAll(Tiny.TakeGradients(model), packedGradients, Tolerance);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_mask_and_the_loop_over_samples_agree(int set)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(5);
        int[][] lengths = Lengths[set];
        long length = lengths[0].Sum();
        Tensor q = randn(lengths.Length, 4, length, 16), k = randn(lengths.Length, 2, length, 16), v = randn(lengths.Length, 2, length, 16);
        Tensor angles = empty(0);
        Tensor looped = Attention.Attend(q, k, v, new AttentionContext(angles, null, lengths), causal: true, dropout: 0);
        Tensor mask = Attention.BlockCausalMask(lengths, length, CPU);
        Tensor masked = Attention.Attend(q, k, v, new AttentionContext(angles, mask, lengths), causal: true, dropout: 0);
        Tolerances.Near(looped, masked, Tolerances.Fp32, "attention");
        long visible = lengths.Sum(row => row.Sum(n => n * (n + 1L) / 2));
        Assert.Equal(visible, mask.sum().item<long>());
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Activation_checkpointing_changes_no_bit_of_loss_and_gradients(int set, bool fused)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable choice = KernelChoice.Force(fused);
        using TransformerDecoder model = Tiny.Model(Tiny.Lora with { Dropout = 0.3 });
        (Tensor tokens, Tensor labels, Tensor positions) = Packed(Lengths[set]);
        model.train();
        (float plainLoss, Dictionary<string, Tensor> plain) = Run(new ActivationPolicy());
        ActivationPolicy[] policies =
        [
            ActivationPolicy.Full, new() { Recompute = RecomputedPart.Attn }, new() { Recompute = RecomputedPart.AttnMlp },
            new() { Recompute = RecomputedPart.Full, EveryNth = 2 }, new() { Recompute = RecomputedPart.AttnMlp, EveryNth = 2 },
            new() { Recompute = RecomputedPart.Full, Offload = true }, // no effect on a CPU
        ];
        foreach (ActivationPolicy policy in policies)
        {
            (float loss, Dictionary<string, Tensor> checkpointed) = Run(policy);
            Assert.Equal(plainLoss, loss);
            Assert.Equal(plain.Keys, checkpointed.Keys);
            Assert.All(plain, p => Tiny.Same(p.Value, checkpointed[p.Key]));
        }

        (float, Dictionary<string, Tensor>) Run(ActivationPolicy policy)
        {
            model.Activations = policy;
            manual_seed(6); // of the dropout
            Tensor sum = new LinearCrossEntropyLoss().Sum(model, model.Hidden(tokens, positions, null, Lengths[set]), labels);
            sum.backward();
            ActivationCheckpoint.ThrowIfFailed();
            return (sum.item<float>(), Tiny.TakeGradients(model));
        }
    }

    [Theory]
    [InlineData(RecomputedPart.None)]
    [InlineData(RecomputedPart.AttnMlp)]
    [InlineData(RecomputedPart.Full)]
    public void Tiles_of_tokens_give_the_same_loss_and_gradients(RecomputedPart part)
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Tiny.Model(Tiny.Lora);
        (Tensor tokens, Tensor labels, Tensor positions) = Packed(Lengths[0]);
        model.train();
        (float plainLoss, Dictionary<string, Tensor> plain) = Run(0);
        foreach (long tile in (long[])[1, 50, 64, 1000])
        {
            (float loss, Dictionary<string, Tensor> tiled) = Run(tile);
            Assert.Equal(plainLoss, loss, 1e-4f * plainLoss);
            Tiny.NearAll(plain, tiled, Tolerances.Twice(ScalarType.Float32)); // sums over tiles round differently
        }

        (float, Dictionary<string, Tensor>) Run(long tile)
        {
            model.Activations = new ActivationPolicy { Recompute = part, TileTokens = tile };
            Tensor sum = new LinearCrossEntropyLoss().Sum(model, model.Hidden(tokens, positions, null, Lengths[0]), labels);
            sum.backward();
            ActivationCheckpoint.ThrowIfFailed();
            return (sum.item<float>(), Tiny.TakeGradients(model));
        }
    }

    [Fact]
    public void Lengths_that_do_not_fill_a_row_are_refused()
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Tiny.Model();
        foreach (int[] wrong in (int[][])[[100, 27], [100, 29], [7, 7]])
        {
            foreach (bool fused in (bool[])[true, false])
            {
                using IDisposable choice = KernelChoice.Force(fused);
                ArgumentException e = Assert.Throws<ArgumentException>(() => model.Hidden(Tiny.Tokens(1, 128), null, null, [wrong]));
                Assert.Contains($"{wrong.Sum()} tokens", e.Message);
            }
        }
    }

    /// <summary>Tokens, labels within each sample (the last token of one learns nothing), positions that start again.</summary>
    private static (Tensor Tokens, Tensor Labels, Tensor Positions) Packed(int[][] lengths)
    {
        long length = lengths[0].Sum();
        Tensor tokens = Tiny.Tokens(lengths.Length, length), labels = full([lengths.Length, length], -100L, dtype: ScalarType.Int64);
        Tensor positions = zeros_like(labels);
        foreach ((int row, int start, int n) in Samples(lengths))
        {
            labels[row].narrow(0, start, n - 1).copy_(tokens[row].narrow(0, start + 1, n - 1));
            positions[row].narrow(0, start, n).copy_(arange(n, ScalarType.Int64));
        }

        return (tokens, labels, positions);
    }

    private static IEnumerable<(int Row, int Start, int Length)> Samples(int[][] lengths)
    {
        for (int row = 0; row < lengths.Length; row++)
        {
            int start = 0;
            foreach (int length in lengths[row])
            {
                yield return (row, start, length);
                start += length;
            }
        }
    }
}
