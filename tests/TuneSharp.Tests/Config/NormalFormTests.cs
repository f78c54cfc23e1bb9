using TuneSharp.Config;

namespace TuneSharp.Tests.Config;

public class NormalFormTests
{
    private const string OtherSpelling = """
        output_dir: /tmp/out
        model:
          type: lora_tiny
          params:
            lora_attn_modules: [q_proj]
        optimizer:
          type: TestAdamW
          params: {lr: 1e-3}
        train:
          batch_size: 16
          num_epochs: 3
          log_interval: 7
          max_steps_per_epoch: 11
          weight_decay: 0.3
        lora_rank: 4
        """;

    [Fact]
    public void Both_spellings_give_the_same_config()
    {
        const string Flat = """
            output_dir: /tmp/out
            batch_size: 16
            epochs: 3
            log_every_n_steps: 7
            max_steps_per_epoch: 11
            model: {_component_: test.models.lora_tiny, lora_attn_modules: [q_proj], lora_rank: 4}
            optimizer: {_component_: test.optim.TestAdamW, lr: 1e-3, weight_decay: 0.3}
            """;
        Assert.Equal(Loading.LoadAll(Flat).Yaml, Loading.LoadAll(OtherSpelling).Yaml);
    }

    [Fact]
    public void Interpolations_may_use_either_spelling() =>
        Assert.Equal("16 3", Loading.Load(OtherSpelling + "\nprompt: {user: '${train.batch_size} ${epochs}'}\n").Prompt.User);

    [Fact]
    public void The_command_line_may_use_either_spelling_of_what_the_file_says()
    {
        Assert.Equal(9, Loading.Load(OtherSpelling, "epochs=9").Epochs);
        Assert.Equal(9, Loading.Load(OtherSpelling, "--train.num-epochs", "9").Epochs);
        Assert.Equal(2, Loading.Load(OtherSpelling, "~train.batch_size").BatchSize);
    }

    [Fact]
    public void One_thing_said_twice_is_a_mistake() =>
        Assert.Contains(
            "test.yaml:11:3  train.batch_size and batch_size mean the same, and both are given",
            Loading.Mistakes("batch_size: 3\n" + OtherSpelling),
            StringComparison.Ordinal);

    [Fact]
    public void A_type_that_is_no_component_stays_what_it_is()
    {
        TestConfig config = Loading.Load(Loading.Least + "raw: {data: {type: anything, x: 1}}\n");
        Assert.NotNull(((ConfigMapping)((ConfigMapping)config.Raw!)["data"]!)["type"]);
    }

    [Fact]
    public void A_component_may_be_a_word_alone()
    {
        const string Yaml = "output_dir: x\nmodel: lora_tiny\noptimizer: TestSGD\n";
        TestConfig config = Loading.Load(Yaml, "lora_attn_modules=[q_proj]", "optimizer.momentum=0.25");
        Assert.Equal("lora_tiny", config.Model.Build().Name);
        Assert.Equal(0.25, config.Optimizer.Arguments["momentum"]);
        Assert.Equal("tiny", Loading.Load(Yaml, "model=tiny").Model.Build().Name);
    }
}
