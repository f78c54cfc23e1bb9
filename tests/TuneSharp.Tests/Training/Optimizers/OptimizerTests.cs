using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Training.Optimizers;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace TuneSharp.Tests.Training.Optimizers;

public sealed class OptimizerTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    /// <summary>Each optimizer with the settings of the reference run.</summary>
    private static readonly Dictionary<string, Func<IReadOnlyList<NamedParameter>, Optimizer>> Reference = new(StringComparer.Ordinal)
    {
        ["AdamW"] = p => new AdamW(p, lr: 0.01, betas: [0.9, 0.99], weightDecay: 0.1),
        ["Adam"] = p => new Adam(p, lr: 0.01, weightDecay: 0.1),
        ["SGD"] = p => new SGD(p, lr: 0.01, momentum: 0.9, weightDecay: 0.01, nesterov: true),
        ["RMSprop"] = p => new RMSprop(p, lr: 0.01, alpha: 0.95, weightDecay: 0.01, momentum: 0.9, centered: true),
        ["Adagrad"] = p => new Adagrad(p, lr: 0.01),
        ["NAdam"] = p => new NAdam(p, lr: 0.01),
        ["RAdam"] = p => new RAdam(p, lr: 0.01),
        ["Adamax"] = p => new Adamax(p, lr: 0.01),
        ["Adadelta"] = p => new Adadelta(p, lr: 0.01),
        ["Adafactor"] = p => new Adafactor(p, lr: 0.01),
        ["Muon"] = p => new Muon(p, lr: 0.01),
    };

    public static TheoryData<string> Names => [.. Reference.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Ten_steps_equal_torch(string name)
    {
        Dictionary<string, Tensor> golden = GoldenTensors.Read(Repo.Golden("optim/io.safetensors"));
        Parameter w = new(golden["w0"].clone());
        using Optimizer optimizer = Reference[name]([new("w", w)]);
        double tolerance = name == "Muon" ? 1e-3 : 1e-5;
        for (int step = 0; step < 10; step++)
        {
            Descend(optimizer, w, golden["t"]);
            using Tensor difference = (w.detach() - golden[name + ".w"][step]).abs().max();
            Assert.True(difference.item<float>() <= tolerance, $"step {step}: {difference.item<float>()}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_resumed_run_equals_one_that_never_stopped(string name)
    {
        Tensor start = randn(6, 5), target = randn(6, 5);
        Parameter whole = new(start.clone()), first = new(start.clone());
        using Optimizer never = Reference[name]([new("a.weight", whole)]);
        using Optimizer before = Reference[name]([new("a.weight", first)]);
        for (int step = 0; step < 4; step++)
        {
            Descend(never, whole, target);
            Descend(before, first, target);
        }

        // As a checkpoint does: copies, by name, into a process that knows nothing yet.
        Dictionary<string, Tensor> saved = before.StateTensors().ToDictionary(s => s.Key, s => s.Value.clone(), StringComparer.Ordinal);
        Parameter second = new(first.detach().clone());
        using Optimizer after = Reference[name]([new("a.weight", second)]);
        after.LoadState(saved);
        for (int step = 0; step < 4; step++)
        {
            Descend(never, whole, target);
            Descend(after, second, target);
        }

        Assert.True(whole.detach().equal(second.detach()).all().item<bool>());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void State_of_other_weights_is_refused_by_name(string name)
    {
        Parameter w = new(randn(6, 5));
        using Optimizer one = Reference[name]([new("a", w)]);
        Descend(one, w, zeros(6, 5));
        using Optimizer other = Reference[name]([new("b", new(randn(6, 5)))]);
        Assert.Matches(@"(lacks b\.|such as a\.)", Assert.Throws<CheckpointException>(() => other.LoadState(one.StateTensors())).Message);
        using Optimizer wider = Reference[name]([new("a", new(randn(7, 5)))]);
        Assert.Contains("wants [", Assert.Throws<CheckpointException>(() => wider.LoadState(one.StateTensors())).Message);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void State_takes_the_bytes_that_were_forecast(string name)
    {
        Parameter w = new(randn(6, 5));
        using Optimizer optimizer = Reference[name]([new("a", w)]);
        Descend(optimizer, w, zeros(6, 5));
        Assert.Equal(
            optimizer.StateBytes,
            optimizer.StateTensors().Where(s => s.Value.ndim > 0).Sum(s => s.Value.numel() * s.Value.element_size()));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Steps_leave_no_tensor_behind(string name)
    {
        Parameter w = new(randn(6, 5)), unused = new(randn(3, 4));
        Tensor target = randn(6, 5);
        using Optimizer optimizer = Reference[name]([new("w", w), new("unused", unused)]);
        long atTen = 0;
        for (int step = 1; step <= 200; step++)
        {
            Descend(optimizer, w, target);
            if (step == 10)
            {
                atTen = LiveTensors.Now;
            }
        }

        LiveTensors.DidNotGrow(atTen);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_weight_without_a_gradient_stays(string name)
    {
        Parameter w = new(randn(6, 5)), unused = new(randn(3, 4));
        Tensor before = unused.detach().clone();
        using Optimizer optimizer = Reference[name]([new("w", w), new("unused", unused)]);
        Descend(optimizer, w, zeros(6, 5));
        Assert.True(before.equal(unused.detach()).all().item<bool>());
        Descend(optimizer, unused, zeros(3, 4)); // and may join later
        Assert.False(before.equal(unused.detach()).all().item<bool>());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Bf16_weights_train_with_bf16_state(string name)
    {
        Parameter w = new(zeros(6, 5, dtype: bfloat16));
        using Optimizer optimizer = Reference[name]([new("w", w)]);
        Descend(optimizer, w, randn(6, 5, dtype: bfloat16));
        Assert.All(optimizer.StateTensors().Where(s => s.Value.ndim > 0), s => Assert.Equal(bfloat16, s.Value.dtype));
        Assert.True(w.detach().to(float32).abs().sum().item<float>() is > 0 and < 100);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Climbing_is_descending_the_negative(string name)
    {
        if (name == "Muon")
        {
            return; // torch's Muon cannot climb
        }

        Optimizer Create(Parameter p, bool climb) => name switch
        {
            "AdamW" => new AdamW([new("w", p)], maximize: climb),
            "Adam" => new Adam([new("w", p)], maximize: climb),
            "SGD" => new SGD([new("w", p)], maximize: climb, momentum: 0.9),
            "RMSprop" => new RMSprop([new("w", p)], maximize: climb),
            "Adagrad" => new Adagrad([new("w", p)], maximize: climb, initialAccumulatorValue: 0.1, lrDecay: 0.1),
            "NAdam" => new NAdam([new("w", p)], maximize: climb),
            "RAdam" => new RAdam([new("w", p)], maximize: climb),
            "Adamax" => new Adamax([new("w", p)], maximize: climb),
            "Adadelta" => new Adadelta([new("w", p)], maximize: climb),
            _ => new Adafactor([new("w", p)], maximize: climb),
        };
        Tensor start = randn(6, 5);
        Parameter up = new(start.clone()), down = new(start.clone());
        using Optimizer climbs = Create(up, true);
        using Optimizer descends = Create(down, false);
        for (int step = 0; step < 3; step++)
        {
            climbs.ZeroGrad();
            descends.ZeroGrad();
            up.pow(2).sum().backward();
            down.pow(2).sum().neg().backward();
            climbs.Step();
            descends.Step();
        }

        Assert.False(start.allclose(up.detach()));
        Assert.True(up.detach().allclose(down.detach(), rtol: 1e-6, atol: 1e-7));
    }

    [Fact]
    public void Decoupled_decay_shrinks_a_weight_by_itself()
    {
        Tensor start = randn(6, 5);
        Func<NamedParameter[], Optimizer>[] all =
        [
            p => new AdamW(p, lr: 0.1, weightDecay: 0.5), p => new Adam(p, lr: 0.1, weightDecay: 0.5, decoupledWeightDecay: true),
            p => new NAdam(p, lr: 0.1, weightDecay: 0.5, decoupledWeightDecay: true),
            p => new RAdam(p, lr: 0.1, weightDecay: 0.5, decoupledWeightDecay: true),
            p => new Adafactor(p, lr: 0.1, weightDecay: 0.5), p => new Muon(p, lr: 0.1, weightDecay: 0.5),
        ];
        foreach (Func<NamedParameter[], Optimizer> create in all)
        {
            Parameter w = new(start.clone());
            using Optimizer optimizer = create([new("w", w)]);
            (w * 0).sum().backward();
            optimizer.Step();
            Assert.True(w.detach().allclose(start * 0.95, rtol: 1e-6, atol: 1e-7), optimizer.GetType().Name);
        }
    }

    [Fact]
    public void Dampening_spares_the_first_step()
    {
        Parameter w = new(zeros(3));
        using Optimizer optimizer = new SGD([new("w", w)], lr: 0.1, momentum: 0.9, dampening: 0.5);
        for (int step = 0; step < 2; step++)
        {
            optimizer.ZeroGrad();
            w.sum().backward();
            optimizer.Step();
        }

        Assert.Equal(-0.1 * (1 + 0.9 + 0.5), w.detach()[0].item<float>(), 1e-6); // buffer: 1, then 0.9·1 + 0.5·1
    }

    [Fact]
    public void Amsgrad_keeps_the_largest_square()
    {
        Parameter w = new(zeros(3));
        using Optimizer optimizer = new AdamW([new("w", w)], amsgrad: true);
        (w * 10).sum().backward();
        optimizer.Step();
        float largest = optimizer.StateTensors()["w.exp_avg_sq"][0].item<float>();
        optimizer.ZeroGrad();
        (w * 0).sum().backward();
        optimizer.Step();
        Assert.Equal(largest, optimizer.StateTensors()["w.max_exp_avg_sq"][0].item<float>());
        Assert.True(optimizer.StateTensors()["w.exp_avg_sq"][0].item<float>() < largest);
    }

    [Fact]
    public void A_strided_gradient_updates_the_right_elements()
    {
        Parameter w = new(zeros(2, 3));
        w.grad = tensor(new float[] { 1, 0, 0, 0, 0, 0 }, [3, 2]).t(); // only element [0, 0]
        using Optimizer optimizer = new AdamW([new("w", w)]);
        optimizer.Step();
        Assert.Equal(1, w.detach().count_nonzero().item<long>());
        w.grad = tensor(new float[] { 0, 0, 0, 1, 0, 0 }, [3, 2]).t(); // only element [1, 1]
        optimizer.Step();
        Assert.NotEqual(0, w.detach()[1, 1].item<float>());
        Assert.Equal(2, w.detach().count_nonzero().item<long>());
    }

    [Fact]
    public void Zero_grad_drops_the_gradient()
    {
        Parameter w = new(randn(2, 2));
        using Optimizer optimizer = new AdamW([new("w", w)]);
        w.sum().backward();
        Assert.NotNull(w.grad);
        optimizer.ZeroGrad();
        Assert.Null(w.grad);
    }

    [Fact]
    public void Values_out_of_range_are_refused_with_the_value()
    {
        NamedParameter[] w = [new("w", new(randn(2, 2)))];
        Assert.Contains("-1", Assert.Throws<ArgumentException>(() => new AdamW(w, lr: -1)).Message);
        Assert.Contains("1.5", Assert.Throws<ArgumentException>(() => new AdamW(w, betas: [0.9, 1.5])).Message);
        Assert.Contains("0.9", Assert.Throws<ArgumentException>(() => new Adam(w, betas: [0.9])).Message);
        Assert.Contains("-2", Assert.Throws<ArgumentException>(() => new Adam(w, eps: -2)).Message);
        Assert.Contains("differentiable", Assert.Throws<ArgumentException>(() => new Adam(w, differentiable: true)).Message);
        Assert.Contains("dampening", Assert.Throws<ArgumentException>(() => new SGD(w, momentum: 0.9, dampening: 0.25, nesterov: true)).Message);
        Assert.Contains("0.001", Assert.Throws<ArgumentException>(() => new Adafactor(w, eps: [1e-3])).Message);
        Assert.Contains("0.5", Assert.Throws<ArgumentException>(() => new Adafactor(w, d: 0.5)).Message);
        Assert.Contains("100", Assert.Throws<ArgumentException>(() => new Muon(w, nsSteps: 100)).Message);
        Assert.Contains("norm.scale has shape [4]", Assert.Throws<ArgumentException>(() => new Muon([new("norm.scale", new(randn(4)))])).Message);
        Assert.Contains("1.25", Assert.Throws<ArgumentException>(() => new Adadelta(w, rho: 1.25)).Message);
        Assert.Contains("no parameters", Assert.Throws<ArgumentException>(() => new AdamW([])).Message);
        Assert.Contains("w twice", Assert.Throws<ArgumentException>(() => new AdamW([w[0], w[0]])).Message);
    }

    public void Dispose() => _scope.Dispose();

    private static void Descend(Optimizer optimizer, Parameter w, Tensor target)
    {
        using DisposeScope scope = NewDisposeScope();
        optimizer.ZeroGrad();
        (w - target).pow(3).abs().sum().backward();
        optimizer.Step();
    }
}
