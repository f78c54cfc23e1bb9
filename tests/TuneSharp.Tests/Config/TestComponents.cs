using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using TorchSharp;
using TuneSharp.Config;

namespace TuneSharp.Tests.Config;

// Small components of the tests' own: what the reader does with them must not depend on what the library happens to hold.
#pragma warning disable CA1812 // made by the config reader

public interface ITestModel
{
    string Name { get; }
}

public interface ITestOptimizer
{
    double Lr { get; }
}

public interface ITestData
{
    string Source { get; }
}

public enum TestModule
{
    QProj,
    VProj,
    OutputProj,
}

public enum TestFamily
{
    Llama3_2,
    Phi3Mini,
}

public sealed record TestLora
{
    [ConfigKey("lora_attn_modules")]
    public required IReadOnlyList<TestModule> AttnModules { get; init; }

    [ConfigKey("lora_rank")]
    [Range(1, int.MaxValue)]
    public int Rank { get; init; } = 8;

    [ConfigKey("lora_alpha")]
    public double Alpha { get; init; } = 16;

    public bool UseDora { get; init; }
}

public sealed record TestModel(string Name, TestLora? Lora, string? Weights) : ITestModel;

public sealed record TestSgd(double Lr, double Momentum, bool Nesterov, IReadOnlyList<TestParameter> Parameters) : ITestOptimizer;

public sealed record TestAdamW(double Lr, double[] Betas, double WeightDecay, IReadOnlyList<TestParameter> Parameters) : ITestOptimizer;

/// <summary>A runtime type: its stream cannot stand in a config.</summary>
public sealed record TestParameter(string Name, Stream? Tensor);

[Component("test.tokenizer")]
public sealed class TestTokenizer
{
    public TestTokenizer(string path, int? maxSeqLen = null) => (Path, MaxSeqLen) = (path, maxSeqLen);

    public string Path { get; }

    public int? MaxSeqLen { get; }
}

[Component("test.data.lines")]
public sealed record TestLines : ITestData
{
    public required string Source { get; init; }

    public bool Packed { get; init; }

    public string Split { get; init; } = "train";
}

public sealed class TestSchedule(double lr, int warmup, long steps, long last)
{
    public double Lr { get; } = lr;

    public int Warmup { get; } = warmup;

    public long Steps { get; } = steps;

    public long Last { get; } = last;
}

public static class TestComponents
{
    [Component("test.models.tiny")]
    public static ITestModel Tiny([Runtime] string? weights = null) => new TestModel("tiny", null, weights);

    [Component("test.models.lora_tiny")]
    public static ITestModel LoraTiny(TestLora lora, [Runtime] string? weights = null) => new TestModel("lora_tiny", lora, weights);

    [Component("test.optim.TestSGD")]
    public static ITestOptimizer Sgd(IReadOnlyList<TestParameter> parameters, double lr = 1e-3, [Range(0.0, 1.0)] double momentum = 0, bool nesterov = false) =>
        new TestSgd(lr, momentum, nesterov, parameters);

    [Component("test.optim.TestAdamW")]
    public static ITestOptimizer AdamW(IReadOnlyList<TestParameter> parameters, double lr, double[]? betas = null, double weightDecay = 0.01) =>
        new TestAdamW(lr, betas ?? [0.9, 0.999], weightDecay, parameters);

    [Component("test.a.same")]
    public static ITestData SameA(string source) => new TestLines { Source = "a" + source };

    [Component("test.b.same")]
    public static ITestData SameB(string source) => new TestLines { Source = "b" + source };

    [Component("test.data.tokenized")]
    public static ITestData Tokenized(TestTokenizer tokenizer, string source) =>
        new TestLines { Source = $"{source} by {tokenizer.Path}" };

    [Component("test.schedule")]
    public static TestSchedule Schedule(ITestOptimizer optimizer, int numWarmupSteps, [Runtime] long numTrainingSteps, [Runtime] long lastEpoch = -1) =>
        new(optimizer.Lr, numWarmupSteps, numTrainingSteps, lastEpoch);

    [Component("test.throws")]
    public static ITestModel Throws() => throw new InvalidDataException("built, and failed");

    [ModuleInitializer]
    internal static void Register() => ComponentRegistry.Register(typeof(TestComponents).Assembly);
}

public sealed record TestPrompt
{
    public string? System { get; init; }

    public string User { get; init; } = "";
}

public sealed record TestConfig : IValidatableObject
{
    public required string OutputDir { get; init; }

    public required Component<ITestModel> Model { get; init; }

    public required Component<ITestOptimizer> Optimizer { get; init; }

    public IReadOnlyList<Component<ITestData>> Dataset { get; init; } = [];

    public Component<TestSchedule>? LrScheduler { get; init; }

    [Range(1, int.MaxValue)]
    public int BatchSize { get; init; } = 2;

    public int Epochs { get; init; } = 1;

    public int? MaxStepsPerEpoch { get; init; }

    public int? LogEveryNSteps { get; init; } = 1;

    public long? Seed { get; init; }

    public double? ClipGradNorm { get; init; }

    public bool Shuffle { get; init; }

    public torch.ScalarType Dtype { get; init; } = torch.ScalarType.BFloat16;

    public TestFamily Family { get; init; }

    public TestPrompt Prompt { get; init; } = new();

    public object? Files { get; init; }

    public ConfigNode? Raw { get; init; }

    public IReadOnlyDictionary<string, double> Weights { get; init; } = new Dictionary<string, double>();

    public string? HfToken { get; init; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Epochs > 100)
        {
            yield return new ValidationResult($"{Epochs} epochs are more than 100; that is a typo.", [nameof(Epochs)]);
        }
    }
}
