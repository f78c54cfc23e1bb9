using TorchSharp;
using TuneSharp.Kernels;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Modules.Peft;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Modules;

/// <summary>Adapters over quantised weights compute what they compute over the numbers that those give back.</summary>
public sealed class QuantizedLinearTests
{
    public static TheoryData<QuantType, bool, bool> Kinds() => new MatrixTheoryData<QuantType, bool, bool>(Enum.GetValues<QuantType>(), [false, true], [false, true]);

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Forward_and_backward_equal_a_plain_layer_with_the_weight_given_back(QuantType type, bool dora, bool bias)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(5);
        LoraConfig lora = Tiny.Lora with { QuantizeBase = true, QuantType = type, UseDora = dora };
        using LoraLinear quantised = New(lora, bias, lora.Base), plain = New(lora, bias, null);
        using (no_grad())
        {
            foreach (((string name, Tensor from), (_, Tensor to)) in quantised.named_parameters().Zip(plain.named_parameters()))
            {
                if (name is "lora_b.weight" or "bias")
                {
                    from.normal_(0, 0.1);
                }

                to.copy_(name == "weight" ? quantised.DenseWeight() : from);
            }
        }

        quantised.Weight.requires_grad_(false);
        plain.Weight.requires_grad_(false);
        Tensor x = randn(3, 9, 96).requires_grad_(), y = x.detach().clone().requires_grad_();
        Tensor a = quantised.forward(x), b = plain.forward(y);
        a.square().sum().backward();
        b.square().sum().backward();
        Tolerances.Near(b.detach(), a.detach(), Tolerances.Fp32, "y");
        Tolerances.Near(y.grad!, x.grad!, Tolerances.Fp32, "dx");
        Tolerances.Near(plain.LoraA.grad!, quantised.LoraA.grad!, 1e-5, "dA");
        Tolerances.Near(plain.LoraB.grad!, quantised.LoraB.grad!, Tolerances.Fp32, "dB");
        Tolerances.Near(plain.MergedWeight().detach(), quantised.MergedWeight().detach(), Tolerances.Fp32, "merged");
    }

    [Fact]
    public void A_whole_model_trains_over_quantised_linears_head_and_embeddings()
    {
        foreach (bool tied in new[] { false, true })
        {
            using DisposeScope scope = NewDisposeScope();
            LoraConfig lora = Tiny.Lora with { QuantizeBase = true, QuantizeEmbedding = true, QuantizeOutput = true };
            using TransformerDecoder model = Tiny.Model(lora, Tiny.Shape with { TieWordEmbeddings = tied });
            Adapters.FreezeAllBut(model);
            Tensor tokens = Tiny.Tokens(2, 20);
            Tensor fused = new LinearCrossEntropyLoss().Sum(model, model.Hidden(tokens), tokens);
            fused.backward();
            Dictionary<string, Tensor> gradients = Tiny.TakeGradients(model);
            Assert.Equal(Adapters.GetAdapterParams(model).Count, gradients.Count);
            Tensor plain = new CrossEntropyLoss().Sum(model, model.Hidden(tokens), tokens);
            plain.backward();
            Tolerances.Near(plain.detach(), fused.detach(), 1e-5, "loss");
            Tiny.NearAll(Tiny.TakeGradients(model), gradients, 2e-4);
        }
    }

    [Fact]
    public void Merging_keeps_what_the_model_computes()
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Tiny.Model(Tiny.Lora with { QuantizeBase = true });
        Tensor tokens = Tiny.Tokens(2, 20);
        Tensor before = model.Logits(tokens).detach();
        Adapters.Merge(model);
        Tolerances.Near(before, model.Logits(tokens).detach(), 1e-5, "logits");
    }

    [Fact]
    public void A_row_order_of_the_file_is_put_right_in_the_model()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor w = randn(8, 64);
        QuantizedParameter p = new([8, 64], ScalarType.Float32, CPU, new Quantization(QuantType.Int8));
        p.Fill(w, t => t.flip(0));
        Assert.True((p.Dense() - w.flip(0)).abs().max().item<float>() < 0.03f);
        Assert.True((p.DenseRows(tensor(new long[] { 7 })) - w[0]).abs().max().item<float>() < 0.03f);
        Assert.Equal(8 * 64, p.numel());
        p.Release();
        Assert.Throws<InvalidOperationException>(() => p.Dense());
    }

    [Fact]
    public void Nothing_of_a_step_is_kept_alive()
    {
        using TransformerDecoder model = Tiny.Model(Tiny.Lora with { QuantizeBase = true });
        Adapters.FreezeAllBut(model);
        void Step()
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor tokens = Tiny.Tokens(2, 20);
            new LinearCrossEntropyLoss().Sum(model, model.Hidden(tokens), tokens).backward();
        }

        Step();
        Step();
        long before = Tensor.TotalCount;
        for (int i = 0; i < 5; i++)
        {
            Step();
        }

        Assert.InRange(Tensor.TotalCount - before, -50, 5);
    }

    private static LoraLinear New(LoraConfig lora, bool bias, Quantization? quantization) =>
        lora.UseDora ? new DoraLinear(96, 40, lora, bias, quantization) : new LoraLinear(96, 40, lora, bias, quantization);
}
