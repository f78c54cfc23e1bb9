using TuneSharp.Data;

namespace TuneSharp.Generation;

/// <summary>Text of what a model said.</summary>
internal static class AnswerText
{
    /// <summary>
    /// Decodes an answer. Embedding tables are often longer than the vocabulary (rounded up for speed), so a model may pick an id that
    /// stands for nothing: it is left out, as transformers does.
    /// </summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="answer">The ids.</param>
    public static string DecodeAnswer(this IModelTokenizer tokenizer, int[] answer) =>
        tokenizer.Decode([.. answer.Where(id => id < tokenizer.VocabSize)]);
}
