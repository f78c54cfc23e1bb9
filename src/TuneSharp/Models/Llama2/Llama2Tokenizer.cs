using System.Runtime.InteropServices;
using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Tokenizers;

namespace TuneSharp.Models.Llama2;

/// <summary>Llama 2's conversations: text between BOS and EOS, one pair for each exchange.</summary>
/// <param name="tokenizer">The vocabulary, with <c>&lt;s></c> and <c>&lt;/s></c> in it.</param>
/// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
/// <param name="promptTemplate">Text around the messages, or null.</param>
/// <param name="truncation">Which end of a sample that is too long gives way.</param>
/// <exception cref="ConfigException">BOS or EOS is missing.</exception>
public sealed class Llama2Tokenizer(
    ITokenizer tokenizer, int? maxSeqLen = null, IPromptTemplate? promptTemplate = null, TruncationType truncation = TruncationType.Right)
    : PlainTurnTokenizer(tokenizer, "Llama 2", "<s>", "</s>", maxSeqLen, promptTemplate, truncation);

/// <summary>What a config names to get a <see cref="Llama2Tokenizer"/>.</summary>
public static class Llama2Tokenizers
{
    /// <summary>Llama 2's tokenizer.</summary>
    /// <param name="path">SentencePiece's <c>tokenizer.model</c>, a <c>tokenizer.json</c>, or a model's folder.</param>
    /// <param name="promptTemplate">A template's name, a dictionary from role to [before, after], or null for none; Llama 2's own when not given.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="truncationType">Which end of a sample that is too long gives way.</param>
    [Component("torchtune.models.llama2.llama2_tokenizer")]
    public static Llama2Tokenizer Llama2Tokenizer(
        string path,
        [Optional, DefaultParameterValue(PromptTemplates.Llama2ChatName)] object? promptTemplate,
        int? maxSeqLen = null,
        TruncationType truncationType = TruncationType.Right) =>
        new(TokenizerFiles.Load(path), maxSeqLen, PromptTemplates.Parse(promptTemplate), truncationType);
}
