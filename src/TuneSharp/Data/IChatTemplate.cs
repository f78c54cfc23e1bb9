namespace TuneSharp.Data;

/// <summary>Writes a conversation as one text, as a model's own chat template does. Thread-safe.</summary>
public interface IChatTemplate
{
    /// <summary>The conversation as the model reads it, special tokens written out.</summary>
    /// <param name="messages">The turns.</param>
    /// <param name="addGenerationPrompt">End with what precedes an assistant's turn.</param>
    string Render(IReadOnlyList<Message> messages, bool addGenerationPrompt);
}
