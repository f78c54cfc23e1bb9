using FsCheck.Xunit;
using TorchSharp;
using TuneSharp.Kernels;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Modules.Peft;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Modules;

/// <summary>The chunked loss, the whole one, and the formula written out agree in value and in every gradient.</summary>
public sealed class LossTests
{
    public static TheoryData<string> Heads() => ["trained", "frozen", "tied", "lora", "dora"];

    [Theory]
    [MemberData(nameof(Heads))]
    public void All_ways_agree_for_every_head_and_any_number_of_chunks(string head)
    {
        foreach (bool fused in (bool[])[true, false])
        {
            using IDisposable choice = KernelChoice.Force(fused);
            foreach (int chunks in (int[])[1, 3, 7, 8, 1000])
            {
                Agree(head, chunks, seed: chunks, learned: 0.7);
            }
        }
    }

    [Property(MaxTest = 30)]
    public void All_ways_agree_for_any_labels(byte chunks, byte learned, bool fused, int seed)
    {
        using IDisposable choice = KernelChoice.Force(fused);
        Agree("trained", 1 + chunks, seed, learned / 255.0);
    }

    [Theory]
    [MemberData(nameof(Heads))]
    public void Without_a_label_that_counts_the_loss_and_its_gradients_are_zero(string head)
    {
        foreach (ILoss loss in Losses(8))
        {
            using DisposeScope scope = NewDisposeScope();
            using TransformerDecoder model = Model(head);
            Tensor hidden = randn([2, 5, 64], requires_grad: true);
            Tensor sum = loss.Sum(model, hidden, full([2, 5], -100L, dtype: ScalarType.Int64));
            sum.backward();
            Assert.Equal(0, sum.item<float>());
            Assert.Equal(0, hidden.grad!.abs().max().item<float>());
            Assert.All(Tiny.TakeGradients(model).Values, g => Assert.Equal(0, g.abs().max().item<float>()));
        }
    }

    [Theory]
    [MemberData(nameof(Heads))]
    public void In_bf16_the_loss_and_gradients_are_those_of_fp32_within_its_rounding(string head)
    {
        foreach (bool fused in (bool[])[true, false])
        {
            using DisposeScope scope = NewDisposeScope();
            using IDisposable choice = KernelChoice.Force(fused);
            using TransformerDecoder model = Model(head);
            Tensor labels = Labels(seed: 4, learned: 0.7);
            Tensor hidden = randn([3, 11, 64]).bfloat16();
            foreach (Tensor p in model.parameters())
            {
                using IDisposable off = no_grad();
                p.copy_(p.bfloat16()); // the same numbers in both
            }

            (double expected, Dictionary<string, Tensor> exact) = Run(model, hidden.to(ScalarType.Float32), h => Formula(model, h, labels));
            model.to(ScalarType.BFloat16);
            (double sum, Dictionary<string, Tensor> ours) = Run(model, hidden, h => new LinearCrossEntropyLoss(3).Sum(model, h, labels));
            Assert.Equal(expected, sum, 5e-3 * expected);
            Tiny.NearAll(exact, ours, 2 * Tolerances.Bf16Twice); // the product with dz, itself rounded, goes back through the head
        }
    }

    [Fact]
    public void The_loss_is_a_fp32_number_whatever_the_model_is()
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Model("trained");
        model.to(ScalarType.BFloat16);
        Tensor hidden = randn([3, 11, 64]).bfloat16();
        Assert.All(Losses(4), loss => Assert.Equal(ScalarType.Float32, loss.Sum(model, hidden, Labels(1, 0.5)).dtype));
    }

    [Theory]
    [MemberData(nameof(Heads))]
    public void Smoothing_and_z_loss_are_the_same_for_every_head(string head)
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Model(head);
        Tensor labels = Labels(seed: 4, learned: 0.7);
        Tensor hidden = randn([3, 11, 64]);
        Tensor logits_NV = model.Unembed(hidden.reshape(-1, 64));
        Tensor learned_N = labels.reshape(-1).ne(-100);
        double expected = nn.functional.cross_entropy(
            logits_NV, labels.reshape(-1), ignore_index: -100, reduction: nn.Reduction.Sum, label_smoothing: 0.1).item<float>()
            + (1e-3 * (logits_NV.logsumexp(1).square() * learned_N).sum().item<float>());
        float sum = new LinearCrossEntropyLoss(3, labelSmoothing: 0.1, zLoss: 1e-3).Sum(model, hidden, labels).item<float>();
        Assert.Equal(expected, sum, 1e-5 * expected);
    }

    [Fact]
    public void Another_label_can_be_the_ignored_one()
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Model("trained");
        Tensor hidden = randn([3, 11, 64]), labels = Labels(seed: 4, learned: 0.7);
        float expected = new LinearCrossEntropyLoss().Sum(model, hidden, labels).item<float>();
        Tensor marked = where(labels.eq(-100), tensor(-7L), labels);
        Assert.Equal(expected, new LinearCrossEntropyLoss(8, -7).Sum(model, hidden, marked).item<float>());
        Assert.Equal(expected, new CrossEntropyLoss(-7).Sum(model, hidden, marked).item<float>(), 1e-3);
    }

    [Fact]
    public void Settings_that_cannot_be_are_refused()
    {
        Assert.Contains("num_output_chunks is 0", Assert.Throws<ArgumentException>(() => new LinearCrossEntropyLoss(0)).Message);
        Assert.Contains("tp_enabled", Assert.Throws<ArgumentException>(() => new LinearCrossEntropyLoss(tpEnabled: true)).Message);
        Assert.Contains("label_smoothing is 1", Assert.Throws<ArgumentException>(() => new LinearCrossEntropyLoss(labelSmoothing: 1)).Message);
        Assert.Contains("z_loss is -1", Assert.Throws<ArgumentException>(() => new LinearCrossEntropyLoss(zLoss: -1)).Message);
        Assert.Contains("label_smoothing is 2", Assert.Throws<ArgumentException>(() => new CrossEntropyLoss(labelSmoothing: 2)).Message);
    }

    private static ILoss[] Losses(int chunks) => [new LinearCrossEntropyLoss(chunks), new CEWithChunkedOutputLoss(chunks), new CrossEntropyLoss()];

    private static void Agree(string head, int chunks, int seed, double learned)
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Model(head);
        manual_seed(seed);
        Tensor hidden = randn(3, 11, 64), labels = Labels(seed, learned);
        (double expected, Dictionary<string, Tensor> gradients) = Run(model, hidden, h => Formula(model, h, labels));
        foreach (ILoss loss in Losses(chunks))
        {
            (double sum, Dictionary<string, Tensor> ours) = Run(model, hidden, h => loss.Sum(model, h, labels));
            Assert.Equal(expected, sum, 1e-5 * expected);
            Tiny.NearAll(gradients, ours, 1e-5);
        }
    }

    private static (double Sum, Dictionary<string, Tensor> Gradients) Run(TransformerDecoder model, Tensor hidden, Func<Tensor, Tensor> loss)
    {
        Tensor h = hidden.detach().clone().requires_grad_(true);
        Tensor sum = loss(h);
        sum.backward();
        Dictionary<string, Tensor> gradients = Tiny.TakeGradients(model);
        gradients.Add("hidden", h.grad!);
        return (sum.item<float>(), gradients);
    }

    /// <summary>Σ logsumexp(z) − z[label], over the labels that count.</summary>
    private static Tensor Formula(TransformerDecoder model, Tensor hidden, Tensor labels)
    {
        Tensor z_NV = model.Unembed(hidden).reshape(-1, Tiny.Shape.VocabSize), y_N = labels.reshape(-1);
        Tensor counts_N = y_N.ne(-100);
        Tensor picked_N = z_NV.gather(1, y_N.clamp_min(0).unsqueeze(1)).squeeze(1);
        return ((z_NV.exp().sum(dim: 1).log() - picked_N) * counts_N).sum();
    }

    /// <summary>Labels of which about a share counts; the first always does.</summary>
    private static Tensor Labels(int seed, double learned)
    {
        Tensor labels = Tiny.Tokens(3, 11, seed);
        Tensor dropped = rand(3, 11).ge(learned);
        dropped[0, 0] = tensor(false);
        return labels.masked_fill(dropped, -100L);
    }

    private static TransformerDecoder Model(string head)
    {
        LoraConfig? lora = head is "lora" or "dora" ? Tiny.Lora with { ApplyToOutput = true, UseDora = head == "dora" } : null;
        TransformerDecoder model = Tiny.Model(lora, Tiny.Shape with { TieWordEmbeddings = head == "tied" });
        if (lora is not null)
        {
            Adapters.FreezeAllBut(model);
        }
        else if (head == "frozen")
        {
            model.OutputWeight.requires_grad_(false);
        }

        return model;
    }
}
