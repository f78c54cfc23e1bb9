using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Kernels;
using TuneSharp.Training.Optimizers;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace TuneSharp.Tests.Training.Optimizers;

/// <summary>8-bit optimizers against twelve steps of bitsandbytes.</summary>
public sealed class BlockwiseOptimizerTests
{
    /// <summary>With the settings of the reference.</summary>
    private static readonly Dictionary<string, Func<NamedParameter[], Optimizer>> Reference = new(StringComparer.Ordinal)
    {
        ["AdamW8bit"] = p => BitsAndBytesOptimizers.AdamW8bit(p, lr: 0.01, weightDecay: 0.1),
        ["Adam8bit"] = p => BitsAndBytesOptimizers.Adam8bit(p, lr: 0.01),
        ["PagedAdamW8bit"] = p => BitsAndBytesOptimizers.PagedAdamW8bit(p, lr: 0.01, weightDecay: 0.1),
        ["Lion8bit"] = p => BitsAndBytesOptimizers.Lion8bit(p, lr: 1e-3),
        ["SGD8bit"] = p => BitsAndBytesOptimizers.SGD8bit(p, lr: 0.01, momentum: 0.9),
        ["RMSprop8bit"] = p => BitsAndBytesOptimizers.RMSprop8bit(p, lr: 1e-3),
    };

    /// <summary>
    /// How many weights must be within 1e-6 after each step of Adam. A weight whose second mean is so small beside its block's largest that its
    /// code is 0 is divided by eps alone and jumps (by 30 in this reference): the last bit of the GPU's approximate root and quotient, which no
    /// CPU has, then moves it by more, and from there on its gradient and its block's scale.
    /// </summary>
    private static readonly double[] AdamWithin = [1, 0.995, 0.99, 0.98, 0.95, 0.9, 0.85, 0.75, 0.65, 0.5, 0.4, 0.3];

    public static TheoryData<string, bool> Names => new MatrixTheoryData<string, bool>([.. Reference.Keys], [true, false]);

    [Theory]
    [MemberData(nameof(Names))]
    public void Twelve_steps_and_the_state_equal_bitsandbytes(string name, bool fused)
    {
        using SafetensorsFile golden = new(Repo.Golden("bnb/optimizers8bit.safetensors"));
        using DisposeScope scope = NewDisposeScope();
        using IDisposable choice = KernelChoice.Force(fused);
        bool isAdam = name.Contains("Adam", StringComparison.Ordinal);
        Parameter w = new(golden.Read("w0").clone());
        using Optimizer optimizer = Reference[name]([new("w", w)]);
        for (int step = 0; step < 12; step++)
        {
            optimizer.ZeroGrad();
            (w - golden.Read("t")).pow(3).abs().sum().backward();
            optimizer.Step();
            Tensor off = (w.detach().reshape(-1, 16).select(1, 0) - golden.Read(name + ".w")[step]).abs();
            double within = off.le(1e-6).to(ScalarType.Float32).mean().item<float>();
            Assert.True(within >= (isAdam ? AdamWithin[step] : 1), $"step {step}: {within:P1} within 1e-6, largest {off.max().item<float>():E1}");
        }

        foreach (string key in golden.Tensors.Keys.Where(k => !isAdam && k.StartsWith(name + ".state.", StringComparison.Ordinal)))
        {
            Tensor ours = optimizer.StateTensors()["w." + key[(name.Length + ".state.".Length)..]], theirs = golden.Read(key);
            if (theirs.dtype == ScalarType.Byte)
            {
                Tensor apart = (ours.to(ScalarType.Int32) - theirs.to(ScalarType.Int32)).abs();
                Assert.True(apart.max().item<int>() <= 1 && apart.sum().item<long>() <= theirs.numel() / 1000, $"{key}: {apart.sum().item<long>()} codes differ");
            }
            else
            {
                Tolerances.Near(theirs, ours, 1e-6, key);
            }
        }
    }

    [Fact]
    public void A_resumed_run_equals_one_that_never_stopped()
    {
        foreach ((string name, Func<NamedParameter[], Optimizer> make) in Reference)
        {
            using DisposeScope scope = NewDisposeScope();
            manual_seed(8);
            Tensor start = randn(80, 70), target = randn(80, 70);
            Parameter whole = new(start.clone()), first = new(start.clone());
            using Optimizer never = make([new("a", whole)]), before = make([new("a", first)]);
            Descend(never, whole, target, 4);
            Descend(before, first, target, 4);
            Dictionary<string, Tensor> saved = before.StateTensors().ToDictionary(s => s.Key, s => s.Value.clone(), StringComparer.Ordinal);
            Parameter second = new(first.detach().clone());
            using Optimizer after = make([new("a", second)]);
            after.LoadState(saved);
            Descend(never, whole, target, 4);
            Descend(after, second, target, 4);
            Assert.True(whole.detach().equal(second.detach()).all().item<bool>(), name);
        }
    }

    [Fact]
    public void Small_weights_keep_fp32_and_large_ones_take_two_bytes()
    {
        using DisposeScope scope = NewDisposeScope();
        Parameter small = new(randn(63, 65)), large = new(randn(64, 64));
        using Optimizer optimizer = BitsAndBytesOptimizers.AdamW8bit([new("small", small), new("large", large)]);
        (small.square().sum() + large.square().sum()).backward();
        optimizer.Step();
        IReadOnlyDictionary<string, Tensor> state = optimizer.StateTensors();
        Assert.Equal(ScalarType.Float32, state["small.state1"].dtype);
        Assert.DoesNotContain("small.absmax1", state.Keys);
        Assert.Equal(ScalarType.Byte, state["large.state2"].dtype);
        Assert.Equal((63 * 65 * 8) + (2 * 4096) + (2 * 16 * 4), optimizer.StateBytes);
        Parameter huge = new(empty([4096, 4096], device: META));
        using Optimizer on = BitsAndBytesOptimizers.AdamW8bit([new("huge", huge)]);
        Assert.Equal(2.03125, (double)on.StateBytes / huge.numel());
    }

    [Fact]
    public void Fp32_state_of_bf16_weights_steps_as_AdamW_does()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(9);
        Tensor start = randn(80, 70), target = randn(80, 70);
        Parameter ours = new(start.clone()), theirs = new(start.clone());
        using Optimizer paged = BitsAndBytesOptimizers.PagedAdamW([new("a", ours)], lr: 0.01, weightDecay: 0);
        using Optimizer plain = new AdamW([new("a", theirs)], lr: 0.01, weightDecay: 0);
        Descend(paged, ours, target, 5);
        Descend(plain, theirs, target, 5);
        Assert.True((ours - theirs).abs().max().item<float>() < 1e-5f);
    }

    [Fact]
    public void A_weight_may_have_a_rate_of_its_own()
    {
        using DisposeScope scope = NewDisposeScope();
        Parameter a = new(ones(64, 64)), b = new(ones(64, 64));
        foreach (bool low in new[] { false, true })
        {
            NamedParameter[] both = [new("a", a), new("b", b) { LrScale = 4 }];
            using Optimizer optimizer = low ? BitsAndBytesOptimizers.AdamW8bit(both, lr: 0.01, weightDecay: 0) : new AdamW(both, lr: 0.01, weightDecay: 0);
            using (no_grad())
            {
                a.fill_(1);
                b.fill_(1);
            }

            optimizer.ZeroGrad();
            (a.sum() + b.sum()).backward();
            optimizer.Step();
            Assert.Equal(0.99f, a[0, 0].item<float>(), 1e-5f);
            Assert.Equal(0.96f, b[0, 0].item<float>(), 1e-5f);
            Assert.Equal(0.01, optimizer.Lr);
        }
    }

    [Fact]
    public void Torchaos_name_decays_before_the_step()
    {
        using DisposeScope scope = NewDisposeScope();
        Parameter ours = new(ones(64, 64));
        using Optimizer optimizer = TorchaoOptimizers.AdamW8bit([new("a", ours)], lr: 0.1, weightDecay: 0.5);
        ours.sum().backward();
        optimizer.Step();
        Assert.Equal(1 * (1 - (0.1 * 0.5)) - 0.1, ours[0, 0].item<float>(), 1e-5);
    }

    [Fact]
    public void What_bitsandbytes_has_no_rule_for_is_refused_by_name()
    {
        NamedParameter[] p = [new("a", new Parameter(ones(4)))];
        Assert.Contains("amsgrad", Assert.Throws<ArgumentException>(() => BitsAndBytesOptimizers.AdamW8bit(p, amsgrad: true)).Message);
        Assert.Contains("momentum", Assert.Throws<ArgumentException>(() => BitsAndBytesOptimizers.SGD8bit(p, 0.1)).Message);
        Assert.Contains("percentile_clipping", Assert.Throws<ArgumentException>(() => BitsAndBytesOptimizers.Lion8bit(p, percentileClipping: 5)).Message);
        Assert.Contains("optim_bits", Assert.Throws<ArgumentException>(() => BitsAndBytesOptimizers.AdamW(p, optimBits: 16)).Message);
    }

    private static void Descend(Optimizer optimizer, Parameter w, Tensor target, int steps)
    {
        for (int i = 0; i < steps; i++)
        {
            optimizer.ZeroGrad();
            (w - target).pow(3).abs().sum().backward();
            optimizer.Step();
        }
    }
}
