using TorchSharp;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace TuneSharp.Tests.Modules;

/// <summary>Adapters on a whole model.</summary>
public sealed class AdaptersTests
{
    public static TheoryData<string> Kinds() => ["lora", "rslora", "dora"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Fresh_adapters_change_nothing(string kind)
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder plain = Tiny.Model(), adapted = Tiny.Model(Lora(kind), trained: false);
        CopyBase(plain, adapted);
        Tensor tokens = Tiny.Tokens(2, 9);
        Tolerances.Near(plain.forward(tokens), adapted.forward(tokens), 1e-5, kind);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Disabled_they_leave_the_base_and_come_back(string kind)
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder plain = Tiny.Model(), adapted = Tiny.Model(Lora(kind));
        CopyBase(plain, adapted);
        Tensor tokens = Tiny.Tokens(2, 9), before = adapted.forward(tokens);
        using (Adapters.Disable(adapted))
        {
            Tiny.Same(plain.forward(tokens), adapted.forward(tokens));
            using IDisposable nested = Adapters.Disable(adapted);
            Tiny.Same(plain.forward(tokens), adapted.forward(tokens));
        }

        Tiny.Same(before, adapted.forward(tokens));
        Assert.True(Tolerances.Distance(before, plain.forward(tokens)) > 1e-2);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_merged_model_computes_the_same(string kind)
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Tiny.Model(Lora(kind));
        Tensor tokens = Tiny.Tokens(2, 9), before = model.forward(tokens).detach();
        Adapters.Merge(model);
        Tolerances.Near(before, model.forward(tokens), 1e-5, kind);
        Adapters.Merge(model); // a second time changes nothing
        Tolerances.Near(before, model.forward(tokens), 1e-5, kind);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Only_adapters_get_gradients_and_all_of_them_do(string kind)
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Tiny.Model(Lora(kind) with { ApplyToOutput = true });
        IReadOnlyDictionary<string, Parameter> adapters = Adapters.FreezeAllBut(model);
        model.forward(Tiny.Tokens(2, 9)).square().sum().backward();
        Dictionary<string, Tensor> gradients = Tiny.TakeGradients(model);
        Assert.Equal(adapters.Keys.Order(StringComparer.Ordinal), gradients.Keys.Order(StringComparer.Ordinal));
        Assert.All(gradients.Values, g => Assert.True(g.abs().sum().item<float>() > 0));
    }

    [Fact]
    public void The_adapters_are_those_that_were_asked_for_under_torchtunes_names()
    {
        using TransformerDecoder model = Tiny.Model(new LoraConfig
        {
            AttnModules = [LoraModule.QProj, LoraModule.VProj], MlpModules = [LoraMlpModule.W2], ApplyToOutput = true, Rank = 5, UseDora = true,
        });
        List<string> expected = [];
        foreach (string module in (string[])["attn.q_proj", "attn.v_proj", "mlp.w2"])
        {
            expected.AddRange(from layer in (int[])[0, 1] from part in (string[])["lora_a.weight", "lora_b.weight", "magnitude"]
                              select $"layers.{layer}.{module}.{part}");
        }

        expected.AddRange(["output.lora_a.weight", "output.lora_b.weight", "output.magnitude"]);
        IReadOnlyDictionary<string, Parameter> found = Adapters.GetAdapterParams(model);
        Assert.Equal(expected.Order(StringComparer.Ordinal), found.Keys.Order(StringComparer.Ordinal));
        Assert.Equal([5L, 64L], found["layers.1.attn.q_proj.lora_a.weight"].shape);
        Assert.Equal([32L, 5L], found["layers.1.attn.v_proj.lora_b.weight"].shape);
        Assert.Equal([61L], found["output.magnitude"].shape);
    }

    [Fact]
    public void What_is_not_named_trainable_is_frozen()
    {
        using TransformerDecoder model = Tiny.Model(Tiny.Lora);
        Dictionary<string, Parameter> some = Adapters.GetAdapterParams(model).Where(p => p.Key.StartsWith("layers.1.", StringComparison.Ordinal))
            .ToDictionary(p => p.Key, p => p.Value, StringComparer.Ordinal);
        Adapters.SetTrainableParams(model, some);
        Assert.Equal(some.Keys, model.named_parameters().Where(p => p.parameter.requires_grad).Select(p => p.name));
    }

    [Fact]
    public void A_name_that_the_model_lacks_is_an_error_and_nothing_changes()
    {
        using TransformerDecoder model = Tiny.Model(Tiny.Lora);
        Dictionary<string, Parameter> wrong = new(StringComparer.Ordinal)
        {
            ["layers.0.attn.q_porj.lora_a.weight"] = Adapters.GetAdapterParams(model)["layers.0.attn.q_proj.lora_a.weight"],
        };
        ArgumentException e = Assert.Throws<ArgumentException>(() => Adapters.SetTrainableParams(model, wrong));
        Assert.Contains("q_porj", e.Message);
        Assert.All(model.parameters(), p => Assert.True(p.requires_grad));
    }

    [Fact]
    public void A_plain_model_has_none_and_says_so()
    {
        using TransformerDecoder model = Tiny.Model();
        Assert.Empty(Adapters.GetAdapterParams(model));
        Assert.Contains("lora_", Assert.Throws<ArgumentException>(() => Adapters.FreezeAllBut(model)).Message);
    }

    [Fact]
    public void Adapters_on_a_tied_head_are_refused() =>
        Assert.Contains("apply_lora_to_output", Assert.Throws<ArgumentException>(
            () => Tiny.Model(Tiny.Lora with { ApplyToOutput = true }, Tiny.Shape with { TieWordEmbeddings = true })).Message);

    [Fact]
    public void Settings_that_cannot_be_are_refused()
    {
        Assert.Contains("lora_rank is 0", Refusal(Tiny.Lora with { Rank = 0 }));
        Assert.Contains("lora_dropout is 1", Refusal(Tiny.Lora with { Dropout = 1 }));
        Assert.Contains("No linear has adapters", Refusal(new LoraConfig { AttnModules = [] }));
    }

    private static string Refusal(LoraConfig lora) => Assert.Throws<ArgumentException>(() => Tiny.Model(lora)).Message;

    private static LoraConfig Lora(string kind) => Tiny.Lora with { UseRslora = kind == "rslora", UseDora = kind == "dora" };

    private static void CopyBase(TransformerDecoder from, TransformerDecoder to)
    {
        using IDisposable off = no_grad();
        IReadOnlyDictionary<string, Tensor> target = to.NamedParameters();
        foreach ((string name, Tensor p) in from.NamedParameters())
        {
            target[name].copy_(p);
        }

        Adapters.InitialiseMagnitudes(to);
    }
}
