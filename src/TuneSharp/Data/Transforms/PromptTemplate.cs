namespace TuneSharp.Data;

/// <summary>Text that a prompt needs around its messages. Thread-safe.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/data/_prompt_templates.py</c>, <c>PromptTemplateInterface</c>.</remarks>
public interface IPromptTemplate
{
    /// <summary>The messages with the text added.</summary>
    /// <param name="messages">One conversation.</param>
    IReadOnlyList<Message> Apply(IReadOnlyList<Message> messages);
}

/// <summary>Puts a text before and after the messages of a role.</summary>
/// <remarks>
/// A message and the text around it are tokenised together, so the blanks between them count. (torchtune strips and tokenises
/// the three apart, which loses them.) Text around an assistant's message is learned with it.
/// </remarks>
/// <param name="around">By role: what goes before and after. Roles that are absent keep their messages as they are.</param>
public sealed class PromptTemplate(IReadOnlyDictionary<Role, (string Before, string After)> around) : IPromptTemplate
{
    /// <inheritdoc/>
    public IReadOnlyList<Message> Apply(IReadOnlyList<Message> messages) =>
        [.. messages.Select(m => around.TryGetValue(m.Role, out (string Before, string After) text)
            ? m with { Content = text.Before + m.Content + text.After }
            : m)];
}
