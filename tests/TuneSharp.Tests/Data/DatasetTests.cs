using System.Text.Json;
using TuneSharp.Data;

namespace TuneSharp.Tests.Data;

public sealed class DatasetTests : IDisposable
{
    private const int No = Sample.IgnoreIndex;
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static Message[] Messages(IMessageTransform transform, string json) =>
        [.. transform.Apply(JsonRowParser.Parse(System.Text.Encoding.UTF8.GetBytes(json), null, "row 1"))];

    [Fact]
    public void Alpaca_writes_its_two_prompts()
    {
        AlpacaToMessages transform = new();
        Message[] with = Messages(transform, "{\"instruction\": \"Add.\", \"input\": \"1 2\", \"output\": \"3\"}");
        Assert.Equal(
            "Below is an instruction that describes a task, paired with an input that provides further context. Write a response " +
            "that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:\n",
            with[0].Content);
        Message[] without = Messages(transform, "{\"instruction\": \"Sing.\", \"input\": \"\", \"output\": \"La\"}");
        Assert.Equal(
            "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n" +
            "### Instruction:\nSing.\n\n### Response:\n",
            without[0].Content);
        Assert.Equal(new Message(Role.Assistant, "La"), without[1]);
        Assert.False(without[0].Masked);
        Assert.Equal(without[0].Content, Messages(transform, "{\"instruction\": \"Sing.\", \"output\": \"La\"}")[0].Content);
    }

    [Fact]
    public void Input_and_output_become_turns_and_columns_can_be_mapped()
    {
        InputOutputToMessages transform = new(new Dictionary<string, string> { ["input"] = "q", ["output"] = "a" }, "Be brief.");
        Assert.Equal(
            [new Message(Role.System, "Be brief.", Masked: true), new Message(Role.User, "Q", Masked: true), new Message(Role.Assistant, "A")],
            Messages(transform, "{\"q\": \"Q\", \"a\": \"A\"}"));
    }

    [Fact]
    public void A_bad_column_map_is_an_error()
    {
        Assert.Contains(
            "'inptu' is not one of the columns that this data set needs (input, output). Did you mean input?",
            Assert.Throws<DatasetException>(() => new InputOutputToMessages(new Dictionary<string, string> { ["inptu"] = "q" })).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "no 'output'",
            Assert.Throws<DatasetException>(() => new InputOutputToMessages(new Dictionary<string, string> { ["input"] = "q" })).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Share_gpt_names_map_to_roles_and_a_new_system_prompt_replaces_the_old()
    {
        const string Json = """{"conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "H"}, {"from": "gpt", "value": "G"}]}""";
        Assert.Equal(
            [new Message(Role.System, "S", Masked: true), new Message(Role.User, "H", Masked: true), new Message(Role.Assistant, "G")],
            Messages(new ShareGptToMessages(), Json));
        Assert.Equal("T", Messages(new ShareGptToMessages(newSystemPrompt: "T"), Json)[0].Content);
        Assert.Equal(3, Messages(new ShareGptToMessages(newSystemPrompt: "T"), Json).Length);
        Assert.Contains("'tool'", Assert.Throws<DatasetException>(() =>
            Messages(new ShareGptToMessages(), """{"conversations": [{"from": "tool", "value": "S"}]}""")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_ai_turns_with_tools_pass_the_rules()
    {
        Message[] messages = Messages(
            new OpenAIToMessages(),
            """
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": "call"}, {"role": "tool", "content": "result"}, {"role": "assistant", "content": "done"}]}
            """);
        Assert.Equal(
            [
                new Message(Role.User, "ab", Masked: true),
                new Message(Role.Assistant, "call", Eot: false),
                new Message(Role.Tool, "result", Masked: true, Eot: false),
                new Message(Role.Assistant, "done"),
            ],
            messages);
        MessageRules.Validate(messages);
        Assert.Contains("not text", Assert.Throws<DatasetException>(() => Messages(
            new OpenAIToMessages(), """{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}""")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tool_calls_go_through_with_all_that_a_template_reads()
    {
        const string Json = """
            {"tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}],
             "messages": [{"role": "user", "content": "1+2?"},
             {"role": "assistant", "content": null, "reasoning_content": "sum", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{\"a\": 1, \"b\": 2.5}"}}]},
             {"role": "tool", "tool_call_id": "c1", "name": "add", "content": "3.5"}, {"role": "assistant", "content": "3.5"}]}
            """;
        Message[] messages = Messages(new OpenAIToMessages(), Json);
        MessageRules.Validate(messages);
        Assert.Equal("add", messages[0].Tools!.Value[0].GetProperty("function").GetProperty("name").GetString());
        Assert.Equal(("", false, false), (messages[1].Content, messages[1].Eot, messages[1].Masked));
        Assert.Equal("{\"a\": 1, \"b\": 2.5}", Assert.Single(messages[1].ToolCalls!).GetProperty("function").GetProperty("arguments").GetString());
        Assert.Equal("sum", messages[1].Extra!["reasoning_content"].GetString());
        Assert.Equal(["tool_call_id", "name"], messages[2].Extra!.Keys);
        Assert.True(messages[2].Masked);
        Assert.Equal("{\"name\": \"add\", \"parameters\": {\"a\": 1, \"b\": 2.5}}", messages[1].ContentAndCalls());
        Assert.Equal("3.5", messages[3].ContentAndCalls());
        Assert.Contains("only the assistant makes", Assert.Throws<DatasetException>(() => Messages(
            new OpenAIToMessages(), """{"messages": [{"role": "user", "content": "x", "tool_calls": [{"a": 1}]}]}""")).Message, StringComparison.Ordinal);
        Assert.Contains("tool_calls holds text", Assert.Throws<DatasetException>(() => Messages(
            new OpenAIToMessages(), """{"messages": [{"role": "assistant", "tool_calls": "x"}]}""")).Message, StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Array, Messages(
            new OpenAIToMessages(), """{"tools": "[1]", "messages": [{"role": "user", "content": "x"}]}""")[0].Tools!.Value.ValueKind);
        Assert.Contains("column 'tools' is a text that is not JSON", Assert.Throws<DatasetException>(() => Messages(
            new OpenAIToMessages(), """{"tools": "[1", "messages": [{"role": "user", "content": "x"}]}""")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(MaskingStrategy.TrainOnAll, "10000")]
    [InlineData(MaskingStrategy.TrainOnAssistant, "11010")]
    [InlineData(MaskingStrategy.TrainOnLast, "11110")]
    public void Masking_follows_the_strategy(MaskingStrategy strategy, string masked)
    {
        const string Json = """
            {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"},
            {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}
            """;
        Message[] messages = Messages(new OpenAIToMessages(masking: strategy), Json);
        Assert.Equal(masked, string.Concat(messages.Select(m => m.Masked ? '1' : '0')));
    }

    [Theory]
    [InlineData("u", "at least two messages")]
    [InlineData("uu", "so is the one before it")]
    [InlineData("aa", "must follow a user's")]
    [InlineData("usa", "may only come first")]
    [InlineData("ut", "must follow the assistant's call")]
    [InlineData("uat", "must follow the assistant's call")]
    public void Turns_out_of_order_are_errors(string roles, string what)
    {
        Message[] messages = [.. roles.Select(r => new Message(r switch { 'u' => Role.User, 'a' => Role.Assistant, 's' => Role.System, _ => Role.Tool }, "x"))];
        Assert.Contains(what, Assert.Throws<DatasetException>(() => MessageRules.Validate(messages)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Templates_put_text_around_messages()
    {
        Message[] messages = [new(Role.System, "S"), new(Role.User, "U"), new(Role.Assistant, "A"), new(Role.User, "V"), new(Role.Assistant, "")];
        static string[] Contents(IPromptTemplate t, params Message[] m) => [.. t.Apply(m).Select(x => x.Content)];
        Assert.Equal(
            ["<|im_start|>system\nS<|im_end|>\n", "<|im_start|>user\nU<|im_end|>\n", "<|im_start|>assistant\nA<|im_end|>\n", "<|im_start|>user\nV<|im_end|>\n", "<|im_start|>assistant\n"],
            Contents(PromptTemplates.ChatMLTemplate(), messages));
        Assert.Equal(
            ["[INST] <<SYS>>\nS\n<</SYS>>\n\nU [/INST] ", "A", "[INST] V [/INST] ", ""],
            Contents(PromptTemplates.Llama2ChatTemplate(), messages));
        Assert.Equal(["[INST] U [/INST] ", "A"], Contents(PromptTemplates.MistralChatTemplate(), messages[1..3]));
        Assert.Throws<DatasetException>(() => PromptTemplates.MistralChatTemplate().Apply(messages));
        Assert.Equal(["Summarize this dialogue:\nU\n---\nSummary:\n", "A"], Contents(PromptTemplates.SummarizeTemplate(), messages[1..3]));
        IPromptTemplate own = PromptTemplates.Parse(new Dictionary<string, object?> { ["user"] = new List<object?> { "Q: ", "\n" } })!;
        Assert.Equal(["Q: U\n", "A"], Contents(own, messages[1..3]));
    }

    [Fact]
    public void Templates_are_found_by_wire_name()
    {
        Assert.Null(PromptTemplates.Parse(null));
        Assert.NotNull(PromptTemplates.Parse("torchtune.data.QuestionAnswerTemplate"));
        Assert.NotNull(PromptTemplates.Parse("torchtune.data.GrammarErrorCorrectionTemplate"));
        Assert.Contains(
            "Did you mean torchtune.data.ChatMLTemplate?",
            Assert.Throws<DatasetException>(() => PromptTemplates.Parse("torchtune.data.ChatMlTemplat")).Message,
            StringComparison.Ordinal);
        Assert.Throws<DatasetException>(() => PromptTemplates.Parse(new Dictionary<string, object?> { ["boss"] = new[] { "", "" } }));
        Assert.Throws<DatasetException>(() => PromptTemplates.Parse(new Dictionary<string, object?> { ["user"] = "x" }));
    }

    [Fact]
    public void Labels_are_shifted_and_masked()
    {
        string path = _folder.Write("a.jsonl", "{\"input\": \"ab\", \"output\": \"cd\"}\n");
        IDataset dataset = Datasets.InstructDataset(new ByteModelTokenizer(), path);
        Sample sample = dataset[0];
        Assert.Equal([257, 'a', 'b', 'c', 'd', 258], sample.Tokens);
        Assert.Equal([No, No, 'c', 'd', 258, No], sample.Labels);
        Assert.Equal(['a', 'b', 'c', 'd', 258, No], Datasets.InstructDataset(new ByteModelTokenizer(), path, trainOnInput: true)[0].Labels);
    }

    [Fact]
    public void A_sample_is_tokenised_once()
    {
        ByteModelTokenizer tokenizer = new();
        IDataset dataset = Datasets.TextCompletionDataset(tokenizer, _folder.Write("a.txt", "abc"));
        Assert.Same(dataset[0], dataset[0]);
        Assert.Equal(1, tokenizer.Calls);
    }

    [Fact]
    public void Text_completion_learns_every_token_and_leaves_one_of_room()
    {
        string path = _folder.Write("a.txt", "abcdef");
        Sample sample = Datasets.TextCompletionDataset(new ByteModelTokenizer(5), path)[0];
        Assert.Equal([257, 'a', 'b', 'c'], sample.Tokens);
        Assert.Equal(['a', 'b', 'c', No], sample.Labels);
        Assert.Equal([257, 'a', 'b', 'c', 'd', 'e', 'f'], Datasets.TextCompletionDataset(new ByteModelTokenizer(), path, addEos: false)[0].Tokens);
    }

    [Fact]
    public void A_text_longer_than_a_pack_is_split_and_nothing_is_lost()
    {
        IDataset dataset = Datasets.TextCompletionDataset(new ByteModelTokenizer(4), _folder.Write("a.txt", "abcdefgh"), packed: true);
        Assert.Equal(3, dataset.Count);
        Assert.Equal([257, 'a', 'b', 'c'], dataset[0].Tokens);
        Assert.Equal(['d', 'e', 'f', 'g'], dataset[1].Tokens);
        Assert.Equal(['h', 258, 259, 259], dataset[2].Tokens);
    }

    [Fact]
    public void A_chat_in_either_style_reads_the_column_named()
    {
        string share = _folder.Write("s.jsonl", """{"talk": [{"from": "human", "value": "h"}, {"from": "gpt", "value": "g"}]}""");
        string open = _folder.Write("o.jsonl", """{"talk": [{"role": "user", "content": "h"}, {"role": "assistant", "content": "g"}]}""");
        ByteModelTokenizer tokenizer = new();
        Sample a = Datasets.ChatDataset(tokenizer, share, "talk", ConversationStyle.Sharegpt)[0];
        Sample b = Datasets.ChatDataset(tokenizer, open, "talk", ConversationStyle.Openai)[0];
        Assert.Equal([257, 'h', 'g', 258], a.Tokens);
        Assert.Equal([No, 'g', 258, No], a.Labels);
        Assert.Equal(a.Tokens, b.Tokens);
        Assert.Equal(a.Labels, b.Labels);
    }

    [Fact]
    public void A_missing_column_is_named_with_file_and_line()
    {
        IDataset dataset = Datasets.AlpacaCleanedDataset(new ByteModelTokenizer(), _folder.Write("a.jsonl", "{\"instruction\": \"x\", \"answer\": \"y\"}"));
        Assert.Equal("a.jsonl, line 1: there is no column 'output'. Columns: instruction, answer.", Assert.Throws<DatasetException>(() => dataset[0]).Message);
    }

    [Fact]
    public void All_labels_masked_names_the_likely_cause()
    {
        string path = _folder.Write("a.jsonl", "{\"input\": \"abcdef\", \"output\": \"gh\"}\n");
        string message = Assert.Throws<DatasetException>(() => DatasetChecks.Check(Datasets.InstructDataset(new ByteModelTokenizer(4), path))).Message;
        Assert.Contains("All labels are masked in all 1 samples", message, StringComparison.Ordinal);
        Assert.Contains("tokenizer.max_seq_len=4", message, StringComparison.Ordinal);
        string packed = Assert.Throws<DatasetException>(() => DatasetChecks.Check(Datasets.InstructDataset(new ByteModelTokenizer(4), path, packed: true))).Message;
        Assert.Contains("tokenizer.max_seq_len=4", packed, StringComparison.Ordinal);
    }

    [Fact]
    public void Mostly_masked_labels_are_a_warning()
    {
        string path = _folder.Write("a.jsonl", "{\"input\": \"abcd\", \"output\": \"e\"}\n{\"input\": \"abcd\", \"output\": \"e\"}\n{\"input\": \"a\", \"output\": \"b\"}\n");
        IReadOnlyList<string> warnings = DatasetChecks.Check(Datasets.InstructDataset(new ByteModelTokenizer(4), path));
        Assert.StartsWith("2 of 3 samples looked at have no label", Assert.Single(warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_filter_keeps_rows_and_may_not_keep_none()
    {
        IRowSource rows = RowLoader.Load(_folder.Write("a.jsonl", "{\"input\": \"a\", \"output\": \"b\"}\n{\"input\": \"c\", \"output\": \"d\"}\n"));
        SftDataset kept = new(rows, new InputOutputToMessages(), new ByteModelTokenizer(), row => row.Text("input") == "c");
        Assert.Equal([257, 'c', 'd', 258], Assert.Single(Enumerable.Range(0, kept.Count).Select(i => kept[i])).Tokens);
        Assert.Throws<DatasetException>(() => new SftDataset(rows, new InputOutputToMessages(), new ByteModelTokenizer(), _ => false));
    }

    [Fact]
    public void Several_data_sets_follow_one_another()
    {
        ConcatDataset both = new([new ListDataset([1], [2]), new ListDataset([3])]);
        Assert.Equal([1, 2, 3], Enumerable.Range(0, both.Count).Select(i => both[i].Tokens[0]));
        Assert.Throws<DatasetException>(() => new ConcatDataset([new ListDataset([1]), new PackedDataset(new ListDataset([1]), 4)]));
        Assert.Throws<DatasetException>(() => new ConcatDataset([]));
    }

    [Fact]
    public void Packing_needs_a_length() => Assert.Contains(
        "tokenizer.max_seq_len",
        Assert.Throws<DatasetException>(() => Datasets.TextCompletionDataset(new ByteModelTokenizer(), _folder.Write("a.txt", "x"), packed: true)).Message,
        StringComparison.Ordinal);
}
