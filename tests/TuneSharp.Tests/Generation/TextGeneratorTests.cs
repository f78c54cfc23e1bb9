using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Generation;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Tests.Modules;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Generation;

/// <summary>Cache, batch and padding change how tokens are computed, never which.</summary>
public sealed class TextGeneratorTests
{
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, MaxNewTokens = 24 };

    public static TheoryData<string> Models() => ["llama2", "llama3_1", "llama3_2_tied"];

    [Theory]
    [MemberData(nameof(Models))]
    public void Cached_equals_uncached_and_a_batch_equals_its_rows(string name)
    {
        using TransformerDecoder model = AutoModel.Load(Repo.Golden(name));
        int[][] prompts = Prompts(name);
        int[][] batch = Generate(model, prompts, Greedy);
        Assert.Equal(batch, Generate(model, prompts, Greedy with { EnableKvCache = false }));
        for (int row = 0; row < prompts.Length; row++)
        {
            // A row alone has no padding; in the batch all but the longest do.
            Assert.Equal(batch[row], Generate(model, [prompts[row]], Greedy)[0]);
            Assert.Equal(batch[row], Generate(model, [prompts[row]], Greedy with { EnableKvCache = false })[0]);
            Assert.Equal(24, batch[row].Length);
        }

        Assert.True(batch.Select(row => string.Join(' ', row)).Distinct().Count() > 1); // or equality would prove little
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void The_first_row_continues_as_in_transformers(string name)
    {
        using DisposeScope scope = NewDisposeScope();
        using SafetensorsFile io = new(Repo.Golden(name + "/io.safetensors"));
        using TransformerDecoder model = AutoModel.Load(Repo.Golden(name));
        int[] expected = [.. io.Read("greedy").reshape(-1).to(ScalarType.Int32).data<int>()];
        int[] prompt = [.. io.Read("input_ids")[0].to(ScalarType.Int32).data<int>().Take(8)];
        int[][] made = Generate(model, [prompt, [1, 2]], Greedy with { MaxNewTokens = expected.Length });
        Assert.Equal(expected, made[0]);
    }

    [Fact]
    public void A_row_ends_before_its_stop_token_and_the_others_go_on()
    {
        using TransformerDecoder model = AutoModel.Load(Repo.Golden("llama2"));
        int[][] prompts = Prompts("llama2"), free = Generate(model, prompts, Greedy);
        int stop = free[0][5];
        List<int>[] seen = [.. prompts.Select(_ => new List<int>())];
        int[][] made = Generate(model, prompts, Greedy with { StopTokens = [stop] }, (row, id) => seen[row].Add(id));
        for (int row = 0; row < made.Length; row++)
        {
            Assert.Equal(free[row].TakeWhile(id => id != stop), made[row]);
            Assert.Equal(made[row], seen[row]);
        }

        Assert.True(made[0].Length <= 5);
    }

    [Fact]
    public void A_seed_decides_sampled_text()
    {
        using TransformerDecoder model = AutoModel.Load(Repo.Golden("llama2"));
        GenerationOptions options = new() { MaxNewTokens = 20, TopK = 50, TopP = 0.95, Seed = 9 };
        int[][] first = Generate(model, Prompts("llama2"), options);
        Assert.Equal(first, Generate(model, Prompts("llama2"), options));
        Assert.Equal(first, Generate(model, Prompts("llama2"), options with { EnableKvCache = false }));
        Assert.NotEqual(first, Generate(model, Prompts("llama2"), options with { Seed = 10 }));
    }

    [Fact]
    public void It_stops_when_asked_and_keeps_what_there_is()
    {
        using TransformerDecoder model = AutoModel.Load(Repo.Golden("llama2"));
        using CancellationTokenSource stop = new();
        int[][] made = TextGenerator.Generate(model, [[1, 2, 3]], Greedy, (_, _) => stop.Cancel(), stop.Token);
        Assert.Single(made[0]);
    }

    [Fact]
    public void The_model_is_left_as_it_was_and_trains_on()
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Tiny.Model(Tiny.Lora with { Dropout = 0.5 });
        model.train();
        Generate(model, [[1, 2], [3]], Greedy);
        Assert.True(model.training);
        model.forward(Tiny.Tokens(1, 40)).sum().backward();
        Assert.NotEmpty(Tiny.TakeGradients(model));
    }

    [Fact]
    public void No_prompt_makes_no_text()
    {
        using TransformerDecoder model = Tiny.Model();
        Assert.Empty(Generate(model, [], Greedy));
    }

    [Theory]
    [InlineData(new int[0], "A prompt is empty")]
    [InlineData(new[] { 61 }, "Token id 61 is outside the model's vocabulary of 61")]
    [InlineData(new[] { -1 }, "Token id -1 is outside")]
    public void Prompts_that_cannot_be_are_refused(int[] prompt, string words)
    {
        using TransformerDecoder model = Tiny.Model();
        Assert.Contains(words, Assert.Throws<ArgumentException>(() => Generate(model, [[1], prompt], Greedy)).Message);
    }

    [Fact]
    public void More_tokens_than_the_model_takes_are_refused_with_the_number_that_fits()
    {
        using TransformerDecoder model = Tiny.Model();
        Assert.Contains("Lower max_new_tokens to 253", Assert.Throws<ArgumentException>(
            () => Generate(model, [[1, 2, 3]], Greedy with { MaxNewTokens = 254 })).Message);
    }

    private static int[][] Generate(TransformerDecoder model, int[][] prompts, GenerationOptions options, Action<int, int>? onToken = null) =>
        TextGenerator.Generate(model, prompts, options, onToken, TestContext.Current.CancellationToken);

    /// <summary>Rows of unequal length from the reference's own ids.</summary>
    private static int[][] Prompts(string name)
    {
        using DisposeScope scope = NewDisposeScope();
        using SafetensorsFile io = new(Repo.Golden(name + "/io.safetensors"));
        int[] ids = [.. io.Read("input_ids").reshape(-1).to(ScalarType.Int32).data<int>()];
        return [ids[..8], ids[5..7], ids[3..12], ids[9..10], ids[2..7]];
    }
}
