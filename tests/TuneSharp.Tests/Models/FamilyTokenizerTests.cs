using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Models;
using TuneSharp.Models.Gemma;
using TuneSharp.Models.Llama4;
using TuneSharp.Models.Mistral;
using TuneSharp.Models.Phi3;
using TuneSharp.Models.Phi4;
using TuneSharp.Models.Qwen2;
using TuneSharp.Tests.Data;
using TuneSharp.Tokenizers;

namespace TuneSharp.Tests.Models;

/// <summary>Each family's layout of a conversation, ids and mask, worked out by torchtune's rules over a vocabulary in which every byte is a token.</summary>
public sealed class FamilyTokenizerTests : IDisposable
{
    private static readonly Message[] Chat = [new(Role.User, "hi ", Masked: true), new(Role.Assistant, "yo")];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Qwen_writes_chat_ml_and_ends_with_the_mark_alone()
    {
        QwenTokenizer tokenizer = new(Vocabulary("<|endoftext|>", "<|im_start|>", "<|im_end|>"));
        TokenizedMessages t = tokenizer.TokenizeMessages(Chat);
        Assert.Equal([257, .. Bytes("user\nhi "), 258, 10, 257, .. Bytes("assistant\nyo"), 258], t.Tokens);
        Assert.Equal(Mask(11, 14), Bits(t.Mask));
        Assert.Equal(t.Tokens[..^3], tokenizer.TokenizeMessages([Chat[0]], inference: true).Tokens);
        Assert.Equal([258, 256], tokenizer.StopTokens);
        Assert.Equal(256, tokenizer.PadId);
    }

    [Fact]
    public void Once_a_length_is_set_Qwen_masks_the_last_token()
    {
        ITokenizer vocabulary = Vocabulary("<|endoftext|>", "<|im_start|>", "<|im_end|>");
        Assert.True(new QwenTokenizer(vocabulary, maxSeqLen: 100).TokenizeMessages(Chat).Mask[^1]);
        TokenizedMessages cut = new QwenTokenizer(vocabulary, maxSeqLen: 14).TokenizeMessages(Chat);
        Assert.Equal([257, .. Bytes("user\nhi "), 258, 10, 257, 'a', 258], cut.Tokens);
        Assert.Equal(258, new QwenTokenizer(vocabulary, maxSeqLen: 5, truncation: TruncationType.Left).TokenizeMessages(Chat).Tokens[^1]);
    }

    [Fact]
    public void Qwen_2_5_marks_tool_calls_and_gathers_answers_in_a_users_turn()
    {
        Message[] messages =
        [
            new(Role.User, "q", Masked: true), new(Role.Assistant, "c", Ipython: true), new(Role.Ipython, "1", Masked: true),
            new(Role.Ipython, "2", Masked: true), new(Role.Assistant, "a"),
        ];
        ITokenizer vocabulary = Vocabulary("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>");
        Assert.Equal(
            [
                257, .. Bytes("user\nq"), 258, 10, 257, .. Bytes("assistant\n"), 259, 10, 'c', 10, 260, 258, 10,
                257, .. Bytes("user\n<tool_response>\n1\n</tool_response>\n<tool_response>\n2\n</tool_response>"), 258, 10,
                257, .. Bytes("assistant\na"), 258,
            ],
            new QwenTokenizer(vocabulary).TokenizeMessages(messages).Tokens);
        Assert.Equal(
            [257, .. Bytes("user\nq"), 258, 10, 257, .. Bytes("assistant\nc"), 258, 10, .. Bytes("12"), 257, .. Bytes("assistant\na"), 258],
            new QwenTokenizer(vocabulary, tools: false).TokenizeMessages(messages).Tokens);
    }

    [Fact]
    public void Qwen_reads_vocab_and_merges_and_numbers_its_special_tokens()
    {
        (string vocab, string merges) = VocabAndMerges();
        QwenTokenizer tokenizer = QwenTokenizers.Qwen3Tokenizer(vocab, merges);
        Assert.Equal([256, 'y', 'o'], tokenizer.Encode("hiyo", addBos: false, addEos: false));
        Assert.Equal(151645, tokenizer.EosId);
        Assert.Equal(151643, tokenizer.PadId);
        TokenizedMessages t = tokenizer.TokenizeMessages([new(Role.Assistant, "c", Ipython: true)]);
        Assert.Equal([151644, .. Bytes("assistant\n"), 151657, 10, 'c', 10, 151658, 151645], t.Tokens);
        Assert.Equal([151644, .. Bytes("user\n"), 151665, 10, 'r', 10, 151666, 151645, 10], tokenizer.TokenizeMessages([new(Role.Tool, "r")]).Tokens[..^1]);
        Assert.Equal("<think>", tokenizer.Decode([151667], skipSpecialTokens: false));
        Assert.Equal([256, 256, 'y'], QwenTokenizers.Qwen2Tokenizer(_folder.Path).Encode("hihiy", addBos: false, addEos: false));
        Assert.Contains("merges_file is missing", Assert.Throws<ConfigException>(() => QwenTokenizers.Qwen2_5Tokenizer(vocab)).Message, StringComparison.Ordinal);
        Assert.Contains(
            "writes ChatML already",
            Assert.Throws<ConfigException>(() => QwenTokenizers.Qwen2Tokenizer(vocab, merges, promptTemplate: "torchtune.data.ChatMLTemplate")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Phi4_ends_all_turns_but_the_assistants()
    {
        (string vocab, string merges) = VocabAndMerges();
        Phi4Tokenizer tokenizer = Phi4Tokenizers.Phi4Tokenizer(vocab, merges);
        TokenizedMessages t = tokenizer.TokenizeMessages(Chat);
        Assert.Equal([100264, .. Bytes("user"), 100266, 256, 100265, 100264, .. Bytes("assistant"), 100266, 'y', 'o'], t.Tokens);
        Assert.Equal(Mask(8, 13), Bits(t.Mask));
        Assert.Equal((100257, 100265, 100349), (tokenizer.BosId, tokenizer.EosId, tokenizer.PadId));
    }

    [Fact]
    public void Phi3_has_a_line_after_its_marks_and_ends_each_exchange()
    {
        Phi3MiniTokenizer tokenizer = new(new ByteTokenizer("<s>"));
        TokenizedMessages t = tokenizer.TokenizeMessages(Chat);
        Assert.Equal([256, 32010, 10, 'h', 'i', 32007, 10, 32001, 10, 'y', 'o', 32007, 10, 32000], t.Tokens);
        Assert.Equal(Mask(7, 7), Bits(t.Mask));
        Assert.Equal([256, 32010, 10, 'h', 'i', 32007, 10, 32001, 10], tokenizer.TokenizeMessages([Chat[0]], inference: true).Tokens);
        Assert.Equal("yo", tokenizer.Decode([32001, 'y', 'o', 32007]));
        Assert.Equal("<|assistant|>yo<|end|>", tokenizer.Decode([32001, 'y', 'o', 32007], skipSpecialTokens: false));
        Assert.Throws<DatasetException>(() => tokenizer.TokenizeMessages([new(Role.Tool, "x")]));
    }

    [Fact]
    public void Llama4_has_headers_and_ends_and_masks_both_ends()
    {
        Llama4Tokenizer tokenizer = new(Vocabulary(
            "<|begin_of_text|>", "<|end_of_text|>", "<|header_start|>", "<|header_end|>", "<|eom|>", "<|eot|>", "<|finetune_right_pad|>"));
        TokenizedMessages t = tokenizer.TokenizeMessages(Chat);
        Assert.Equal(
            [256, 258, .. Bytes("user"), 259, 10, 10, 'h', 'i', 261, 258, .. Bytes("assistant"), 259, 10, 10, 'y', 'o', 261, 257], t.Tokens);
        Assert.Equal(Mask(12, 16) + "1", Bits(t.Mask));
        Assert.Equal("yo", tokenizer.Decode([258, .. Bytes("assistant"), 259, 10, 10, 'y', 'o', 261]));
    }

    [Fact]
    public void Gemma_and_Mistral_write_plain_text_between_bos_and_eos()
    {
        PlainTurnTokenizer gemma = new(new ByteTokenizer("<bos>", "<eos>"), "Gemma", "<bos>", "<eos>");
        TokenizedMessages t = gemma.TokenizeMessages(Chat);
        Assert.Equal([256, 'h', 'i', 'y', 'o', 257], t.Tokens);
        Assert.Equal("111000", Bits(t.Mask));
        string model = Made("sp_bpe.tokenizer.json");
        PlainTurnTokenizer mistral = MistralTokenizers.MistralTokenizer(model, MistralTemplate);
        Assert.Contains("[INST] hi", mistral.Decode(mistral.TokenizeMessages(Chat).Tokens, skipSpecialTokens: false), StringComparison.Ordinal);
        Assert.Throws<DatasetException>(() => mistral.TokenizeMessages([new(Role.System, "s"), .. Chat]));
        Assert.Contains("has no <bos>, which Gemma needs", Assert.Throws<ConfigException>(() => GemmaTokenizers.GemmaTokenizer(model)).Message, StringComparison.Ordinal);
    }

    private const string MistralTemplate = "torchtune.models.mistral.MistralChatTemplate";

    private static string Made(string file) => Repo.Golden("tokenizers/made/" + file);

    private static ByteTokenizer Vocabulary(params string[] specials) => new(specials);

    private static int[] Bytes(string text) => new ByteTokenizer().Encode(text);

    private static string Bits(bool[] mask) => string.Concat(mask.Select(m => m ? '1' : '0'));

    private static string Mask(int masked, int learned) => new string('1', masked) + new string('0', learned);

    /// <summary>Every byte a token, and one merge: <c>h i</c> is 256.</summary>
    private (string Vocab, string Merges) VocabAndMerges()
    {
        IEnumerable<string> bytes = Enumerable.Range(0, 256)
            .Select(b => $"{System.Text.Json.JsonSerializer.Serialize(ByteAlphabet.CharOf((byte)b).ToString())}: {b}");
        string vocab = _folder.Write("vocab.json", "{" + string.Join(", ", bytes) + ", \"hi\": 256}");
        return (vocab, _folder.Write("merges.txt", "#version: 0.2\nh i\n"));
    }
}
