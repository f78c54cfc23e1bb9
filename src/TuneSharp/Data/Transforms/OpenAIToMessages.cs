using System.Text;

namespace TuneSharp.Data;

/// <summary>A column with a list of <c>{"role": …, "content": …}</c> as a conversation, tool calls included.</summary>
/// <remarks>
/// Content is text or a list of <c>{"type": "text", "text": …}</c>. An assistant's turn that a tool answers does not end the turn.
/// torchtune counterpart: <c>torchtune/data/_messages.py</c>, <c>OpenAIToMessages</c>.
/// </remarks>
public sealed class OpenAIToMessages : IMessageTransform
{
    private readonly Func<string, string> _column;
    private readonly string? _systemPrompt;
    private readonly MaskingStrategy _masking;

    /// <summary>Creates the transform.</summary>
    /// <param name="columnMap">The file's name of the column <c>messages</c>; null when it is called so.</param>
    /// <param name="newSystemPrompt">A system turn that replaces those of the data set, or null.</param>
    /// <param name="masking">Which turns are learned.</param>
    public OpenAIToMessages(
        IReadOnlyDictionary<string, string>? columnMap = null,
        string? newSystemPrompt = null,
        MaskingStrategy masking = MaskingStrategy.TrainOnAssistant)
    {
        _column = ColumnMap.Of(columnMap, ["messages"]);
        _systemPrompt = newSystemPrompt;
        _masking = masking;
    }

    /// <inheritdoc/>
    public IReadOnlyList<Message> Apply(Row row)
    {
        List<Message> messages = [];
        if (_systemPrompt is not null)
        {
            messages.Add(new Message(Role.System, _systemPrompt));
        }

        IReadOnlyList<object?> turns = row.Items(_column("messages"));
        for (int i = 0; i < turns.Count; i++)
        {
            Row turn = turns[i] as Row ?? throw new DatasetException(
                $"{row.Place}: '{_column("messages")}' holds {Row.Kind(turns[i])}; each turn must be {{\"role\": …, \"content\": …}}.");
            Role role = ReadRole(turn, row.Place);
            if (role == Role.System && _systemPrompt is not null)
            {
                continue;
            }

            bool toolFollows = i + 1 < turns.Count && turns[i + 1] is Row next && next.TryGet("role", out object? r) && r is "tool" or "ipython";
            bool endsTurn = role is not (Role.Tool or Role.Ipython) && !(role == Role.Assistant && toolFollows);
            messages.Add(new Message(role, ReadContent(turn, row.Place), Eot: endsTurn));
        }

        return Masking.Apply(messages, _masking);
    }

    private static Role ReadRole(Row turn, string place) => turn.Text("role") switch
    {
        "system" => Role.System,
        "user" => Role.User,
        "assistant" => Role.Assistant,
        "tool" => Role.Tool,
        "ipython" => Role.Ipython,
        string other => throw new DatasetException(
            $"{place}: role '{other}' is not known. Roles: system, user, assistant, tool, ipython."),
    };

    private static string ReadContent(Row turn, string place)
    {
        if (turn["content"] is not IReadOnlyList<object?> parts)
        {
            return turn.Text("content");
        }

        StringBuilder text = new();
        foreach (object? part in parts)
        {
            if (part is Row row && row.TryGet("type", out object? type) && type is "text")
            {
                text.Append(row.Text("text"));
            }
            else
            {
                throw new DatasetException(
                    $"{place}: a message holds a part that is not text. This data set trains text only: remove images and other parts.");
            }
        }

        return text.ToString();
    }
}
