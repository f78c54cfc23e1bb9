using FsCheck.Xunit;
using TorchSharp;
using TuneSharp.Kernels;
using TuneSharp.Models.Llama2;
using TuneSharp.Modules;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Modules;

public sealed class TransformerDecoderTests
{
    private const double Tolerance = 2e-5;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Padding_on_the_right_does_not_reach_real_tokens(bool fused)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable choice = KernelChoice.Force(fused);
        using TransformerDecoder model = Tiny.Model();
        int[] lengths = [11, 4, 1, 7];
        Tensor tokens = Tiny.Tokens(4, 11);
        for (int row = 0; row < 4; row++)
        {
            tokens[row].narrow(0, lengths[row], 11 - lengths[row]).fill_(0);
        }

        Tensor batch = model.forward(tokens);
        for (int row = 0; row < 4; row++)
        {
            Tensor single = model.forward(tokens.narrow(0, row, 1).narrow(1, 0, lengths[row]).contiguous());
            Tolerances.Near(single.squeeze(0), batch[row].narrow(0, 0, lengths[row]), Tolerance, $"row {row}");
        }
    }

    [Property(MaxTest = 25)]
    public void Later_tokens_do_not_reach_earlier_ones(byte cut, bool fused, int seed)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable choice = KernelChoice.Force(fused);
        using TransformerDecoder model = Tiny.Model();
        long at = 1 + (cut % 14);
        Tensor tokens = Tiny.Tokens(1, 16, seed), other = tokens.clone();
        other.narrow(1, at, 16 - at).copy_((tokens.narrow(1, at, 16 - at) + 1) % Tiny.Shape.VocabSize);
        Tensor a = model.forward(tokens), b = model.forward(other);
        Tolerances.Near(a.narrow(1, 0, at), b.narrow(1, 0, at), Tolerance, "before");
        Assert.True(Tolerances.Distance(a.narrow(1, at, 1), b.narrow(1, at, 1)) > 1e-3);
    }

    [Property(MaxTest = 25)]
    public void Tokens_fed_in_pieces_through_the_cache_give_the_same_logits(byte first, byte second, bool fused, int seed)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable off = no_grad();
        using IDisposable choice = KernelChoice.Force(fused);
        using TransformerDecoder model = Tiny.Model();
        Tensor tokens = Tiny.Tokens(2, 16, seed);
        Tensor whole = model.forward(tokens);
        using KvCache cache = model.NewCache(2, 16);
        int a = 1 + (first % 8), b = 1 + (second % 7);
        List<Tensor> parts = [];
        int at = 0;
        foreach (int length in (int[])[a, b, .. Enumerable.Repeat(1, 16 - a - b)])
        {
            // A piece of several tokens after others needs its triangle; one token sees all.
            Tensor? mask = at > 0 && length > 1 ? ones([length, at + length], ScalarType.Bool).tril(at).reshape(1, 1, length, at + length) : null;
            parts.Add(model.Logits(tokens.narrow(1, at, length).contiguous(), mask: mask, cache: cache));
            at += length;
        }

        Tolerances.Near(whole, cat(parts, 1), Tolerance, "logits");
        Assert.Equal(16, cache.Length);
    }

    [Fact]
    public void Several_tokens_after_others_are_causal_without_a_mask()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable off = no_grad();
        using TransformerDecoder model = Tiny.Model();
        Tensor tokens = Tiny.Tokens(1, 9);
        using KvCache cache = model.NewCache(1, 9);
        Tensor parts = cat([model.Logits(tokens.narrow(1, 0, 4), cache: cache), model.Logits(tokens.narrow(1, 4, 5), cache: cache)], 1);
        Tolerances.Near(model.forward(tokens), parts, Tolerance, "logits");
    }

    [Fact]
    public void A_full_cache_says_what_does_not_fit()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable off = no_grad();
        using TransformerDecoder model = Tiny.Model();
        using KvCache cache = model.NewCache(1, 4);
        model.Logits(Tiny.Tokens(1, 3), cache: cache);
        Assert.Contains("holds 4 tokens", Assert.Throws<InvalidOperationException>(() => model.Logits(Tiny.Tokens(1, 2), cache: cache)).Message);
        cache.Reset();
        model.Logits(Tiny.Tokens(1, 4), cache: cache);
    }

    [Fact]
    public void A_tied_head_is_the_embedding_table()
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Tiny.Model(shape: Tiny.Shape with { TieWordEmbeddings = true });
        Assert.DoesNotContain("output.weight", model.NamedParameters().Keys);
        Assert.Same(model.OutputWeight, model.OutputWeight);
        Tensor hidden = model.Hidden(Tiny.Tokens(1, 5));
        Tolerances.Near(nn.functional.linear(hidden, model.NamedParameters()["tok_embeddings.weight"]), model.Unembed(hidden), Tolerances.Fp32, "logits");
    }

    [Fact]
    public void Keys_are_torchtunes()
    {
        using TransformerDecoder model = Tiny.Model(shape: Tiny.Shape with { NumLayers = 1 });
        Assert.Equal(
            [
                "layers.0.attn.k_proj.weight", "layers.0.attn.output_proj.weight", "layers.0.attn.q_proj.weight", "layers.0.attn.v_proj.weight",
                "layers.0.mlp.w1.weight", "layers.0.mlp.w2.weight", "layers.0.mlp.w3.weight", "layers.0.mlp_norm.scale", "layers.0.sa_norm.scale",
                "norm.scale", "output.weight", "tok_embeddings.weight",
            ],
            model.state_dict().Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(4, 3, "num_heads (4) must be divisible by num_kv_heads (3)")]
    [InlineData(2, 4, "num_heads (2) must be divisible by num_kv_heads (4)")]
    [InlineData(4, 0, "num_kv_heads is 0")]
    [InlineData(3, 3, "embed_dim (64) must be divisible by num_heads (3)")]
    public void Heads_that_do_not_fit_are_refused(int heads, int kvHeads, string words) =>
        Assert.Contains(words, Assert.Throws<ArgumentException>(
            () => Llama2Builders.Llama2(vocabSize: 61, numLayers: 1, numHeads: heads, numKvHeads: kvHeads, embedDim: 64, maxSeqLen: 32)).Message);

    [Fact]
    public void Nothing_is_left_behind_by_steps()
    {
        using TransformerDecoder model = Tiny.Model(Tiny.Lora);
        long first = 0;
        for (int step = 0; step < 40; step++)
        {
            using (DisposeScope scope = NewDisposeScope())
            {
                model.forward(Tiny.Tokens(2, 8)).sum().backward();
                Tiny.TakeGradients(model);
            }

            if (step == 10)
            {
                first = Kernels.KernelRuns.LiveHandles();
            }
        }

        Assert.Equal(first, Kernels.KernelRuns.LiveHandles());
    }
}
