namespace TuneSharp.Tests.Config;

public class OverridesTests
{
    [Theory]
    [InlineData("batch_size=128")]
    [InlineData("--batch_size=128")]
    [InlineData("--batch-size=128")]
    [InlineData("--batch_size 128")]
    [InlineData("--train.batch_size 128")]
    [InlineData("train.batch_size=128")]
    [InlineData("--train.batch-size=128")]
    public void A_key_is_set_in_every_spelling(string words) =>
        Assert.Equal(128, Loading.Load(Loading.Least + "batch_size: 2\n", words.Split(' ')).BatchSize);

    [Theory]
    [InlineData("optimizer.lr=0.0001")]
    [InlineData("--optimizer.lr 1e-4")]
    [InlineData("--optimizer.params.lr 0.0001")]
    [InlineData("optimizer.params.lr=1e-4")]
    [InlineData("learning_rate=1e-4")]
    [InlineData("--train.learning_rate 1e-4")]
    [InlineData("optimizer={lr: 1e-4}")]
    public void The_learning_rate_too(string words) =>
        Assert.Equal(1e-4, Build(Loading.Load(Loading.Least, words.Split(' ', words.StartsWith("--", StringComparison.Ordinal) ? 2 : 1))).Lr);

    [Fact]
    public void Swapping_a_component_keeps_its_arguments()
    {
        TestConfig config = Loading.Load(Loading.Least, "optimizer=test.optim.TestSGD", "optimizer.momentum=0.5");
        TestSgd sgd = Assert.IsType<TestSgd>(Build(config));
        Assert.Equal((2e-5, 0.5), (sgd.Lr, sgd.Momentum));
        Assert.IsType<TestSgd>(Build(Loading.Load(Loading.Least, "--optimizer.type", "TestSGD")));
        Assert.IsType<TestSgd>(Build(Loading.Load(Loading.Least, "optimizer._component_=TestSGD")));
        Assert.IsType<TestSgd>(Build(Loading.Load(Loading.Least, "optimizer={type: TestSGD, params: {momentum: 0.1}}")));
    }

    [Fact]
    public void An_argument_the_new_component_does_not_take_is_named() =>
        Assert.Contains(
            "optimizer.weight_decay: not a parameter of test.optim.TestSGD",
            Loading.Mistakes(Loading.Least + "  weight_decay: 0.1\n", "optimizer=TestSGD"),
            StringComparison.Ordinal);

    [Fact]
    public void Flat_lora_keys_are_the_models()
    {
        TestConfig config = Loading.Load(Loading.Least, "lora_rank=32", "lora_alpha=64", "lora_attn_modules=[q_proj,v_proj,output_proj]", "use_dora=True");
        TestLora lora = ((TestModel)config.Model.Build()).Lora!;
        Assert.Equal((32, 64.0, true), (lora.Rank, lora.Alpha, lora.UseDora));
        Assert.Equal([TestModule.QProj, TestModule.VProj, TestModule.OutputProj], lora.AttnModules);
    }

    [Fact]
    public void Tilde_removes_a_key_and_the_section_it_leaves_empty()
    {
        Assert.Equal(2, Loading.Load(Loading.Least + "batch_size: 7\n", "~batch_size").BatchSize);
        Assert.Equal("", Loading.Load(Loading.Least + "prompt: {user: hi}\n", "~prompt.user=hi").Prompt.User);
        Assert.Contains("needs optimizer", Loading.Mistakes(Loading.Least, "~optimizer"), StringComparison.Ordinal);
        Assert.Contains("Removing components from CLI is not supported", Loading.Mistakes(Loading.Least, "~optimizer._component_"), StringComparison.Ordinal);
        Assert.Contains(
            "Could not find key batch_siz in yaml config to remove. Did you mean batch_size?",
            Loading.Mistakes(Loading.Least + "batch_size: 7\n", "~batch_siz"),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("seed=None", null)]
    [InlineData("seed=null", null)]
    [InlineData("seed=", null)]
    [InlineData("seed=-3", -3L)]
    public void Nothing_is_a_value(string word, long? seed) => Assert.Equal(seed, Loading.Load(Loading.Least + "seed: 1\n", word).Seed);

    [Theory]
    [InlineData("prompt.user=a=b", "a=b")]
    [InlineData("prompt.user=Tell me: a joke", "Tell me: a joke")]
    [InlineData("prompt.user=[not a list]", "[not a list]")]
    [InlineData("prompt.user=0012", "0012")]
    [InlineData("prompt={user: 'x, y'}", "x, y")]
    public void A_value_may_contain_anything(string word, string user) => Assert.Equal(user, Loading.Load(Loading.Least, word).Prompt.User);

    [Fact]
    public void Lists_are_replaced_whole_and_mappings_merge()
    {
        const string Yaml = Loading.Least + "files: [a, b, c]\nweights: {x: 1, y: 2}\n";
        TestConfig config = Loading.Load(Yaml, "files=[d]", "weights={y: 3, z: 4}");
        Assert.Equal(new List<object?> { "d" }, config.Files);
        Assert.Equal(new Dictionary<string, double> { ["x"] = 1, ["y"] = 3, ["z"] = 4 }, config.Weights);
        Assert.Contains("files is a list", Loading.Mistakes(Yaml, "files={a: 1}"), StringComparison.Ordinal);
        Assert.Contains("5 is no index", Loading.Mistakes(Yaml, "files.5=x"), StringComparison.Ordinal);
        Assert.Equal(new List<object?> { "a", "x", "c" }, Loading.Load(Yaml, "files.1=x").Files);
    }

    [Fact]
    public void A_section_that_is_null_can_be_filled()
    {
        TestConfig config = Loading.Load(Loading.Least + "lr_scheduler: null\n", "lr_scheduler.type=test.schedule", "lr_scheduler.num_warmup_steps=3");
        Assert.Equal(3, config.LrScheduler!.Arguments["num_warmup_steps"]);
        Assert.Equal(5, Loading.Load(Loading.Least, "lr_scheduler=test.schedule", "warmup_steps=5").LrScheduler!.Arguments["num_warmup_steps"]);
    }

    [Theory]
    [InlineData("batch_sise=3", "command line  batch_sise is not a key of test_recipe. Did you mean batch_size?")]
    [InlineData("nonsense", "Command-line overrides must be in the form of key=value, got nonsense")]
    [InlineData("=3", "Command-line overrides must be in the form of key=value, got =3")]
    [InlineData("--seed", "--seed has no value")]
    [InlineData("a..b=1", "`a..b` is not a key")]
    [InlineData("batch_size={a", "not valid YAML")]
    [InlineData("output_dir.x=1", "output_dir is the single value /tmp/out")]
    [InlineData("batch_size=0", "command line  batch_size is 0; it must be at least 1.")]
    [InlineData("optimizer.lr=abc", "command line  optimizer.lr must be a number; `abc` is text.")]
    public void A_mistake_is_said(string word, string message) => Assert.Contains(message, Loading.Mistakes(Loading.Least, word), StringComparison.Ordinal);

    private static ITestOptimizer Build(TestConfig config) => config.Optimizer.Build((object)new List<TestParameter>());
}
