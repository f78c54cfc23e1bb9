using TuneSharp.Config;
using TuneSharp.Data;

namespace TuneSharp.Models.Gemma;

/// <summary>What a config names to get Gemma's tokenizer.</summary>
public static class GemmaTokenizers
{
    /// <summary>Gemma's tokenizer: text between BOS and EOS, one pair for each exchange.</summary>
    /// <param name="path">SentencePiece's <c>tokenizer.model</c>, a <c>tokenizer.json</c>, or a model's folder.</param>
    /// <param name="promptTemplate">A template's name, a dictionary from role to [before, after], or null for none.</param>
    /// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
    /// <param name="truncationType">Which end of a sample that is too long gives way.</param>
    [Component("torchtune.models.gemma.gemma_tokenizer")]
    public static PlainTurnTokenizer GemmaTokenizer(
        string path,
        int? maxSeqLen = null,
        object? promptTemplate = null,
        TruncationType truncationType = TruncationType.Right) =>
        new(TokenizerFiles.Load(path), "Gemma", "<bos>", "<eos>", maxSeqLen, PromptTemplates.Parse(promptTemplate), truncationType);
}
