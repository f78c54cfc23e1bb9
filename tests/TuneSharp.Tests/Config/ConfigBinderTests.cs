using TorchSharp;
using TuneSharp.Config;

namespace TuneSharp.Tests.Config;

public class ConfigBinderTests
{
    [Fact]
    public void A_config_binds_to_its_record()
    {
        TestConfig config = Loading.Load(Loading.Least + """
            batch_size: 1e1
            seed: null
            clip_grad_norm: 'inf'
            shuffle: yes
            family: LLAMA3_2
            prompt: {system: null, user: hi}
            files: {filename_format: 'model-{}-of-{}', max_filename: "00030"}
            weights: {a: 1, b: 2.5}
            """);
        Assert.Equal(10, config.BatchSize);
        Assert.Null(config.Seed);
        Assert.Equal(double.PositiveInfinity, config.ClipGradNorm);
        Assert.True(config.Shuffle);
        Assert.Equal(TestFamily.Llama3_2, config.Family);
        Assert.Equal(new TestPrompt { User = "hi" }, config.Prompt);
        Assert.Equal("00030", ((Dictionary<string, object?>)config.Files!)["max_filename"]);
        Assert.Equal(2.5, config.Weights["b"]);
        Assert.Equal("test.models.lora_tiny", config.Model.Name);
        Assert.Equal(1, config.LogEveryNSteps);
    }

    [Theory]
    [InlineData("bf16", torch.ScalarType.BFloat16)]
    [InlineData("bfloat16", torch.ScalarType.BFloat16)]
    [InlineData("torch.bfloat16", torch.ScalarType.BFloat16)]
    [InlineData("fp32", torch.ScalarType.Float32)]
    [InlineData("float32", torch.ScalarType.Float32)]
    [InlineData("fp64", torch.ScalarType.Float64)]
    public void Dtypes_have_their_short_and_long_names(string name, torch.ScalarType dtype) =>
        Assert.Equal(dtype, Loading.Load(Loading.Least + $"dtype: {name}\n").Dtype);

    [Theory]
    [InlineData("LLAMA3_2", TestFamily.Llama3_2)]
    [InlineData("llama3_2", TestFamily.Llama3_2)]
    [InlineData("phi3-mini", TestFamily.Phi3Mini)]
    [InlineData("PHI3_MINI", TestFamily.Phi3Mini)]
    public void Enums_have_their_lower_and_upper_names(string name, TestFamily family) =>
        Assert.Equal(family, Loading.Load(Loading.Least + $"family: {name}\n").Family);

    [Fact]
    public void A_record_parameter_takes_its_keys_from_the_components_level()
    {
        Component<ITestModel> model = Loading.Load(Loading.Least).Model;
        TestModel built = (TestModel)model.Build("weights/dir");
        Assert.Equal((8, 16.0, "weights/dir"), (built.Lora!.Rank, built.Lora.Alpha, built.Weights));
        Assert.Equal(["lora_alpha", "lora_attn_modules", "lora_rank", "use_dora"], model.Arguments.Keys.Order());
        Assert.Null(((TestModel)model.Build()).Weights);
    }

    [Fact]
    public void Runtime_arguments_are_matched_by_type_in_order()
    {
        TestConfig config = Loading.Load(Loading.Least + "lr_scheduler: {_component_: test.schedule, num_warmup_steps: 3}\n");
        List<TestParameter> parameters = [new("w", null)];
        ITestOptimizer optimizer = config.Optimizer.Build((object)parameters);
        Assert.Same(parameters, ((TestAdamW)optimizer).Parameters);

        TestSchedule schedule = config.LrScheduler!.Build(optimizer, 100, 7L);
        Assert.Equal((2e-5, 3, 100, 7), (schedule.Lr, schedule.Warmup, schedule.Steps, schedule.Last));
        Assert.Equal(-1, config.LrScheduler.Build(100L, optimizer).Last);
        ArgumentException missing = Assert.Throws<ArgumentException>(() => config.LrScheduler.Build(100L));
        Assert.Contains("test.schedule needs a ITestOptimizer (optimizer) to be built; it was given Int64.", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_builder_throws_arrives_as_it_is()
    {
        Component<ITestModel> model = Loading.Load(Loading.Least, "model=test.throws", "~model.lora_attn_modules").Model;
        Assert.Equal("built, and failed", Assert.Throws<InvalidDataException>(() => model.Build()).Message);
    }

    [Fact]
    public void One_component_stands_for_a_list_of_one()
    {
        Assert.Equal("x", Assert.Single(Loading.Load(Loading.Least + "dataset: {_component_: lines, source: x}\n").Dataset).Build().Source);
        Assert.Equal(
            ["x", "y"],
            Loading.Load(Loading.Least + "dataset:\n- {_component_: lines, source: x}\n- {type: lines, params: {source: y, packed: True}}\n")
                .Dataset.Select(d => d.Build().Source));
    }

    [Fact]
    public void A_runtime_parameter_may_be_a_component_of_the_config()
    {
        TestConfig config = Loading.Load(Loading.Least + "dataset: {_component_: tokenized, source: x, tokenizer: {_component_: test.tokenizer, path: t.json}}\n");
        Assert.Equal("x by t.json", config.Dataset[0].Build().Source);
        Assert.Equal("x by given", Loading.Load(Loading.Least + "dataset: {_component_: tokenized, source: x}\n").Dataset[0].Build(new TestTokenizer("given")).Source);
    }

    [Fact]
    public void A_short_name_must_be_the_only_one()
    {
        Assert.Equal("test.optim.TestAdamW", Loading.Load(Loading.Least, "optimizer=TestAdamW").Optimizer.Name);
        Assert.Contains(
            "same is short for several components. Write one of: test.a.same, test.b.same.",
            Loading.Mistakes(Loading.Least + "dataset: {_component_: same, source: x}\n"),
            StringComparison.Ordinal);
    }

    [Fact]
    public void The_resolved_config_is_sorted_complete_and_loads_to_itself()
    {
        LoadedConfig loaded = Loading.LoadAll(Loading.Least + """
            prompt: {user: 'a \${b} $ \\${output_dir}'}
            dataset: {_component_: lines, source: x}
            files: {b: 1, a: [x, 2e-5, {z: 1, c: null}]}
            clip_grad_norm: inf
            family: PHI3_MINI
            hf_token: hf_secret
            """);
        Snapshot.Matches("TuneSharp.Tests/Config", "resolved", loaded.Yaml);
        Assert.Equal(loaded.Yaml, Loading.LoadAll(loaded.Yaml).Yaml);
        Assert.DoesNotContain("hf_secret", loaded.Yaml, StringComparison.Ordinal);
    }

    [Fact]
    public void All_mistakes_of_a_file_come_together_in_order()
    {
        const string Yaml = """
            output_dir: /tmp/out
            batch_sise: 4
            batch_size: 0
            epochs: 200
            seed: "12"
            dtype: fp16
            family: LLAMA3_3
            max_steps_per_epoch: 1.5
            shuffle: maybe
            log_every_n_steps: [1]
            prompt: hello
            weights: {a: x}
            clip_grad_norm: ${nowhere}
            model:
              _component_: test.models.lora_tiny
              lora_rnk: 8
              lora_rank: 0
              use_dora: 2
            optimizer:
              _component_: test.models.tiny
            lr_scheduler:
              num_warmup_steps: 3
            dataset:
              - _component_: test.optim.TestSGDD
                lr: 1
              - _component_: torchtune.models.clip.clip_tokenizer
              - 4
            """;
        Snapshot.Matches("TuneSharp.Tests/Config", "mistakes", Loading.Mistakes(Yaml, "hf_tokn=x", "optimizer.lr"));
    }

    [Fact]
    public void Whole_record_rules_are_checked_at_their_key() =>
        Assert.Contains("test.yaml:8:9  epochs: 200 epochs are more than 100", Loading.Mistakes(Loading.Least + "epochs: 200\n"), StringComparison.Ordinal);

    [Fact]
    public void Keys_without_effect_give_one_warning()
    {
        LoadedConfig loaded = Loading.LoadAll(Loading.Least + """
              fused: True
            compile: True
            optimizer_in_bwd: False
            profiler: {_component_: torchtune.training.setup_torch_profiler, enabled: False, output_dir: '${output_dir}/p'}
            tensor_parallel_dim: 1
            tensor_parallel_plan: {_component_: torchtune.models.llama3.base_llama_tp_plan}
            """);
        Assert.Equal(
            ["test.yaml: these keys have no effect here and are passed over: optimizer.fused, compile, optimizer_in_bwd, profiler, tensor_parallel_dim, tensor_parallel_plan."],
            loaded.Warnings);
        Assert.DoesNotContain("compile", loaded.Yaml, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("profiler: {enabled: True}", "profiler is not available in this version of TuneSharp.")]
    [InlineData("quantizer: {_component_: torchtune.training.quantization.Int8DynActInt4WeightQuantizer}", "quantizer is not available")]
    public void Unless_they_ask_for_what_is_missing(string line, string message) =>
        Assert.Contains(message, Loading.Mistakes(Loading.Least + line + "\n"), StringComparison.Ordinal);

    [Fact]
    public void Without_a_recipe_the_components_are_checked()
    {
        Assert.Empty(ConfigLoader.CheckComponents(new("f.yaml", Loading.Least + "anything: 1\n"), []));
        Assert.Contains(
            "lora_rnk: not a parameter of test.models.lora_tiny. Did you mean lora_rank?",
            Assert.Throws<ConfigException>(() => ConfigLoader.CheckComponents(new("f.yaml", Loading.Least), ["model.lora_rnk=3"])).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_config_names_the_nearest()
    {
        string message = Assert.Throws<ConfigException>(() => ConfigLoader.Load<TestConfig>("no/such/config")).Message;
        Assert.Contains("Config 'no/such/config' not found.", message, StringComparison.Ordinal);
        Assert.Contains("`tune ls` lists all names", message, StringComparison.Ordinal);
    }
}
