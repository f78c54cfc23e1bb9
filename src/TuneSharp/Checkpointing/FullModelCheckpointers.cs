using TuneSharp.Config;

namespace TuneSharp.Checkpointing;

/// <summary>The settings of torchtune's checkpointers, under their names.</summary>
internal sealed record CheckpointerSettings(
    string OutputDir, string? CheckpointDir, object? CheckpointFiles, string? AdapterCheckpoint, string? RecipeCheckpoint,
    bool SafeSerialization, int? KeepLastNCheckpoints, bool EnableDcp, ModelType? ModelType, bool ShouldResume)
{
    internal void Check()
    {
        if (!SafeSerialization)
        {
            throw new CheckpointException("checkpointer.safe_serialization: false asks for pickle files; only safetensors are written. Remove it.");
        }

        if (EnableDcp)
        {
            throw new CheckpointException("checkpointer.enable_dcp: true asks for PyTorch's distributed checkpoints; safetensors are written instead. Remove it.");
        }

        if (KeepLastNCheckpoints is < 1)
        {
            throw new CheckpointException($"checkpointer.keep_last_n_checkpoints is {KeepLastNCheckpoints}; keep at least 1, or remove it to keep all.");
        }

        foreach (string? path in (string?[])[OutputDir, CheckpointDir])
        {
            if (path?.Contains("://", StringComparison.Ordinal) == true)
            {
                throw new CheckpointException($"{path}: is not a folder of this machine. Download the model, and name the folder.");
            }
        }

        if (CheckpointDir is not null && Real(OutputDir) is { } output && Real(CheckpointDir) is { } input
            && (output == input || output.StartsWith(input + Path.DirectorySeparatorChar, StringComparison.Ordinal)))
        {
            throw new CheckpointException(
                $"checkpointer.output_dir {OutputDir} lies in checkpoint_dir {CheckpointDir}: saves would be taken for parts of the base model. "
                + "Choose an output_dir outside of it.");
        }
    }

    /// <summary>A path with the links of all its existing parts followed.</summary>
    private static string Real(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        string? parent = Path.GetDirectoryName(full);
        if (parent is null)
        {
            return full;
        }

        string here = Path.Combine(Real(parent), Path.GetFileName(full));
        return Directory.Exists(here) && new DirectoryInfo(here).ResolveLinkTarget(returnFinalTarget: true) is { } target ? target.FullName : here;
    }
}

/// <summary>Hugging Face's layout and names: reads model folders of the hub, writes folders that transformers and PEFT load.</summary>
[Component("torchtune.training.FullModelHFCheckpointer")]
public sealed class FullModelHFCheckpointer : Checkpointer
{
    /// <summary>Creates the checkpointer; nothing is read yet but <c>config.json</c>.</summary>
    /// <param name="outputDir">Where saves go.</param>
    /// <param name="checkpointDir">The base model's folder; null to start from random weights.</param>
    /// <param name="checkpointFiles">File names, or <c>{filename_format, max_filename}</c>; null to find them by their usual names.</param>
    /// <param name="modelType">torchtune's family name; the weights' own names decide.</param>
    /// <param name="adapterCheckpoint">Adapter weights to resume from; null for those of the newest save.</param>
    /// <param name="recipeCheckpoint">Training state to resume from; null for that of the newest save.</param>
    /// <param name="resumeFromCheckpoint">torchtune's old switch; the recipe's own <c>resume_from_checkpoint</c> decides.</param>
    /// <param name="safeSerialization">Must be true.</param>
    /// <param name="shouldLoadRecipeState">torchtune's new switch; the recipe's own decides.</param>
    /// <param name="keepLastNCheckpoints">Older saves beyond this number are removed; null keeps all.</param>
    /// <param name="enableDcp">Must be false.</param>
    public FullModelHFCheckpointer(
        string outputDir, string? checkpointDir = null, object? checkpointFiles = null, ModelType? modelType = null,
        string? adapterCheckpoint = null, string? recipeCheckpoint = null, bool resumeFromCheckpoint = false,
        bool safeSerialization = true, bool shouldLoadRecipeState = false, int? keepLastNCheckpoints = null, bool enableDcp = false)
        : base(new CheckpointerSettings(
            outputDir, checkpointDir, checkpointFiles, adapterCheckpoint, recipeCheckpoint, safeSerialization, keepLastNCheckpoints, enableDcp,
            modelType, resumeFromCheckpoint || shouldLoadRecipeState))
    {
    }

    internal override Naming SavedNaming => Naming.HuggingFace;
}

/// <summary>Meta's names (<c>consolidated.00.pth</c>): reads Meta's releases, writes safetensors with the same names.</summary>
[Component("torchtune.training.FullModelMetaCheckpointer")]
public sealed class FullModelMetaCheckpointer : Checkpointer
{
    /// <summary>Creates the checkpointer; nothing is read yet but <c>config.json</c>.</summary>
    /// <param name="outputDir">Where saves go.</param>
    /// <param name="checkpointDir">The base model's folder; null to start from random weights.</param>
    /// <param name="checkpointFiles">File names, or <c>{filename_format, max_filename}</c>; null to find them by their usual names.</param>
    /// <param name="modelType">torchtune's family name; the weights' own names decide.</param>
    /// <param name="adapterCheckpoint">Adapter weights to resume from; null for those of the newest save.</param>
    /// <param name="recipeCheckpoint">Training state to resume from; null for that of the newest save.</param>
    /// <param name="resumeFromCheckpoint">torchtune's old switch; the recipe's own <c>resume_from_checkpoint</c> decides.</param>
    /// <param name="shouldLoadRecipeState">torchtune's new switch; the recipe's own decides.</param>
    /// <param name="keepLastNCheckpoints">Older saves beyond this number are removed; null keeps all.</param>
    /// <param name="enableDcp">Must be false.</param>
    public FullModelMetaCheckpointer(
        string outputDir, string? checkpointDir = null, object? checkpointFiles = null, ModelType? modelType = null,
        string? adapterCheckpoint = null, string? recipeCheckpoint = null, bool resumeFromCheckpoint = false,
        bool shouldLoadRecipeState = false, int? keepLastNCheckpoints = null, bool enableDcp = false)
        : base(new CheckpointerSettings(
            outputDir, checkpointDir, checkpointFiles, adapterCheckpoint, recipeCheckpoint, true, keepLastNCheckpoints, enableDcp,
            modelType, resumeFromCheckpoint || shouldLoadRecipeState))
    {
    }

    internal override Naming SavedNaming => Naming.Meta;
}

/// <summary>torchtune's own names, which are our models'.</summary>
[Component("torchtune.training.FullModelTorchTuneCheckpointer")]
public sealed class FullModelTorchTuneCheckpointer : Checkpointer
{
    /// <summary>Creates the checkpointer; nothing is read yet but <c>config.json</c>.</summary>
    /// <param name="outputDir">Where saves go.</param>
    /// <param name="checkpointDir">The base model's folder; null to start from random weights.</param>
    /// <param name="checkpointFiles">File names, or <c>{filename_format, max_filename}</c>; null to find them by their usual names.</param>
    /// <param name="modelType">torchtune's family name; the weights' own names decide.</param>
    /// <param name="adapterCheckpoint">Adapter weights to resume from; null for those of the newest save.</param>
    /// <param name="recipeCheckpoint">Training state to resume from; null for that of the newest save.</param>
    /// <param name="resumeFromCheckpoint">torchtune's old switch; the recipe's own <c>resume_from_checkpoint</c> decides.</param>
    /// <param name="shouldLoadRecipeState">torchtune's new switch; the recipe's own decides.</param>
    /// <param name="keepLastNCheckpoints">Older saves beyond this number are removed; null keeps all.</param>
    /// <param name="enableDcp">Must be false.</param>
    public FullModelTorchTuneCheckpointer(
        string outputDir, string? checkpointDir = null, object? checkpointFiles = null, ModelType? modelType = null,
        string? adapterCheckpoint = null, string? recipeCheckpoint = null, bool resumeFromCheckpoint = false,
        bool shouldLoadRecipeState = false, int? keepLastNCheckpoints = null, bool enableDcp = false)
        : base(new CheckpointerSettings(
            outputDir, checkpointDir, checkpointFiles, adapterCheckpoint, recipeCheckpoint, true, keepLastNCheckpoints, enableDcp,
            modelType, resumeFromCheckpoint || shouldLoadRecipeState))
    {
    }

    internal override Naming SavedNaming => Naming.TorchTune;
}
