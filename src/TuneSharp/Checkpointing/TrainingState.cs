using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TuneSharp.Kernels;

namespace TuneSharp.Checkpointing;

/// <summary>What a recipe needs to go on as if it had never stopped.</summary>
/// <param name="Numbers">Counters, seeds, settings: any JSON.</param>
/// <param name="Tensors">Optimizer moments, generator states.</param>
public sealed record TrainingState(JsonObject Numbers, IReadOnlyDictionary<string, Tensor> Tensors)
{
    internal const string FileName = "recipe_state.safetensors";

    private const string NumbersKey = "numbers";
    private const string StepKey = "step";

    /// <summary>Reads a state; the tensors are copies of their own, disposed by scope.</summary>
    /// <param name="file">A file that <see cref="Write"/> made.</param>
    /// <exception cref="CheckpointException">It is damaged, or of another program.</exception>
    public static TrainingState Read(string file)
    {
        using SafetensorsFile source = new(file);
        JsonObject numbers = NumbersOf(source, file);
        Dictionary<string, Tensor> tensors = new(StringComparer.Ordinal);
        foreach (string name in source.Tensors.Keys)
        {
            using Tensor view = source.Read(name);
            tensors[name] = view.clone();
        }

        return new TrainingState(numbers, tensors);
    }

    /// <summary>Reads a state's numbers alone: they stand in the file's header, before any tensor.</summary>
    /// <param name="file">A file that <see cref="Write"/> made.</param>
    /// <exception cref="CheckpointException">It is damaged, or of another program.</exception>
    internal static JsonObject ReadNumbers(string file)
    {
        using SafetensorsFile source = new(file);
        return NumbersOf(source, file);
    }

    private static JsonObject NumbersOf(SafetensorsFile source, string file)
    {
        if (!source.Metadata.TryGetValue(NumbersKey, out string? text))
        {
            throw new CheckpointException($"{file}: is not a training state of TuneSharp. Resume from a folder that it saved.");
        }

        try
        {
            return JsonNode.Parse(text) as JsonObject ?? [];
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"{file}: its numbers are damaged ({e.Message.TrimEnd('.')}). Resume from an earlier save.", e);
        }
    }

    /// <summary>Writes a state.</summary>
    /// <param name="file">The file.</param>
    /// <param name="step">Optimizer steps done; the newest save is found by it.</param>
    public void Write(string file, long step) => SafetensorsWriter.Write(file, Tensors, new Dictionary<string, string>(StringComparer.Ordinal)
    {
        [StepKey] = step.ToString(CultureInfo.InvariantCulture),
        [NumbersKey] = Numbers.ToJsonString(),
    });

    /// <summary>The step in a state's header; null when the file is no readable state.</summary>
    internal static long? StepOf(string file)
    {
        try
        {
            using SafetensorsFile source = new(file);
            return source.Metadata.TryGetValue(StepKey, out string? text)
                && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long step) ? step : null;
        }
        catch (CheckpointException)
        {
            return null;
        }
    }
}

/// <summary>A save to go on from.</summary>
/// <param name="Folder">Its folder.</param>
/// <param name="Step">Optimizer steps done when it was saved.</param>
/// <param name="StateFile">The training state.</param>
/// <param name="AdapterFile">Adapter weights, or null when the whole model was trained.</param>
public sealed record ResumePoint(string Folder, long Step, string StateFile, string? AdapterFile)
{
    /// <summary>Reads the training state; its tensors are disposed by scope.</summary>
    public TrainingState ReadState() => TrainingState.Read(StateFile);

    /// <summary>Reads the training state's numbers alone.</summary>
    public JsonObject ReadNumbers() => TrainingState.ReadNumbers(StateFile);

    /// <summary>Opens the adapter weights, in PEFT's or our names.</summary>
    /// <exception cref="CheckpointException">The save has none.</exception>
    public ITensorSource OpenAdapter() => CheckpointReader.OpenFile(AdapterFile
        ?? throw new CheckpointException($"{Folder}: holds no adapter, so a LoRA run cannot go on from it. Choose the output_dir of a LoRA run."));

    /// <summary>Opens the whole model's weights.</summary>
    /// <exception cref="CheckpointException">The save has none.</exception>
    public ITensorSource OpenWeights() => CheckpointReader.Open(Folder);
}

/// <summary>What a recipe saves.</summary>
public sealed record SaveRequest
{
    /// <summary>Whole or merged weights by our names, made while they are written; none when only the adapter is saved.</summary>
    public LazyTensors Weights { get; init; } = LazyTensors.None;

    /// <summary>Whole weights by their names in Hugging Face's files, quantised ones in parts; used instead of <see cref="Weights"/>.</summary>
    public LazyTensors? QuantizedWeights { get; init; }

    /// <summary>How <see cref="QuantizedWeights"/> are quantised.</summary>
    public Quantization? Quantization { get; init; }

    /// <summary>The model's <c>config.json</c>, written where no folder that is copied has one; null for none.</summary>
    public JsonObject? Config { get; init; }

    /// <summary>The family's table.</summary>
    public required WeightMap Map { get; init; }

    /// <summary>The adapter's settings; null when the whole model is trained.</summary>
    public PeftAdapter? Adapter { get; init; }

    /// <summary>The adapter's tensors by our names.</summary>
    public LazyTensors AdapterTensors { get; init; } = LazyTensors.None;

    /// <summary>What resuming needs; null for weights alone.</summary>
    public TrainingState? State { get; init; }

    /// <summary>Optimizer steps done.</summary>
    public required long Step { get; init; }

    /// <summary>The epoch, from 0.</summary>
    public required int Epoch { get; init; }

    /// <summary>True for a folder <c>step_N</c>, false for <c>epoch_N</c>.</summary>
    public required bool IsStep { get; init; }
}
