using TorchSharp;
using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Tests.Modules;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Data;

/// <summary>Data sets as configs name them: all of torchtune's, with the arguments that its YAMLs use.</summary>
public sealed class BuilderTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A dataset section each: those of torchtune's files, then those that its documentation shows.</summary>
    public static TheoryData<string> Sections { get; } =
    [
        "{_component_: torchtune.datasets.alpaca_dataset}",
        "{_component_: torchtune.datasets.alpaca_dataset, packed: False}",
        "{_component_: torchtune.datasets.alpaca_dataset, packed: True, split: 'train[:95%]'}",
        "{_component_: torchtune.datasets.alpaca_cleaned_dataset}",
        "{_component_: torchtune.datasets.alpaca_cleaned_dataset, packed: False, split: 'train[:95%]'}",
        "{_component_: torchtune.datasets.alpaca_cleaned_dataset, split: 'train[95%:]'}",
        "{_component_: torchtune.datasets.stack_exchange_paired_dataset}",
        "{_component_: torchtune.datasets.stack_exchange_paired_dataset, split: 'train[:10%]', train_on_input: True}",
        "{_component_: torchtune.datasets.text_completion_dataset, source: trl-internal-testing/sentiment-trl-style, split: train, column: prompt, add_eos: False}",
        "{_component_: torchtune.datasets.text_completion_dataset, source: allenai/c4, data_dir: realnewslike, packed: True, split_across_pack: True}",
        "{_component_: torchtune.dev.grpo.gsm8k.gsm8k_sft, partition: 0-9/10}",
        "{_component_: torchtune.datasets.instruct_dataset, source: json, data_files: my.json, split: train, column_map: {input: q, output: a}, train_on_input: False, new_system_prompt: Hi, packed: True}",
        "{_component_: torchtune.datasets.instruct_dataset, source: neuroticai/wiki, name: en, revision: main}",
        "{_component_: torchtune.datasets.chat_dataset, source: json, data_files: {train: a.json, test: b.json}, conversation_column: dialogue, conversation_style: sharegpt}",
        "{_component_: torchtune.datasets.chat_dataset, source: x/y, conversation_column: messages, conversation_style: openai, train_on_input: True, new_system_prompt: S, packed: False, split: train_sft}",
        "{_component_: torchtune.datasets.preference_dataset, source: json, data_files: p.json, column_map: {chosen: c, rejected: r}, train_on_input: False, new_system_prompt: S}",
        "{_component_: torchtune.datasets.hh_rlhf_helpful_dataset}",
        "{_component_: torchtune.datasets.hh_rlhf_helpful_dataset, source: a/b, split: train}",
        "{_component_: torchtune.datasets.cnn_dailymail_articles_dataset, max_seq_len: 4096, split: train}",
        "{_component_: torchtune.datasets.wikitext_dataset, subset: wikitext-2-raw-v1, max_seq_len: 128, packed: True}",
        "{_component_: torchtune.datasets.grammar_dataset, packed: True, train_on_input: False}",
        "{_component_: torchtune.datasets.samsum_dataset, packed: True, split: validation}",
        "{_component_: torchtune.datasets.slimorca_dataset, packed: True, column_map: {conversations: conv}}",
        "{_component_: torchtune.datasets.SFTDataset, source: json, data_files: a.json, message_transform: {_component_: torchtune.data.InputOutputToMessages, column_map: {input: q, output: a}}}",
        "{_component_: torchtune.datasets.SFTDataset, source: json, data_files: a.json, message_transform: {_component_: torchtune.data.ShareGPTToMessages, new_system_prompt: S}}",
        "{_component_: torchtune.datasets.PreferenceDataset, source: json, data_files: a.json, message_transform: {_component_: torchtune.data.ChosenRejectedToMessages}}",
        "{_component_: torchtune.datasets.TextCompletionDataset, source: text, data_files: a.txt, column: text, add_eos: True}",
        "{_component_: torchtune.datasets.PackedDataset, ds: {_component_: torchtune.datasets.alpaca_dataset}, max_seq_len: 512, max_packs: 10, split_across_pack: False}",
        "{_component_: torchtune.datasets.ConcatDataset, datasets: [{_component_: torchtune.datasets.alpaca_dataset}, {_component_: torchtune.datasets.grammar_dataset}]}",
        "{_component_: tunesharp.datasets.InterleavedDataset, stop: all_exhausted, weights: [1, 2], datasets: [{_component_: torchtune.datasets.alpaca_dataset}, {_component_: torchtune.datasets.grammar_dataset}]}",
        "[{_component_: torchtune.datasets.alpaca_dataset, weight: 0.3}, {_component_: torchtune.datasets.samsum_dataset, weight: 0.7}]",
        "{_component_: torchtune.datasets.alpaca_dataset, streaming: True, shuffle_buffer: 100, packing: best_fit, on_error: skip, cache: False, cache_dir: c}",
        "{_component_: torchtune.datasets.alpaca_dataset, filter_fn: {_component_: tunesharp.filters.column_matches, column: output, pattern: '^A'}}",
    ];

    private static DataConfig Bind(string section) => ConfigLoader.LoadPart<DataConfig>(new ConfigSource("t.yaml", "dataset: " + section), [], "test");

    [Theory]
    [MemberData(nameof(Sections))]
    public void Every_data_section_binds(string section) => Assert.All(Bind(section).Dataset, d => Assert.NotEmpty(d.Name));

    [Theory]
    [InlineData("torchtune.datasets.multimodal.the_cauldron_dataset, subset: ocrvqa")]
    [InlineData("torchtune.datasets.multimodal.llava_instruct_dataset")]
    [InlineData("torchtune.datasets.multimodal.vqa_dataset, source: x")]
    [InlineData("torchtune.datasets.multimodal.multimodal_chat_dataset, source: x")]
    public void Data_with_pictures_is_refused_with_a_reason(string section) =>
        Assert.Contains("it reads text, no pictures", Assert.Throws<ConfigException>(() => Bind($"{{_component_: {section}}}")).Message, StringComparison.Ordinal);

    [Fact]
    public void A_python_function_as_filter_is_refused_with_what_there_is()
    {
        string message = Assert.Throws<ConfigException>(() => Bind("{_component_: torchtune.datasets.alpaca_dataset, filter_fn: my_module.keep}")).Message;
        Assert.Contains("my_module.keep is not a known component", message, StringComparison.Ordinal);
        Assert.Contains("tunesharp.filters.text_length", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Defaults_are_torchtunes()
    {
        IReadOnlyDictionary<string, object?> Arguments(string name) => Bind($"{{_component_: torchtune.datasets.{name}}}").Dataset[0].Arguments;
        Assert.Equal(true, Arguments("alpaca_dataset")["train_on_input"]);
        Assert.Equal(false, Arguments("grammar_dataset")["train_on_input"]);
        Assert.Equal("train", Arguments("samsum_dataset")["split"]);
        Assert.Equal(false, Arguments("slimorca_dataset")["packed"]);
        LoadOptions none = new();
        Assert.Equal(("a/b", "n"), (none.Or("a/b", "n").Source, none.Or("a/b", "n").Name));
        Assert.Equal("s", (none with { Subset = "s" }).Or("a/b", "n").Subset);
        Assert.Null((none with { Subset = "s" }).Or("a/b", "n").Name);
        Assert.Null((none with { Source = "x.json" }).Or("a/b", "n").Name);
    }

    [Fact]
    public void Preferences_have_labels_where_their_tokens_are()
    {
        string path = _folder.Write("p.jsonl", """
            {"chosen": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "ok"}], "rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "no"}]}
            """);
        Sample sample = Datasets.PreferenceDataset(new ByteModelTokenizer(), path)[0];
        Assert.Equal([257, 's', 'q', 'o', 'k', 258], sample.Tokens);
        Assert.Equal([-100, -100, -100, 'o', 'k', 258], sample.Labels);
        Assert.Equal([-100, -100, 'n', 'o', 258], sample.Rejected!.Labels);
        Sample replaced = Datasets.PreferenceDataset(new ByteModelTokenizer(), path, newSystemPrompt: "T")[0];
        Assert.Equal([257, 'T', 'q', 'o', 'k', 258], replaced.Tokens);
        Assert.Equal([257, 'T', 'q', 'n', 'o', 258], replaced.Rejected!.Tokens);
        Assert.Throws<DatasetException>(() => Datasets.PreferenceDataset(new ByteModelTokenizer(8), path, options: new() { Packing = PackingStrategy.Greedy }));
    }

    [Fact]
    public void Gsm8k_learns_reasoning_and_answer()
    {
        string path = _folder.Write("g.jsonl", "{\"question\": \"1+1?\", \"answer\": \"add #### 2\"}\n{\"question\": \"q\", \"answer\": \"no mark\"}\n");
        ByteModelTokenizer tokenizer = new();
        Sample sample = Datasets.Gsm8kSft(tokenizer, path, partition: "0-0/2")[0];
        Assert.EndsWith("User: 1+1? Assistant: <think>add </think> <answer>2</answer>", tokenizer.Decode(sample.Tokens), StringComparison.Ordinal);
        Assert.Equal("<think>add </think> <answer>2</answer>", tokenizer.Decode([.. sample.Labels.Where(l => l >= 0)]));
        Assert.Equal(1, Datasets.Gsm8kSft(tokenizer, path, partition: "0-0/2").Count);
        Assert.Contains("g.jsonl, line 2", Assert.Throws<DatasetException>(() => Datasets.Gsm8kSft(tokenizer, path)[1]).Message, StringComparison.Ordinal);
        Assert.Throws<DatasetException>(() => Datasets.Gsm8kSft(tokenizer, path, partition: "x"));
    }

    [Fact]
    public void Filters_keep_what_they_say()
    {
        string path = _folder.Write("a.jsonl", "{\"text\": \"aa\", \"k\": \"x\"}\n{\"text\": \"b\", \"k\": \"y\"}\n{\"text\": null, \"k\": null}\n");
        int Count(IRowFilter filter) => Datasets.TextCompletionDataset(
            new ByteModelTokenizer(), path, options: new() { FilterFn = new("f", new Dictionary<string, object?>(), _ => filter) }).Count;
        Assert.Equal(1, Count(RowFilters.ColumnIn("k", ["x", "z"])));
        Assert.Equal(1, Count(RowFilters.ColumnMatches("text", "^a+$")));
        Assert.Equal(2, Count(RowFilters.TextLength("text")));
        Assert.Equal(1, Count(RowFilters.TextLength("text", 1, 1)));
        Assert.Contains("Did you mean text?", Assert.Throws<DatasetException>(() => Count(RowFilters.TextLength("txt"))).Message, StringComparison.Ordinal);
        Assert.Contains("regular expression", Assert.Throws<DatasetException>(() => RowFilters.ColumnMatches("text", "(")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Preference_batches_put_all_preferred_answers_first()
    {
        static Sample Pair(int[] chosen, int[] rejected) => new(chosen, chosen) { Rejected = new(rejected, rejected) };
        using Batch batch = Collate.PaddedCollateDpo([Pair([1, 2, 3], [4, 5]), Pair([11, 12], [13, 14, 15])], paddingIdx: 9);
        Assert.Equal([1, 2, 3, 11, 12, 9, 4, 5, 9, 13, 14, 15], batch.Tokens.data<long>().ToArray());
        Assert.Equal([1, 2, 3, 11, 12, -100, 4, 5, -100, 13, 14, 15], batch.Labels.data<long>().ToArray());
        Assert.Equal([4L, 3], batch.Tokens.shape);
        Assert.False(batch.LabelsAreShifted);
        Assert.Contains("pairs of answers", Assert.Throws<DatasetException>(() => Collate.PaddedCollateDpo([new([1], [1])])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Padding_goes_to_either_side()
    {
        Sample[] samples = [new([1, 2, 3], [2, 3, -100]), new([4], [-100])];
        using Batch left = Collate.PaddedCollate(samples, "left", ["tokens", "labels"], -10);
        Assert.Equal([1, 2, 3, -10, -10, 4], left.Tokens.data<long>().ToArray());
        Assert.Equal([2, 3, -100, -100, -100, -100], left.Labels.data<long>().ToArray());
        Assert.Contains("'left' or 'right'", Assert.Throws<DatasetException>(() => Collate.PaddedCollate(samples, "up")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("torchtune.data.left_pad_sequence", "for generation")]
    [InlineData("torchtune.data.padded_collate_tiled_images_and_mask", "needs images")]
    [InlineData("torchtune.data.padded_collate_sfd", "Did you mean torchtune.data.padded_collate_sft?")]
    public void Collations_that_cannot_be_are_explained(string name, string words) =>
        Assert.Contains(words, Assert.Throws<DatasetException>(() => Collate.Find(name, new ListDataset([1]), 0)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_packed_batch_says_where_its_samples_begin_and_end()
    {
        PackedDataset packs = new(new ListDataset([1, 1, 1], [2, 2], [3, 3, 3, 3], [4]), 6);
        using Batch batch = Collate.PaddedCollatePacked([packs[0], packs[1]]);
        Assert.Equal([0, 3, 5, 6, 10, 11, 12], batch.CuSeqLens!.data<int>().ToArray());
        Assert.Equal(ScalarType.Int32, batch.CuSeqLens.dtype);
        Assert.Equal(4, batch.MaxSampleLength);
        Assert.Equal(batch.SeqLens!.Sum(r => r.Length) + 1, batch.CuSeqLens.numel());
    }

    /// <summary>Whatever the lengths, the strategy and the size of the pack: packing moves neither loss nor gradients.</summary>
    [Theory]
    [InlineData(1, PackingStrategy.Greedy)]
    [InlineData(2, PackingStrategy.BestFit)]
    [InlineData(3, PackingStrategy.Greedy)]
    [InlineData(4, PackingStrategy.BestFit)]
    [InlineData(5, PackingStrategy.BestFit)]
    public void Packed_loss_equals_padded_loss(int seed, PackingStrategy strategy)
    {
        using DisposeScope scope = NewDisposeScope();
        using TransformerDecoder model = Tiny.Model();
        Random random = new(seed);
        int[][] samples = [.. Enumerable.Range(0, 3 + random.Next(8)).Select(_ =>
            Enumerable.Range(0, 2 + random.Next(40)).Select(_ => random.Next((int)Tiny.Shape.VocabSize)).ToArray())];
        ListDataset dataset = new ListDataset(samples);
        PackedDataset packs = new(dataset, 42 + random.Next(60), strategy: strategy);
        Batch packed = Collate.PaddedCollatePacked([.. Enumerable.Range(0, packs.Count).Select(i => packs[i])]);
        Batch padded = Collate.PaddedCollateSft([.. Enumerable.Range(0, dataset.Count).Select(i => dataset[i])]);
        Assert.Equal(padded.NumTargets, packed.NumTargets);
        Assert.Equal(padded.NumTokens, packed.NumTokens);
        (double loss, Dictionary<string, Tensor> gradients) Run(Batch batch)
        {
            Tensor sum = new LinearCrossEntropyLoss().Sum(model, model.Hidden(batch.Tokens, batch.InputPos, null, batch.SeqLens), batch.Labels);
            sum.backward();
            return (sum.item<float>(), Tiny.TakeGradients(model));
        }

        (double expected, Dictionary<string, Tensor> wanted) = Run(padded);
        (double actual, Dictionary<string, Tensor> gradients) = Run(packed);
        Assert.Equal(expected, actual, 2e-5 * expected); // the tolerance of whole models in fp32, as in PackingTests
        Tiny.NearAll(wanted, gradients, 2e-5);
    }

    private sealed record DataConfig
    {
        public required IReadOnlyList<Component<IDataset>> Dataset { get; init; }
    }
}
