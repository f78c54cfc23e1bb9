using System.Text.Json.Nodes;
using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Config;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Checkpointing;

public sealed class CheckpointerTests : IDisposable
{
    private static readonly WeightMap Map = TestMaps.Llama(4, 4);

    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TemporaryFolder _out = new();

    public void Dispose()
    {
        _scope.Dispose();
        _out.Dispose();
    }

    [Fact]
    public void A_full_save_holds_what_the_base_held()
    {
        FullModelHFCheckpointer checkpointer = New();
        Assert.Equal("llama", checkpointer.Config!.ModelType);
        Dictionary<string, Tensor> parameters = Parameters(checkpointer);
        string folder = checkpointer.Save(new SaveRequest { Weights = LazyTensors.Of(parameters), Map = Map, Step = 10, Epoch = 0, IsStep = false });
        Assert.Equal(_out["epoch_0"], folder);
        Assert.Equal(File.ReadAllBytes(Repo.Golden("llama2/model.safetensors")), File.ReadAllBytes(Path.Combine(folder, "model.safetensors")));
        Assert.Equal(
            ["config.json", "config.v4.json", "generation_config.json", "model.safetensors"],
            Directory.EnumerateFiles(folder).Select(Path.GetFileName).Order());
        Assert.Equal(File.ReadAllBytes(Repo.Golden("llama2/config.json")), File.ReadAllBytes(Path.Combine(folder, "config.json")));
    }

    [Fact]
    public void The_config_states_the_dtype_that_was_saved()
    {
        FullModelHFCheckpointer checkpointer = New();
        Dictionary<string, Tensor> half = Parameters(checkpointer).ToDictionary(p => p.Key, p => p.Value.to_type(ScalarType.BFloat16));
        string folder = checkpointer.Save(new SaveRequest { Weights = LazyTensors.Of(half), Map = Map, Step = 1, Epoch = 0, IsStep = true });
        Assert.Equal(ScalarType.BFloat16, HfConfig.Read(folder).Dtype);
    }

    [Fact]
    public void The_newest_complete_save_is_found_and_its_state_is_exact()
    {
        FullModelHFCheckpointer checkpointer = New();
        Assert.Null(checkpointer.FindResumePoint());
        JsonObject numbers = new() { ["seed"] = ulong.MaxValue, ["loss"] = 0.1 + 0.2, ["nested"] = new JsonArray(1, "ä\"\n", null) };
        Tensor moment = randn(3, 5);
        foreach (int step in new[] { 9, 10, 8 })
        {
            numbers["step"] = step;
            checkpointer.Save(Request(step) with
            {
                State = new TrainingState(numbers, new Dictionary<string, Tensor> { ["m"] = moment, ["n"] = tensor(step) }),
            });
        }

        Directory.CreateDirectory(_out[".step_99.x-1.tmp"]);
        Directory.CreateDirectory(_out["step_100"]); // no state: nothing to resume from
        ResumePoint point = checkpointer.FindResumePoint()!;
        Assert.Equal((_out["step_10"], 10L), (point.Folder, point.Step));
        TrainingState state = point.ReadState();
        numbers["step"] = 10;
        Assert.True(JsonNode.DeepEquals(numbers, state.Numbers));
        Assert.Equal(ulong.MaxValue, (ulong)state.Numbers["seed"]!);
        Assert.Equal(0.1 + 0.2, (double)state.Numbers["loss"]!);
        Assert.True(moment.eq(state.Tensors["m"]).all().ToBoolean());
        Assert.Equal(10, state.Tensors["n"].ToInt32());
        using ITensorSource weights = point.OpenWeights();
        Assert.Single(weights.Tensors);
        Assert.Contains("holds no adapter", Assert.Throws<CheckpointException>(() => point.OpenAdapter()).Message);
    }

    [Fact]
    public void An_adapter_is_saved_for_peft_and_found_again()
    {
        FullModelHFCheckpointer checkpointer = New();
        Tensor b = randn(48, 4);
        checkpointer.Save(Request(3) with
        {
            Weights = LazyTensors.None,
            Adapter = new PeftAdapter { R = 4, LoraAlpha = 8, TargetModules = ["q_proj"] },
            AdapterTensors = LazyTensors.Of(new Dictionary<string, Tensor>
            {
                ["layers.0.attn.q_proj.lora_a.weight"] = randn(4, 48),
                ["layers.0.attn.q_proj.lora_b.weight"] = b,
            }),
            State = new TrainingState([], new Dictionary<string, Tensor>()),
        });
        Assert.False(File.Exists(_out["step_3/model.safetensors"]));
        Assert.Equal(Repo.Golden("llama2"), PeftAdapter.Read(_out["step_3"]).BaseModelNameOrPath);
        using ITensorSource adapter = checkpointer.FindResumePoint()!.OpenAdapter();
        Dictionary<string, Tensor> parameters = new()
        {
            ["layers.0.attn.q_proj.lora_a.weight"] = zeros(4, 48),
            ["layers.0.attn.q_proj.lora_b.weight"] = zeros(48, 4),
        };
        WeightLoader.Load(adapter, parameters, Map, _ => false);
        Assert.True(b.eq(parameters["layers.0.attn.q_proj.lora_b.weight"]).all().ToBoolean());
    }

    [Fact]
    public void Only_the_last_saves_are_kept_and_foreign_folders_are_left_alone()
    {
        FullModelHFCheckpointer checkpointer = New(keep: 2);
        Directory.CreateDirectory(_out["step_0"]);
        foreach (int step in new[] { 1, 2, 3, 4 })
        {
            checkpointer.Save(Request(step));
        }

        Assert.Equal([_out["step_0"], _out["step_3"], _out["step_4"]], Directory.EnumerateFileSystemEntries(_out.Path).Order());
    }

    [Fact]
    public void A_save_that_fails_leaves_the_last_one()
    {
        FullModelHFCheckpointer checkpointer = New();
        checkpointer.Save(Request(1));
        SaveRequest failing = Request(1) with
        {
            Weights = new LazyTensors([new TensorInfo("norm.scale", [2], ScalarType.Float32)], _ => throw new IOException("No space left on device")),
        };
        Assert.Contains("untouched", Assert.Throws<CheckpointException>(() => checkpointer.Save(failing)).Message);
        Assert.Equal([_out["step_1"]], Directory.EnumerateFileSystemEntries(_out.Path));
        using CheckpointReader reader = CheckpointReader.Open(_out["step_1"]);
        Assert.Single(reader.Tensors);
    }

    [Fact]
    public void Links_are_copied_as_files_and_weights_and_hidden_files_are_not_copied()
    {
        using TemporaryFolder model = new();
        File.WriteAllText(model["blob"], "tokenizer");
        File.CreateSymbolicLink(model["tokenizer.json"], model["blob"]);
        File.CreateSymbolicLink(model["dead.json"], model["nowhere"]);
        Directory.CreateSymbolicLink(model["loop"], model.Path);
        Directory.CreateDirectory(model["original"]);
        File.WriteAllText(model["original/params.json"], "{}");
        foreach (string name in new[] { "model.safetensors.index.json", "x.bin", "adapter_config.json", ".hidden", "recipe_state.safetensors" })
        {
            File.WriteAllText(model[name], "x");
        }

        new FullModelHFCheckpointer(_out.Path, model.Path).Save(Request(1));
        string step = _out["step_1"];
        Assert.Equal(
            ["blob", "model.safetensors", "original/params.json", "tokenizer.json"],
            Directory.EnumerateFiles(step, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(step, f)).Order());
        Assert.Null(new FileInfo(Path.Combine(step, "tokenizer.json")).LinkTarget);
    }

    [Fact]
    public void An_output_inside_the_checkpoint_is_refused_even_through_a_link()
    {
        using TemporaryFolder model = new();
        Directory.CreateSymbolicLink(_out["link"], model.Path);
        foreach (string output in new[] { model.Path, model["x/y"], _out["link/x"], model["../"] + Path.GetFileName(model.Path) + "/z" })
        {
            Assert.Contains("lies in checkpoint_dir",
                Assert.Throws<CheckpointException>(() => new FullModelHFCheckpointer(output, model.Path)).Message);
        }

        Assert.Equal(model.Path + "x", new FullModelHFCheckpointer(model.Path + "x", model.Path).OutputDir);
    }

    [Fact]
    public void Settings_that_cannot_work_are_refused()
    {
        Assert.Contains("safe_serialization", Message(() => new FullModelHFCheckpointer("o", safeSerialization: false)));
        Assert.Contains("enable_dcp", Message(() => new FullModelHFCheckpointer("o", enableDcp: true)));
        Assert.Contains("at least 1", Message(() => new FullModelHFCheckpointer("o", keepLastNCheckpoints: 0)));
        Assert.Contains("not a folder of this machine", Message(() => new FullModelHFCheckpointer("o", "hf://a/b")));
        Assert.Contains("no such folder", Message(() => new FullModelHFCheckpointer("o", "/nowhere").OpenBase()));
        Assert.Contains("checkpoint_dir is not set", Message(() => new FullModelHFCheckpointer("o").OpenBase()));
        Assert.Contains("x.pt is in none of", Message(() => new FullModelHFCheckpointer("o", recipeCheckpoint: "x.pt").FindResumePoint()));
        static string Message(Func<object?> act) => Assert.Throws<CheckpointException>(act).Message;
    }

    [Fact]
    public void Meta_and_torchtune_checkpointers_save_their_own_names()
    {
        Dictionary<string, Tensor> parameters = Parameters(New());
        SaveRequest request = new() { Weights = LazyTensors.Of(parameters), Map = Map, Step = 1, Epoch = 2, IsStep = false };
        using CheckpointReader meta = CheckpointReader.Open(new FullModelMetaCheckpointer(_out["m"]).Save(request));
        using CheckpointReader ours = CheckpointReader.Open(new FullModelTorchTuneCheckpointer(_out["t"]).Save(request));
        Assert.Contains("layers.1.feed_forward.w2.weight", meta.Tensors.Keys);
        Assert.Equal(parameters.Keys.Order(), ours.Tensors.Keys.Order());
    }

    [Fact]
    public void Checkpoint_files_are_a_list_or_a_pattern()
    {
        Assert.Null(CheckpointFiles.FromConfig(null));
        Assert.Equal(["a", "b"], CheckpointFiles.FromConfig(new List<object?> { "a", "b" })!.Names);
        Assert.Equal(
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
            CheckpointFiles.FromConfig(Pattern("model-{}-of-{}.safetensors", "00002"))!.Names);
        Assert.Equal(
            ["m-00001", "m-00002"], CheckpointFiles.FromConfig(new Dictionary<string, object?> { ["filename_format"] = "m-{}", ["max_filename"] = 2L })!.Names);
        Assert.Equal(["c-01.pth", "c-02.pth"], CheckpointFiles.FromConfig(Pattern("c-{}.pth", "02"))!.Names);
        Assert.Throws<CheckpointException>(() => CheckpointFiles.FromConfig(Pattern("model", "02")));
        Assert.Throws<CheckpointException>(() => CheckpointFiles.FromConfig(Pattern("m-{}", "x")));
        Assert.Throws<CheckpointException>(() => CheckpointFiles.FromConfig(new Dictionary<string, object?> { ["filename_format"] = "a{}" }));
        Assert.Throws<CheckpointException>(() => CheckpointFiles.FromConfig(7));
        static Dictionary<string, object?> Pattern(string format, string last) => new() { ["filename_format"] = format, ["max_filename"] = last };
    }

    [Fact]
    public void A_config_builds_it_with_torchtunes_names()
    {
        string yaml = $"""
            checkpointer:
              _component_: torchtune.training.FullModelHFCheckpointer
              checkpoint_dir: {Repo.Golden("llama2")}
              checkpoint_files: [model.safetensors]
              recipe_checkpoint: null
              output_dir: {_out.Path}
              model_type: LLAMA3_2
              safe_serialization: True
            """;
        CheckpointerConfig config = (CheckpointerConfig)ConfigLoader.Load(
            new ConfigSource("test.yaml", yaml), typeof(CheckpointerConfig), ["checkpointer.keep_last_n_checkpoints=3"], "test").Value;
        Checkpointer checkpointer = config.Checkpointer.Build();
        Assert.IsType<FullModelHFCheckpointer>(checkpointer);
        Assert.Equal(ModelType.LLAMA3_2, checkpointer.ModelType);
        Assert.Equal(21, Parameters(checkpointer).Count);
    }

    private sealed record CheckpointerConfig
    {
        public required Component<Checkpointer> Checkpointer { get; init; }
    }

    private static Dictionary<string, Tensor> Parameters(Checkpointer checkpointer)
    {
        using ITensorSource source = checkpointer.OpenBase();
        Dictionary<string, Tensor> parameters = TestMaps.ParametersOf(source, Map);
        checkpointer.LoadBase(parameters, Map, _ => false);
        return parameters;
    }

    private FullModelHFCheckpointer New(int? keep = null) => new(_out.Path, Repo.Golden("llama2"), keepLastNCheckpoints: keep);

    private static SaveRequest Request(int step) => new()
    {
        Weights = LazyTensors.Of(new Dictionary<string, Tensor> { ["norm.scale"] = ones(2) }),
        Map = Map,
        Step = step,
        Epoch = 0,
        IsStep = true,
    };
}
