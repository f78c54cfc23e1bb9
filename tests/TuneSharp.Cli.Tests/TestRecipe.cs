using System.Runtime.CompilerServices;
using TuneSharp.Checkpointing;
using TuneSharp.Config;
using TuneSharp.Native;
using TuneSharp.Training;

namespace TuneSharp.Cli.Tests;

public sealed record TestRecipeConfig
{
    public required string OutputDir { get; init; }

    public int BatchSize { get; init; } = 2;

    public string? Throw { get; init; }
}

/// <summary>A recipe of the tests' own: says what it was given, and fails as it is told.</summary>
[Recipe("test_recipe")]
[Recipe("test_recipe_distributed")]
public static class TestRecipe
{
    public static void Run(TestRecipeConfig config, RunConsole console, CancellationToken stop)
    {
        console.Line($"ran with batch_size {config.BatchSize} into {config.OutputDir}");
        if (config.Throw is null)
        {
            return;
        }

        stop.ThrowIfCancellationRequested();
        throw config.Throw switch
        {
            "checkpoint" => new CheckpointException("model.safetensors: the file ends too early."),
            "native" => new NativeException("libx.so: cannot open shared object file"),
            "argument" => new ArgumentException("lora_rank is 0; it must be at least 1.", nameof(config)),
            "io" => new IOException("No such file: data.json"),
            "disk" => new IOException("No space left on device : '/x'", 28),
            "torch" => new System.Runtime.InteropServices.ExternalException("shapes do not match\nException raised from check at x.cpp:1 (most recent call first):\nframe #0: f"),
            "nested" => new AggregateException(new TypeInitializationException("T", new InvalidDataException("the inner words"))),
            "bug" => new KeyNotFoundException("key"),
            var other => new InvalidOperationException(other),
        };
    }

    public static void DryRun(TestRecipeConfig config, RunConsole console) => console.Line($"would run with batch_size {config.BatchSize}");

    [ModuleInitializer]
    internal static void Register() => RecipeRegistry.Register(typeof(TestRecipe).Assembly);
}
