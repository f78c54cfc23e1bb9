using System.Runtime.InteropServices;
using TuneSharp.Config;
using TuneSharp.Data;

namespace TuneSharp.Models.Mistral;

/// <summary>What a config names to get Mistral's tokenizer.</summary>
public static class MistralTokenizers
{
    /// <summary>Mistral's tokenizer: text between BOS and EOS, one pair for each exchange.</summary>
    /// <param name="path">SentencePiece's <c>tokenizer.model</c>, a <c>tokenizer.json</c>, or a model's folder.</param>
    /// <param name="promptTemplate">A template's name, a dictionary from role to [before, after], or null for none; Mistral's own when not given.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="truncationType">Which end of a sample that is too long gives way.</param>
    [Component("torchtune.models.mistral.mistral_tokenizer")]
    public static PlainTurnTokenizer MistralTokenizer(
        string path,
        [Optional, DefaultParameterValue(PromptTemplates.MistralChatName)] object? promptTemplate,
        int? maxSeqLen = null,
        TruncationType truncationType = TruncationType.Right) =>
        new(TokenizerFiles.Load(path), "Mistral", "<s>", "</s>", maxSeqLen, PromptTemplates.Parse(promptTemplate), truncationType);
}
