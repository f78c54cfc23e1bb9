using System.Text.Json;
using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Models;
using TuneSharp.Tests.Data;
using TuneSharp.Tokenizers;

namespace TuneSharp.Tests.Models;

/// <summary>A model folder's own chat template: the same text in training and generation, and what of it is learned.</summary>
public sealed class ChatTemplateTokenizerTests : IDisposable
{
    private const string Plain =
        "{{ bos_token }}{% for m in messages %}{{ '<' ~ m.role ~ '>' ~ m.content ~ '<end>' }}{% endfor %}{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}";

    private const string Marked =
        "{% for m in messages %}{{ '<' ~ m.role ~ '>' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<end>{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}";

    /// <summary>Drops the thoughts of all turns but the last, as Qwen 3's does.</summary>
    private const string Forgetful =
        "{% for m in messages %}{{ '<' ~ m.role ~ '>' }}{% if m.role == 'assistant' and not loop.last %}{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}<end>{% endfor %}" +
        "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}";

    private static readonly Message[] Chat =
    [
        new(Role.User, "q👍", Masked: true), new(Role.Assistant, "é"), new(Role.User, "r", Masked: true), new(Role.Assistant, "b"),
    ];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("chat_template.jinja")]
    [InlineData("tokenizer_config.json")]
    [InlineData("chat_template.json")]
    public void The_folders_template_writes_the_text_and_its_turns_are_learned(string file)
    {
        IModelTokenizer tokenizer = Tokenizer(Plain, file);
        TokenizedMessages t = tokenizer.TokenizeMessages(Chat);
        Assert.Equal("<s><user>q👍<end><assistant>é<end><user>r<end><assistant>b<end>", tokenizer.Decode(t.Tokens, skipSpecialTokens: false));
        Assert.Equal(["é<end>", "b<end>"], Learned(tokenizer, t));
        TokenizedMessages prompt = tokenizer.TokenizeMessages([.. Chat[..3], new(Role.Assistant, "")], inference: true);
        Assert.Equal(t.Tokens[..prompt.Tokens.Length], prompt.Tokens);
        Assert.All(prompt.Mask, Assert.True);
    }

    [Fact]
    public void Generation_blocks_say_what_is_learned()
    {
        IModelTokenizer tokenizer = Tokenizer(Marked);
        Assert.Equal(["é<end>", "b<end>"], Learned(tokenizer, tokenizer.TokenizeMessages(Chat)));
        Message[] lastOnly = [Chat[0], Chat[1] with { Masked = true }, Chat[2], Chat[3]];
        Assert.Equal(["b<end>"], Learned(tokenizer, tokenizer.TokenizeMessages(lastOnly)));
    }

    [Fact]
    public void Turns_of_people_are_learned_when_they_are_not_masked()
    {
        IModelTokenizer tokenizer = Tokenizer(Plain);
        Message[] all = [.. Chat.Select(m => m with { Masked = false })];
        TokenizedMessages t = tokenizer.TokenizeMessages(all);
        Assert.Equal("<s><user>q👍<end>é<end><user>r<end>b<end>", string.Concat(Learned(tokenizer, t)));
    }

    [Fact]
    public void A_template_that_rewrites_earlier_turns_is_followed_by_their_words()
    {
        IModelTokenizer tokenizer = Tokenizer(Forgetful);
        Message[] thoughts = [Chat[0], new(Role.Assistant, "<think>x</think>é"), Chat[2], new(Role.Assistant, "<think>y</think>b")];
        TokenizedMessages t = tokenizer.TokenizeMessages(thoughts);
        Assert.Equal("<user>q👍<end><assistant>é<end><user>r<end><assistant><think>y</think>b<end>", tokenizer.Decode(t.Tokens, skipSpecialTokens: false));
        Assert.Equal(["é<end>", "<think>y</think>b<end>"], Learned(tokenizer, t));
    }

    [Fact]
    public void Turns_that_cannot_be_found_again_are_an_error_with_a_way_out()
    {
        IModelTokenizer tokenizer = Tokenizer(
            "{% for m in messages %}{{ m.content if loop.last or m.role == 'user' else '(gone)' }};{% endfor %}");
        string message = Assert.Throws<DatasetException>(() => tokenizer.TokenizeMessages(
            [Chat[0], new(Role.Assistant, "first words"), Chat[2], new(Role.Assistant, "b")])).Message;
        Assert.Contains("'first words' differently once other turns follow", message, StringComparison.Ordinal);
        Assert.Contains("train_on_last", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_that_refuses_is_a_data_error_and_one_that_cannot_be_read_a_config_error()
    {
        IModelTokenizer tokenizer = Tokenizer("{{ raise_exception('roles must alternate') }}");
        Assert.Contains("roles must alternate", Assert.Throws<DatasetException>(() => tokenizer.TokenizeMessages(Chat)).Message, StringComparison.Ordinal);
        Assert.Contains("(line 2)", Assert.Throws<ConfigException>(() => Tokenizer("a\n{% nope %}")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tools_and_calls_reach_the_template()
    {
        IModelTokenizer tokenizer = Tokenizer(
            "{{ tools | map(attribute='name') | join }};{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name }}({{ c.function.arguments | tojson }}){% endfor %};{% endfor %}");
        using JsonDocument tools = JsonDocument.Parse("""[{"name": "f"}]""");
        using JsonDocument call = JsonDocument.Parse("""{"function": {"name": "f", "arguments": {"x": 1}}}""");
        TokenizedMessages t = tokenizer.TokenizeMessages(
        [
            new(Role.User, "q", Masked: true) { Tools = tools.RootElement },
            new(Role.Assistant, "", Ipython: true) { ToolCalls = [call.RootElement] },
            new(Role.Ipython, "2", Masked: true),
        ]);
        Assert.Equal("f;user:q;assistant:f({\"x\": 1});tool:2;", tokenizer.Decode(t.Tokens, skipSpecialTokens: false));
        Assert.NotEmpty(Learned(tokenizer, t));
    }

    [Fact]
    public void Of_several_templates_the_one_for_tools_writes_conversations_with_tools()
    {
        _folder.Write("tokenizer_config.json", """
            {"eos_token": "</s>", "bos_token": {"content": "<s>"}, "chat_template": [
                {"name": "default", "template": "plain {{ bos_token }}"}, {"name": "tool_use", "template": "tools {{ unk_token is defined }}"}]}
            """);
        ChatTemplate template = ChatTemplate.Find(_folder.Path)!;
        using JsonDocument none = JsonDocument.Parse("""{"messages": []}""");
        using JsonDocument some = JsonDocument.Parse("""{"messages": [], "tools": [{}]}""");
        Assert.Equal("plain <s>", template.Render(none.RootElement).Text);
        Assert.Equal("tools False", template.Render(some.RootElement).Text);
    }

    private IModelTokenizer Tokenizer(string template, string file = "chat_template.jinja")
    {
        string vocabulary = string.Join(',', Enumerable.Range(0, 256).Select(b => $"{JsonSerializer.Serialize(ByteAlphabet.CharOf((byte)b).ToString())}:{b}"));
        string added = string.Join(',', new[] { "<s>", "</s>", "<end>" }.Select((s, i) =>
            $"{{\"id\":{256 + i},\"content\":\"{s}\",\"special\":true,\"normalized\":false,\"single_word\":false,\"lstrip\":false,\"rstrip\":false}}"));
        _folder.Write("tokenizer.json", $$"""
            {"version": "1.0", "added_tokens": [{{added}}], "normalizer": null, "post_processor": null,
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
             "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
             "model": {"type": "BPE", "vocab": { {{vocabulary}} }, "merges": [] } }
            """);
        string quoted = JsonSerializer.Serialize(template);
        _folder.Write("tokenizer_config.json", "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\"" + (file == "tokenizer_config.json" ? $", \"chat_template\": {quoted}" : "") + "}");
        if (file != "tokenizer_config.json")
        {
            _folder.Write(file, file.EndsWith(".json", StringComparison.Ordinal) ? $"{{\"chat_template\": {quoted}}}" : template);
        }

        return HuggingFaceTokenizers.HuggingFaceModelTokenizer(path: _folder.Path);
    }

    /// <summary>The stretches of tokens that are learned, as text.</summary>
    private static List<string> Learned(IModelTokenizer tokenizer, TokenizedMessages t)
    {
        List<string> parts = [];
        for (int i = 0; i < t.Tokens.Length; i++)
        {
            int start = i;
            while (i < t.Tokens.Length && !t.Mask[i])
            {
                i++;
            }

            if (i > start)
            {
                parts.Add(tokenizer.Decode(t.Tokens.AsSpan(start, i - start), skipSpecialTokens: false));
            }
        }

        return parts;
    }
}
