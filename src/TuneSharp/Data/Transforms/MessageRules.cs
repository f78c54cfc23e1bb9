namespace TuneSharp.Data;

/// <summary>The order in which turns may follow each other.</summary>
/// <remarks>
/// torchtune counterpart: <c>torchtune/data/_messages.py</c>, <c>validate_messages</c>. There a tool's turn must follow one that is
/// flagged as a tool call, which its own reader of OpenAI's format never does, so no conversation with tools gets through. Here
/// it may also follow an assistant's turn that is left unended, which is how that reader marks a call, or another tool's turn.
/// </remarks>
public static class MessageRules
{
    /// <summary>Checks a conversation.</summary>
    /// <param name="messages">The turns.</param>
    /// <exception cref="DatasetException">A turn stands where it may not; the message says which and what may stand there.</exception>
    public static void Validate(IReadOnlyList<Message> messages) => Validate(messages, "the conversation");

    internal static void Validate(IReadOnlyList<Message> messages, string place)
    {
        if (messages.Count < 2)
        {
            throw new DatasetException($"{place}: a conversation needs at least two messages, a prompt and an answer; it has {messages.Count}.");
        }

        Message? before = null;
        for (int i = 0; i < messages.Count; i++)
        {
            if (Problem(messages[i], before, i) is { } problem)
            {
                throw new DatasetException($"{place}: message {i + 1} of {messages.Count} {problem} Correct or remove the row.");
            }

            before = messages[i];
        }
    }

    private static string? Problem(Message message, Message? before, int index)
    {
        bool beforeIsTool = before?.Role is Role.Tool or Role.Ipython;
        return message.Role switch
        {
            Role.System when index > 0 => "is the system's, which may only come first.",
            Role.User when before?.Role == Role.User => "is the user's, and so is the one before it.",
            Role.Assistant when before?.Role != Role.User && !beforeIsTool => "is the assistant's, which must follow a user's or a tool's.",
            Role.Tool or Role.Ipython when !beforeIsTool && !(before is { Role: Role.Assistant } call && (call.Ipython || !call.Eot)) =>
                "is a tool's, which must follow the assistant's call.",
            _ when message.Ipython && message.Role != Role.Assistant => "is flagged as a tool call, which only the assistant makes.",
            _ => null,
        };
    }
}
