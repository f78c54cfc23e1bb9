using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Models;
using TuneSharp.Models.Llama2;
using TuneSharp.Models.Llama3;
using TuneSharp.Tokenizers;

namespace TuneSharp.Tests.Data;

public sealed class ModelTokenizerTests : IDisposable
{
    private static readonly string[] Llama3Specials =
    [
        "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>",
        "<|python_tag|>", "<|finetune_right_pad_id|>",
    ];

    private const int Bos = 256;
    private const int Eos = 257;
    private const int Start = 258;
    private const int End = 259;
    private const int Eot = 260;
    private const int Eom = 261;
    private const int Python = 262;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static int[] Bytes(string text) => new ByteTokenizer().Encode(text);

    private static int[] Header(string role) => [Start, .. Bytes(role), End, 10, 10];

    private static string Bits(bool[] mask) => string.Concat(mask.Select(m => m ? '1' : '0'));

    private static string Ones(int count) => new('1', count);

    private static string Zeros(int count) => new('0', count);

    [Fact]
    public void Llama3_writes_headers_and_ends_and_strips_blanks()
    {
        Llama3Tokenizer tokenizer = new(new ByteTokenizer(Llama3Specials));
        TokenizedMessages t = tokenizer.TokenizeMessages([new(Role.User, "  hi\n", Masked: true), new(Role.Assistant, " yo ")]);
        Assert.Equal([Bos, .. Header("user"), 'h', 'i', Eot, .. Header("assistant"), 'y', 'o', Eot, Eos], t.Tokens);
        Assert.Equal(Ones(1 + 8 + 3) + Zeros(13 + 3) + "1", Bits(t.Mask));
        Assert.Equal([Eos, Eot, Eom], tokenizer.StopTokens);
        Assert.Equal(263, tokenizer.PadId);
    }

    [Fact]
    public void Llama3_leaves_the_last_turn_open_for_generation()
    {
        Llama3Tokenizer tokenizer = new(new ByteTokenizer(Llama3Specials));
        int[] expected = [Bos, .. Header("user"), 'h', 'i', Eot, .. Header("assistant")];
        Assert.Equal(expected, tokenizer.TokenizeMessages([new(Role.User, "hi"), new(Role.Assistant, "")], inference: true).Tokens);
        Assert.Equal(expected, tokenizer.TokenizeMessages([new(Role.User, "hi")], inference: true).Tokens);
        Assert.Equal([.. expected, 'y'], tokenizer.TokenizeMessages([new(Role.User, "hi"), new(Role.Assistant, "y")], inference: true).Tokens);
    }

    [Fact]
    public void Llama3_marks_tool_calls_and_turns_that_go_on()
    {
        Llama3Tokenizer tokenizer = new(new ByteTokenizer(Llama3Specials));
        TokenizedMessages t = tokenizer.TokenizeMessages(
        [
            new(Role.User, "q"), new(Role.Assistant, "f()", Ipython: true, Eot: false), new(Role.Ipython, "1", Eot: false), new(Role.Assistant, "a"),
        ]);
        Assert.Equal(
            [
                Bos, .. Header("user"), 'q', Eot, .. Header("assistant"), Python, 'f', '(', ')', Eom,
                .. Header("ipython"), '1', Eom, .. Header("assistant"), 'a', Eot, Eos,
            ],
            t.Tokens);
        ByteTokenizer old = new(Llama3Specials[..5]);
        Assert.Throws<ConfigException>(() => new Llama3Tokenizer(old).TokenizeMessages([new(Role.Assistant, "f()", Ipython: true)]));
    }

    [Theory]
    [InlineData(TruncationType.Right)]
    [InlineData(TruncationType.Left)]
    public void Llama3_cuts_at_either_end_and_still_ends(TruncationType truncation)
    {
        Llama3Tokenizer tokenizer = new(new ByteTokenizer(Llama3Specials), maxSeqLen: 12, truncation: truncation);
        TokenizedMessages t = tokenizer.TokenizeMessages([new(Role.User, "hihihihi", Masked: true), new(Role.Assistant, "yo")]);
        int[] whole = [Bos, .. Header("user"), .. Bytes("hihihihi"), Eot, .. Header("assistant"), 'y', 'o', Eot, Eos];
        Assert.Equal(truncation == TruncationType.Right ? [.. whole[..11], Eos] : whole[^12..], t.Tokens);
        Assert.Equal(truncation == TruncationType.Right ? Ones(12) : Zeros(11) + "1", Bits(t.Mask));
    }

    [Fact]
    public void Llama3_decodes_without_headers()
    {
        Llama3Tokenizer tokenizer = new(new ByteTokenizer(Llama3Specials));
        int[] ids = tokenizer.TokenizeMessages([new(Role.User, "hi"), new(Role.Assistant, "yo")]).Tokens;
        Assert.Equal("hiyo", tokenizer.Decode(ids));
        Assert.StartsWith("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>", tokenizer.Decode(ids, skipSpecialTokens: false), StringComparison.Ordinal);
        Assert.Equal([Bos, 'x', Eos], tokenizer.Encode("x"));
    }

    [Fact]
    public void Llama3_says_which_special_token_is_missing() => Assert.Contains(
        "no <|start_header_id|>",
        Assert.Throws<ConfigException>(() => new Llama3Tokenizer(new ByteTokenizer("<|begin_of_text|>", "<|end_of_text|>"))).Message,
        StringComparison.Ordinal);

    [Fact]
    public void Llama2_puts_bos_and_eos_around_each_exchange()
    {
        Llama2Tokenizer tokenizer = new(new ByteTokenizer("<s>", "</s>"), promptTemplate: PromptTemplates.Llama2ChatTemplate());
        Message[] messages =
        [
            new(Role.System, "S", Masked: true), new(Role.User, "u", Masked: true), new(Role.Assistant, "a"),
            new(Role.User, "v", Masked: true), new(Role.Assistant, "b"),
        ];
        TokenizedMessages t = tokenizer.TokenizeMessages(messages);
        int[] first = [Bos, .. Bytes("[INST] <<SYS>>\nS\n<</SYS>>\n\nu [/INST]"), 'a', 257];
        int[] second = [Bos, .. Bytes("[INST] v [/INST]"), 'b', 257];
        Assert.Equal([.. first, .. second], t.Tokens);
        Assert.Equal(Ones(first.Length - 2) + "00" + Ones(second.Length - 2) + "00", Bits(t.Mask));
        Assert.Equal(
            [.. first, .. second[..^2]],
            tokenizer.TokenizeMessages([.. messages[..4], new(Role.Assistant, "")], inference: true).Tokens);
    }

    [Fact]
    public void Llama2_tokenises_messages_as_their_text_together()
    {
        ITokenizer vocabulary = TokenizerLoader.Load(Repo.Golden("tokenizers/made/sp_bpe.tokenizer.json"));
        Llama2Tokenizer tokenizer = new(vocabulary);
        TokenizedMessages t = tokenizer.TokenizeMessages(
            [new(Role.System, "Be brief.\n"), new(Role.User, "What is that \n"), new(Role.Assistant, "A tree")]);
        Assert.Equal(tokenizer.Encode("Be brief.\nWhat is that \nA tree"), t.Tokens);
    }

    [Fact]
    public void A_generic_tokenizer_reads_its_special_tokens_from_the_files_beside_it()
    {
        WriteVocabulary("<s>", "</s>", "<pad>", "<|im_end|>");
        _folder.Write("tokenizer_config.json", """{"eos_token": {"content": "</s>"}, "bos_token": null}""");
        _folder.Write("generation_config.json", """{"eos_token_id": [257, 300], "pad_token_id": 258}""");
        _folder.Write("config.json", """{"bos_token_id": 256}""");
        IModelTokenizer tokenizer = HuggingFaceTokenizers.HuggingFaceModelTokenizer(path: _folder.Path);
        Assert.Equal(((int?)256, 257, 258), (tokenizer.BosId, tokenizer.EosId, tokenizer.PadId));
        Assert.Equal([257, 300, 259], tokenizer.StopTokens);
    }

    [Fact]
    public void A_generic_tokenizer_without_an_end_is_an_error()
    {
        WriteVocabulary("</s>");
        string message = Assert.Throws<ConfigException>(() => HuggingFaceTokenizers.HuggingFaceModelTokenizer(path: _folder.Path)).Message;
        Assert.Contains("no file says which token ends a text", message, StringComparison.Ordinal);
        Assert.Throws<ConfigException>(() => HuggingFaceTokenizers.HuggingFaceModelTokenizer());
        Assert.Contains(
            "Did you mean tokenizer.json?",
            Assert.Throws<ConfigException>(() => HuggingFaceTokenizers.HuggingFaceModelTokenizer(Path.Combine(_folder.Path, "tokeniser.json"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Headers_in_a_vocabulary_make_it_llama_3()
    {
        WriteVocabulary(Llama3Specials);
        IModelTokenizer tokenizer = HuggingFaceTokenizers.HuggingFaceModelTokenizer(path: _folder.Path);
        Assert.IsType<Llama3Tokenizer>(tokenizer);
        Assert.Equal([Bos, .. Header("user"), 'h', Eot, .. Header("assistant")], tokenizer.TokenizeMessages([new(Role.User, "h")], inference: true).Tokens);
    }

    [Fact]
    public void Without_a_template_messages_are_lines()
    {
        HuggingFaceTokenizer tokenizer = new(new ByteTokenizer("<s>", "</s>"), new SpecialTokenIds(256, 257, 257, [257]));
        TokenizedMessages t = tokenizer.TokenizeMessages([new(Role.User, "q", Masked: true), new(Role.Assistant, "a")]);
        Assert.Equal([256, 'q', 10, 'a', 257], t.Tokens);
        Assert.Equal("11000", Bits(t.Mask));
        Assert.Equal([256, 'q', 10], tokenizer.TokenizeMessages([new(Role.User, "q")], inference: true).Tokens);
    }

    [Fact]
    public void Im_start_in_a_vocabulary_means_chat_ml()
    {
        WriteVocabulary("<|im_start|>", "<|im_end|>", "<|endoftext|>");
        _folder.Write("tokenizer_config.json", """{"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}""");
        IModelTokenizer tokenizer = HuggingFaceTokenizers.HuggingFaceModelTokenizer(path: _folder.Path);
        TokenizedMessages t = tokenizer.TokenizeMessages([new(Role.User, "q", Masked: true), new(Role.Assistant, "a")]);
        Assert.Equal("<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n", tokenizer.Decode(t.Tokens, skipSpecialTokens: false));
        Assert.Equal(
            "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n",
            tokenizer.Decode(tokenizer.TokenizeMessages([new(Role.User, "q")], inference: true).Tokens, skipSpecialTokens: false));
    }

    [Fact]
    public void A_chat_template_is_followed_to_the_letter_and_masked_by_turn()
    {
        HuggingFaceTokenizer tokenizer = new(
            new ByteTokenizer(), new SpecialTokenIds(256, '>', 0, ['>']), chatTemplate: new Angles());
        TokenizedMessages t = tokenizer.TokenizeMessages([new(Role.User, "q", Masked: true), new(Role.Assistant, "a")]);
        Assert.Equal(Bytes("^<user:q><assistant:a>"), t.Tokens);
        Assert.Equal(Ones("^<user:q><assistant:".Length) + "00", Bits(t.Mask));
        Assert.Equal(Bytes("^<user:q><assistant:"), tokenizer.TokenizeMessages([new(Role.User, "q"), new(Role.Assistant, "")], inference: true).Tokens);
    }

    [Fact]
    public void A_config_binds_tokenizers_and_data_sets_by_torchtunes_names()
    {
        WriteVocabulary(Llama3Specials);
        string data = _folder.Write("a.jsonl", "{\"q\": \"h\", \"answer\": \"y\"}\n");
        BoundConfig config = (BoundConfig)ConfigLoader.Load(
            new ConfigSource("test.yaml", $$"""
                tokenizer:
                  _component_: torchtune.models.llama3.llama3_tokenizer
                  path: {{_folder.Path}}
                  max_seq_len: null
                  prompt_template: {user: ["Q: ", null]}
                dataset:
                  _component_: torchtune.datasets.instruct_dataset
                  source: json
                  data_files: {train: {{data}}}
                  split: train[:100%]
                  column_map: {input: q, output: answer}
                  masking_strategy: train_on_last
                  packed: False
                collate_fn: torchtune.data.padded_collate_sft
                """),
            typeof(BoundConfig),
            [],
            "test_recipe").Value;
        IModelTokenizer tokenizer = config.Tokenizer.Build();
        Sample sample = config.Dataset.Build(tokenizer)[0];
        Assert.Equal([Bos, .. Header("user"), 'Q', ':', ' ', 'h', Eot, .. Header("assistant"), 'y', Eot, Eos], sample.Tokens);
        Assert.Equal(2 + Header("assistant").Length, sample.Labels.Count(l => l != Sample.IgnoreIndex));
    }

    [Fact]
    public void Llama2_has_its_template_unless_told_otherwise()
    {
        BoundConfig Load(string template) => (BoundConfig)ConfigLoader.Load(
            new ConfigSource("test.yaml", $$"""
                tokenizer: {_component_: torchtune.models.llama2.llama2_tokenizer, path: {{Repo.Golden("tokenizers/made/sp_bpe.tokenizer.json")}} {{template}} }
                dataset: {_component_: torchtune.datasets.alpaca_cleaned_dataset, split: "train[95%:]"}
                """),
            typeof(BoundConfig),
            [],
            "test_recipe").Value;
        Message[] messages = [new(Role.User, "hi"), new(Role.Assistant, "yo")];
        IModelTokenizer own = Load("").Tokenizer.Build();
        IModelTokenizer none = Load(", prompt_template: null").Tokenizer.Build();
        Assert.Contains("[INST] hi [/INST] yo", own.Decode(own.TokenizeMessages(messages).Tokens, skipSpecialTokens: false), StringComparison.Ordinal);
        Assert.DoesNotContain("[INST]", none.Decode(none.TokenizeMessages(messages).Tokens, skipSpecialTokens: false), StringComparison.Ordinal);
        Assert.Contains("yahma/alpaca-cleaned", Assert.Throws<DatasetException>(() => Load("").Dataset.Build(own)).Message, StringComparison.Ordinal);
    }

    /// <summary>A byte-level vocabulary without merges, so that every byte is a token, and special tokens from 256 on.</summary>
    private void WriteVocabulary(params string[] specials)
    {
        string vocabulary = string.Join(',', Enumerable.Range(0, 256).Select(b => $"{System.Text.Json.JsonSerializer.Serialize(ByteAlphabet.CharOf((byte)b).ToString())}:{b}"));
        string added = string.Join(',', specials.Select((s, i) => $"{{\"id\":{256 + i},\"content\":\"{s}\",\"special\":true,\"normalized\":false,\"single_word\":false,\"lstrip\":false,\"rstrip\":false}}"));
        _folder.Write(
            "tokenizer.json",
            $$"""
            {"version": "1.0", "added_tokens": [{{added}}], "normalizer": null, "post_processor": null,
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
             "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
             "model": {"type": "BPE", "vocab": { {{vocabulary}} }, "merges": [] } }
            """);
    }

    private sealed class Angles : IChatTemplate
    {
        public string Render(IReadOnlyList<Message> messages, bool addGenerationPrompt) =>
            "^" + string.Concat(messages.Select(m => $"<{m.Role.ToString().ToLowerInvariant()}:{m.Content}>")) + (addGenerationPrompt ? "<assistant:" : "");
    }

    public sealed record BoundConfig
    {
        public required Component<IModelTokenizer> Tokenizer { get; init; }

        public required Component<IDataset> Dataset { get; init; }

        public string CollateFn { get; init; } = "torchtune.data.padded_collate_sft";
    }
}
