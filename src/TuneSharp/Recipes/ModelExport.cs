using TuneSharp.Backend;
using TuneSharp.Checkpointing;
using TuneSharp.Config;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Training;

namespace TuneSharp.Recipes;

/// <summary>What is exported, and where to.</summary>
/// <param name="ModelDir">The base model, or a whole fine-tuned one.</param>
/// <param name="AdapterDir">A PEFT folder to merge in, or null.</param>
/// <param name="OutputDir">A new or empty folder.</param>
/// <param name="Dtype">Element type of the written weights; null for the base's own.</param>
public sealed record ExportRequest(string ModelDir, string? AdapterDir, string OutputDir, ScalarType? Dtype = null)
{
    /// <summary>Finds what a finished run left: its base model and newest save.</summary>
    /// <param name="runDir">The run's <c>output_dir</c>.</param>
    /// <param name="outputDir">Where to export.</param>
    /// <exception cref="CheckpointException">The folder is no run, or holds no save.</exception>
    public static ExportRequest FromRun(string runDir, string outputDir)
    {
        string config = Path.Combine(runDir, ConfigFile);
        if (!File.Exists(config))
        {
            throw new CheckpointException($"{runDir}: is not the output_dir of a run ({ConfigFile} is missing). Run the recipe first, or name --adapter and --model.");
        }

        string? newest = Directory.EnumerateDirectories(runDir).Where(Checkpointer.IsSaveFolder).MaxBy(Checkpointer.StepOf);
        if (newest is null)
        {
            throw new CheckpointException($"{runDir}: the run has saved nothing yet (no step_N or epoch_N). Let it come to a save.");
        }

        if (!File.Exists(Path.Combine(newest, PeftAdapter.ConfigName)))
        {
            return new ExportRequest(newest, null, outputDir);
        }

        string? baseDir = ConfigLoader.Load<LoraFinetuneConfig>(config).Value.Checkpointer.Arguments["checkpoint_dir"] as string;
        return new ExportRequest(
            baseDir ?? throw new CheckpointException($"{config}: names no checkpointer.checkpoint_dir, so the base model is unknown. Name --model and --adapter."),
            newest, outputDir);
    }

    /// <summary>True for a folder that looks like the <c>output_dir</c> of a run.</summary>
    /// <param name="folder">Any folder.</param>
    public static bool IsRun(string folder) => File.Exists(Path.Combine(folder, ConfigFile));

    /// <summary>The same, written in another dtype.</summary>
    /// <param name="dtype"><c>bf16</c>, <c>fp32</c>, or null for the base's own.</param>
    public ExportRequest As(string? dtype) => dtype switch
    {
        null => this,
        "bf16" or "bfloat16" => this with { Dtype = ScalarType.BFloat16 },
        "fp32" or "float32" => this with { Dtype = ScalarType.Float32 },
        _ => throw new ArgumentException($"--dtype {dtype}: weights are exported as bf16 or fp32."),
    };

    private const string ConfigFile = "torchtune_config.yaml";
}

/// <summary>Merges a run's adapters into its base and writes a folder that any tool loads, then proves it by loading it.</summary>
public static class ModelExport
{
    private const int ProbeLength = 32; // tokens: enough for every position-dependent part to matter, quick on any model
    private const double Fp32Bound = 1e-3; // relative 2-norm of logits; merging in fp32 rounds once
    private const double Bf16Bound = 5e-2; // bf16 keeps 8 bits: each merged weight is rounded by up to 2⁻⁹

    /// <summary>Exports.</summary>
    /// <param name="request">What and where to.</param>
    /// <param name="console">Where to tell.</param>
    /// <param name="check">Reload and compare logits: needs memory for the whole model.</param>
    /// <exception cref="CheckpointException">The parts do not fit together, the disk refuses, or the written model computes something else.</exception>
    public static void Run(ExportRequest request, RunConsole console, bool check = true)
    {
        TorchBackend.EnsureLoaded();
        HfConfig config = HfConfig.Read(request.ModelDir);
        WeightMap map = AutoModel.Weights(config);
        long vocab = AutoModel.Shape(config).VocabSize;
        using DisposeScope scope = NewDisposeScope();
        Tensor? before = check ? Logits(() => Load(request.ModelDir, request.AdapterDir), vocab) : null;

        PeftAdapter? adapter = request.AdapterDir is { } dir ? PeftAdapter.Read(dir) : null;
        using (CheckpointReader weights = CheckpointReader.Open(request.ModelDir))
        using (ITensorSource? updates = request.AdapterDir is { } folder ? PeftAdapter.OpenTensors(folder) : null)
        {
            Exporter.Export(weights, map, adapter, updates, request.OutputDir, request.ModelDir, request.Dtype);
        }

        new ModelCard
        {
            BaseModel = adapter?.BaseModelNameOrPath ?? request.ModelDir,
            Method = adapter is null ? "full fine-tuning" : adapter.UseDora ? "DoRA" : "LoRA",
            Adapter = adapter,
            Merged = adapter is not null,
        }.Write(request.OutputDir);
        console.Line($"Wrote {request.OutputDir}: {string.Join(", ", Directory.EnumerateFiles(request.OutputDir).Select(Path.GetFileName).Order(StringComparer.Ordinal))}");
        if (before is not null)
        {
            Compare(before, request, vocab, console);
        }
    }

    private static void Compare(Tensor before, ExportRequest request, long vocab, RunConsole console)
    {
        using CheckpointReader written = CheckpointReader.Open(request.OutputDir);
        bool reduced = written.Tensors.Values.Any(t => t.Dtype is ScalarType.BFloat16 or ScalarType.Float16);
        Tensor after = Logits(() => AutoModel.Load(request.OutputDir), vocab);
        double relative = (after - before).norm().item<float>() / before.norm().item<float>();
        double largest = (after - before).abs().max().item<float>();
        double bound = reduced ? Bf16Bound : Fp32Bound;
        string figures = FormattableString.Invariant($"logits on {ProbeLength} tokens differ by {relative:0.0e+0} (2-norm, relative; largest {largest:0.0e+0})");
        if (!(relative <= bound))
        {
            throw new CheckpointException(FormattableString.Invariant(
                $"{request.OutputDir}: the written model does not compute what model and adapter do: {figures}, allowed {bound:0.0e+0}. ") +
                "Do not use it; check that the adapter was trained on this base.");
        }

        console.Line($"Reloaded and compared: {figures}. The export is good.");
    }

    private static TransformerDecoder Load(string model, string? adapter) =>
        adapter is null ? AutoModel.Load(model) : AdapterModel.Load(model, adapter);

    /// <summary>Logits in fp32 on a fixed row of tokens; the model is let go at once.</summary>
    private static Tensor Logits(Func<TransformerDecoder> load, long vocab)
    {
        using IDisposable off = no_grad();
        using BuildScope build = new(CPU, ScalarType.Float32);
        using TransformerDecoder model = load();
        model.eval();
        const long Stride = 7919; // a prime: spreads the probe over the vocabulary
        using Tensor tokens = (arange(1, ProbeLength + 1, ScalarType.Int64) * Stride).remainder(vocab).unsqueeze(0);
        return model.Logits(tokens);
    }
}
