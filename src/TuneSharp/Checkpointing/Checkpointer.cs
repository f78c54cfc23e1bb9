using System.Globalization;
using System.Text.Json.Nodes;
using TuneSharp.Hub;

namespace TuneSharp.Checkpointing;

/// <summary>Reads the base weights of a run, and writes and finds its saves.</summary>
/// <remarks>
/// A save is a folder <c>step_N</c> or <c>epoch_N</c> in the output folder. It is written under a temporary name, flushed and
/// renamed, so a folder with such a name is complete; and it holds config and tokenizer, so other tools load it as it is.
/// </remarks>
public abstract class Checkpointer
{
    private readonly CheckpointFiles? _files;
    private readonly string? _adapterCheckpoint;
    private readonly string? _recipeCheckpoint;
    private readonly int? _keep;
    private readonly string? _hubName; // of a base that checkpoint_dir names as the hub does

    /// <summary>Checks the settings that all checkpointers share.</summary>
    /// <param name="settings">The settings.</param>
    /// <exception cref="CheckpointException">A setting cannot work; the message says which.</exception>
    private protected Checkpointer(CheckpointerSettings settings)
    {
        settings.Check();
        CheckpointDir = settings.CheckpointDir is { } given ? HubCache.Local(given) : null;
        _hubName = CheckpointDir == settings.CheckpointDir ? null : settings.CheckpointDir;
        OutputDir = settings.OutputDir;
        _files = CheckpointFiles.FromConfig(settings.CheckpointFiles);
        _adapterCheckpoint = settings.AdapterCheckpoint;
        _recipeCheckpoint = settings.RecipeCheckpoint;
        _keep = settings.KeepLastNCheckpoints;
        ModelType = settings.ModelType;
        ShouldResume = settings.ShouldResume;
        string? config = CheckpointDir is null ? null : Path.Combine(CheckpointDir, "config.json");
        Config = config is not null && File.Exists(config) ? HfConfig.Read(config) : null;
    }

    /// <summary>Where saves go.</summary>
    public string OutputDir { get; }

    /// <summary>Where the base weights are; null for a run from random weights.</summary>
    public string? CheckpointDir { get; }

    /// <summary>torchtune's family name, if given; the weights' own names decide.</summary>
    public ModelType? ModelType { get; }

    /// <summary>True when one of torchtune's two switches in the checkpointer asks to resume.</summary>
    public bool ShouldResume { get; }

    /// <summary>The base model's <c>config.json</c>, if there is one.</summary>
    public HfConfig? Config { get; }

    /// <summary>How adapters call their base: the hub name if the download recorded it, else the folder.</summary>
    public string? BaseModelName
    {
        get
        {
            string? record = CheckpointDir is null ? null : Path.Combine(CheckpointDir, "original_repo_id.json");
            return record is not null && File.Exists(record) ? new HfConfig(JsonText.ReadObject(record), record).TextOrNull("repo_id") ?? CheckpointDir
                : _hubName ?? CheckpointDir;
        }
    }

    /// <summary>Whose names the saved weights carry.</summary>
    internal abstract Naming SavedNaming { get; }

    /// <summary>Opens the base weights.</summary>
    /// <exception cref="CheckpointException">They are missing or damaged.</exception>
    public ITensorSource OpenBase()
    {
        if (CheckpointDir is null)
        {
            throw new CheckpointException("checkpointer.checkpoint_dir is not set, so there are no weights to start from. Set it to a model's folder.");
        }

        if (!Directory.Exists(CheckpointDir))
        {
            throw new CheckpointException($"{CheckpointDir}: no such folder. checkpointer.checkpoint_dir must be a model's folder; download the model first.{HubCache.Hint(CheckpointDir)}");
        }

        return _files is null ? CheckpointReader.Open(CheckpointDir) : CheckpointReader.Open(CheckpointDir, _files.Names);
    }

    /// <summary>Fills parameters from the base weights.</summary>
    /// <param name="parameters">By our names.</param>
    /// <param name="map">The family's table.</param>
    /// <param name="mayBeMissing">True for a name that the base need not have.</param>
    /// <returns>Our names that the base did not have.</returns>
    /// <exception cref="CheckpointException">The weights are missing, damaged or do not fit.</exception>
    public IReadOnlyList<string> LoadBase(IReadOnlyDictionary<string, Tensor> parameters, WeightMap map, Func<string, bool> mayBeMissing)
    {
        using ITensorSource source = OpenBase();
        return WeightLoader.Load(source, parameters, map, mayBeMissing);
    }

    /// <summary>The save to resume from: what the config names, else the one with most steps in the output folder; null when there is none.</summary>
    /// <exception cref="CheckpointException">The config names files that are not there.</exception>
    public ResumePoint? FindResumePoint()
    {
        if (_recipeCheckpoint is not null)
        {
            string state = Named(_recipeCheckpoint, "recipe_checkpoint");
            string? named = _adapterCheckpoint is null ? null : Named(_adapterCheckpoint, "adapter_checkpoint");
            string folder = Path.GetDirectoryName(Path.GetFullPath(state))!;
            long step = TrainingState.StepOf(state)
                ?? throw new CheckpointException($"{state}: is not a training state of TuneSharp. recipe_checkpoint must be a {TrainingState.FileName}.");
            return new ResumePoint(folder, step, state, named ?? AdapterIn(folder));
        }

        AtomicFolder.RemoveAbandoned(OutputDir);
        ResumePoint? newest = null;
        foreach (string folder in Saves(OutputDir))
        {
            string state = Path.Combine(folder, TrainingState.FileName);
            if (File.Exists(state) && TrainingState.StepOf(state) is { } step && (newest is null || step > newest.Step))
            {
                newest = new ResumePoint(folder, step, state, AdapterIn(folder));
            }
        }

        return newest is not null && _adapterCheckpoint is not null
            ? newest with { AdapterFile = Named(_adapterCheckpoint, "adapter_checkpoint") } : newest;
    }

    /// <summary>Writes a save, then removes the oldest beyond <c>keep_last_n_checkpoints</c>.</summary>
    /// <param name="request">What is saved.</param>
    /// <returns>The save's folder.</returns>
    /// <exception cref="CheckpointException">It could not be written; earlier saves are untouched.</exception>
    public string Save(SaveRequest request)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"{(request.IsStep ? "step" : "epoch")}_{(request.IsStep ? request.Step : request.Epoch)}");
        string folder = Path.Combine(OutputDir, name);
        AtomicFolder.RemoveAbandoned(OutputDir);
        AtomicFolder.Write(folder, temporary => Fill(temporary, request));
        if (_keep is { } keep)
        {
            Prune(keep);
        }

        return folder;
    }

    /// <summary>True for a folder that is named as saves are.</summary>
    /// <param name="folder">Any folder.</param>
    internal static bool IsSaveFolder(string folder) => IsSave(Path.GetFileName(folder));

    /// <summary>The optimizer steps done when a save was made; −1 when it does not say.</summary>
    /// <param name="folder">A save.</param>
    internal static long StepOf(string folder) => TrainingState.StepOf(Path.Combine(folder, TrainingState.FileName)) ?? -1;

    /// <summary>True for the name of a save's folder.</summary>
    internal static bool IsSave(string name)
    {
        string[] parts = name.Split('_');
        return parts.Length == 2 && parts[0] is "step" or "epoch"
            && long.TryParse(parts[^1], NumberStyles.None, CultureInfo.InvariantCulture, out _);
    }

    private void Fill(string folder, SaveRequest request)
    {
        if (CheckpointDir is not null && Directory.Exists(CheckpointDir))
        {
            CompanionFiles.Copy(CheckpointDir, folder);
        }

        string config = Path.Combine(folder, "config.json");
        if (request.Config is not null && !File.Exists(config))
        {
            new HfConfig(request.Config, config).Write(config);
        }

        if (request.Weights.Infos.Count > 0 || request.QuantizedWeights is not null)
        {
            LazyTensors named = request.QuantizedWeights ?? request.Weights.In(SourceNaming.For(SavedNaming, request.Map));
            ShardedWriter.Write(folder, named.Infos, named.Read);
            WriteDtype(folder, named.Infos);
            BnbConfig.Write(folder, request.Quantization);
        }

        if (request.Adapter is { } adapter)
        {
            (adapter.BaseModelNameOrPath is null ? adapter with { BaseModelNameOrPath = BaseModelName } : adapter)
                .Write(folder, request.AdapterTensors, request.Map);
        }

        request.State?.Write(Path.Combine(folder, TrainingState.FileName), request.Step);
    }

    /// <summary>Other tools load weights in the dtype and with the rows that config.json states; they must be those of the file.</summary>
    internal static void WriteDtype(string folder, IReadOnlyList<TensorInfo> weights, bool untied = false)
    {
        string file = Path.Combine(folder, "config.json");
        if (!File.Exists(file))
        {
            return;
        }

        HfConfig config = HfConfig.Read(file);
        ScalarType dtype = weights.MaxBy(w => w.Count)!.Dtype;
        string? text = dtype switch
        {
            ScalarType.Float32 => "float32",
            ScalarType.BFloat16 => "bfloat16",
            ScalarType.Float16 => "float16",
            _ => null,
        };
        Dictionary<string, JsonNode?> changes = new(StringComparer.Ordinal);
        if (text is not null && config.Dtype is { } stated && stated != dtype)
        {
            changes[config.Has("dtype") ? "dtype" : "torch_dtype"] = text;
        }

        if (untied)
        {
            changes["tie_word_embeddings"] = false;
        }

        // The table may have grown (resize_token_embeddings).
        string[] tables = ["embed_tokens.weight", "wte.weight", "word_embeddings.weight"];
        if (weights.FirstOrDefault(w => Array.Exists(tables, t => w.Name.EndsWith(t, StringComparison.Ordinal))) is { Shape: { Length: 2 } shape }
            && config.IntOrNull("vocab_size") is { } rows && rows != shape[0])
        {
            changes["vocab_size"] = shape[0];
        }

        if (changes.Count > 0)
        {
            config.Write(file, changes);
        }
    }

    private string Named(string file, string key)
    {
        string[] places = CheckpointDir is null ? [OutputDir] : [OutputDir, CheckpointDir];
        return places.Select(p => Path.Combine(p, file)).FirstOrDefault(File.Exists)
            ?? throw new CheckpointException($"checkpointer.{key}: {file} is in none of {string.Join(", ", places)}. Name a file there, or a full path.");
    }

    private static string? AdapterIn(string folder)
    {
        string file = Path.Combine(folder, PeftAdapter.WeightsName);
        return File.Exists(file) ? file : null;
    }

    private static IEnumerable<string> Saves(string folder) => !Directory.Exists(folder) ? []
        : Directory.EnumerateDirectories(folder).Where(f => IsSave(Path.GetFileName(f)));

    private void Prune(int keep)
    {
        // Only folders with our own files are touched: a user may keep a folder of such a name here too.
        List<string> old = [.. Saves(OutputDir)
            .Where(f => File.Exists(Path.Combine(f, TrainingState.FileName)) || File.Exists(Path.Combine(f, PeftAdapter.WeightsName))
                || Directory.EnumerateFiles(f, "model*.safetensors").Any())
            .OrderByDescending(Directory.GetLastWriteTimeUtc)
            .Skip(keep)];
        foreach (string folder in old)
        {
            // Renamed first: a folder that is half gone must not look like a save.
            string gone = Path.Combine(OutputDir, $".{Path.GetFileName(folder)}.{AtomicFile.Owner}.tmp");
            try
            {
                Directory.Move(folder, gone);
                Directory.Delete(gone, recursive: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CheckpointException(
                    $"{folder}: could not be removed for keep_last_n_checkpoints {keep} ({e.Message.TrimEnd('.')}). The new save is complete. "
                    + "Check the folder's permissions, or remove keep_last_n_checkpoints.", e);
            }
        }
    }
}
