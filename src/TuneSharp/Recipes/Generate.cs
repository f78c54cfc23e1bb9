using System.Diagnostics;
using TuneSharp.Checkpointing;
using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Generation;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Training;

namespace TuneSharp.Recipes;

/// <summary>Keys of <c>generate</c>.</summary>
public sealed record GenerateConfig
{
    /// <summary>Part of torchtune's configs.</summary>
    public string? OutputDir { get; init; }

    /// <summary><c>cpu</c>, <c>cuda</c>, <c>cuda:N</c> or <c>auto</c>. Default: auto.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Element type of weights and activations. Default: bf16.</summary>
    public ScalarType Dtype { get; init; } = ScalarType.BFloat16;

    /// <summary>Seed of the choice of tokens; null draws one. Default: null.</summary>
    public int? Seed { get; init; }

    /// <summary>The model; with adapters if the checkpoint's are to be used unmerged.</summary>
    public required Component<TransformerDecoder> Model { get; init; }

    /// <summary>The tokenizer.</summary>
    public required Component<IModelTokenizer> Tokenizer { get; init; }

    /// <summary>Where the weights are.</summary>
    public required Component<Checkpointer> Checkpointer { get; init; }

    /// <summary>A PEFT folder to put on the model, or null.</summary>
    public string? AdapterDir { get; init; }

    /// <summary>What is asked.</summary>
    public required PromptConfig Prompt { get; init; }

    /// <summary>Most new tokens. Default: 300.</summary>
    public int MaxNewTokens { get; init; } = 300;

    /// <summary>Divides the logits; 0 takes the likeliest token always. Default: 0.6.</summary>
    public double Temperature { get; init; } = 0.6;

    /// <summary>Choose among the k likeliest only; null for all. Default: 300.</summary>
    public int? TopK { get; init; } = 300;

    /// <summary>Choose among the likeliest that together reach this probability; null for all. Default: null.</summary>
    public double? TopP { get; init; }

    /// <summary>Keep keys and values of earlier tokens. Default: true.</summary>
    public bool EnableKvCache { get; init; } = true;
}

/// <summary>What is asked of a model.</summary>
public sealed record PromptConfig
{
    /// <summary>Instructions for the whole conversation, or null.</summary>
    public string? System { get; init; }

    /// <summary>What the user says.</summary>
    public required string User { get; init; }
}

/// <summary>Answers one prompt and says how fast it was.</summary>
/// <remarks>torchtune counterparts: <c>recipes/generate.py</c>, and <c>recipes/dev/generate_v2.py</c> for text.</remarks>
[Recipe("generate")]
[Recipe("dev/generate_v2")]
[Recipe("dev/generate_v2_distributed")]
public static class Generate
{
    /// <summary>Runs it.</summary>
    /// <param name="cfg">What to do.</param>
    /// <param name="console">Where the answer goes.</param>
    /// <param name="stop">Ends the answer early.</param>
    public static void Run(GenerateConfig cfg, RunConsole console, CancellationToken stop)
    {
        // ---- 1. Where we run ----
        Device device = RunSetup.Device(cfg.Device);
        int seed = Seed.Set(cfg.Seed, rank: 0);

        // ---- 2. What answers ----
        Checkpointer checkpointer = cfg.Checkpointer.Build();
        using TransformerDecoder model = Load(cfg, device, checkpointer);
        IModelTokenizer tokenizer = cfg.Tokenizer.Build();

        // ---- 3. What is asked ----
        List<Message> messages = cfg.Prompt.System is { } system ? [new Message(Role.System, system)] : [];
        messages.AddRange([new Message(Role.User, cfg.Prompt.User), new Message(Role.Assistant, "")]);
        int[] prompt = tokenizer.TokenizeMessages(messages, inference: true).Tokens;
        GenerationOptions options = new()
        {
            MaxNewTokens = cfg.MaxNewTokens,
            Temperature = cfg.Temperature,
            TopK = cfg.TopK,
            TopP = cfg.TopP,
            StopTokens = tokenizer.StopTokens,
            Seed = seed,
            EnableKvCache = cfg.EnableKvCache,
        };

        // ---- 4. The answer ----
        long start = Stopwatch.GetTimestamp();
        int[] answer = TextGenerator.Generate(model, [prompt], options, null, stop)[0];
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        console.Line(tokenizer.Decode(prompt) + tokenizer.DecodeAnswer(answer));
        console.Line();

        // ---- 5. How fast ----
        double perSecond = answer.Length / seconds;
        double bytes = model.parameters().Sum(p => p is Kernels.QuantizedParameter quantised ? quantised.Bytes : p.numel() * p.element_size());
        console.Line(FormattableString.Invariant($"Time for inference: {seconds:0.00} sec total, {perSecond:0.00} tokens/sec"));
        console.Line(FormattableString.Invariant($"Bandwidth achieved: {bytes * perSecond / 1e9:0.00} GB/s"));
        console.Line(FormattableString.Invariant($"Memory used: {new MemoryUse(device).PeakGiB() ?? 0:0.00} GB"));
    }

    private static TransformerDecoder Load(GenerateConfig cfg, Device device, Checkpointer checkpointer)
    {
        using BuildScope scope = new(device, cfg.Dtype, initialise: false);
        if (cfg.AdapterDir is { } adapter)
        {
            return AdapterModel.Load(
                checkpointer.CheckpointDir ?? throw new ConfigException("adapter_dir needs checkpointer.checkpoint_dir: the base model's folder."),
                adapter);
        }

        TransformerDecoder model = cfg.Model.Build(checkpointer);
        checkpointer.LoadBase(model.NamedParameters(), model.Weights, Modules.Peft.Adapters.IsAdapterName);
        Modules.Peft.Adapters.InitialiseMagnitudes(model);
        return model;
    }
}
