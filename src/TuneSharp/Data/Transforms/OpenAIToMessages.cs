using System.Text;
using System.Text.Json;

namespace TuneSharp.Data;

/// <summary>A column with a list of <c>{"role": …, "content": …}</c> as a conversation, tool calls included.</summary>
/// <remarks>
/// Content is text or a list of <c>{"type": "text", "text": …}</c>; beside <c>tool_calls</c> it may be null. An assistant's turn that a tool
/// answers does not end the turn. Tools on offer stand in the row's column <c>tools</c>, if it has one; what else a turn holds
/// (<c>tool_call_id</c>, <c>reasoning_content</c> …) goes along for the model's chat template.
/// torchtune counterpart: <c>torchtune/data/_messages.py</c>, <c>OpenAIToMessages</c>.
/// </remarks>
public sealed class OpenAIToMessages : IMessageTransform
{
    private readonly Func<string, string> _column;
    private readonly string? _systemPrompt;
    private readonly MaskingStrategy _masking;

    /// <summary>Creates the transform.</summary>
    /// <param name="columnMap">The file's names of the columns <c>messages</c> and <c>tools</c>; null when they are called so.</param>
    /// <param name="newSystemPrompt">A system turn that replaces those of the data set, or null.</param>
    /// <param name="masking">Which turns are learned.</param>
    public OpenAIToMessages(
        IReadOnlyDictionary<string, string>? columnMap = null,
        string? newSystemPrompt = null,
        MaskingStrategy masking = MaskingStrategy.TrainOnAssistant)
    {
        _column = ColumnMap.Of(columnMap, ["messages"], "tools");
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
            IReadOnlyList<JsonElement>? calls = ReadCalls(turn, role, row.Place);
            messages.Add(new Message(role, ReadContent(turn, row.Place, calls is not null), Eot: endsTurn)
            {
                ToolCalls = calls,
                Extra = ReadExtra(turn),
            });
        }

        if (messages.Count > 0 && row.TryGet(_column("tools"), out object? tools) && tools is not (null or ""))
        {
            messages[0] = messages[0] with { Tools = RowJson.Read(tools, row.Place, _column("tools")) };
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

    private static IReadOnlyList<JsonElement>? ReadCalls(Row turn, Role role, string place)
    {
        if (!turn.TryGet("tool_calls", out object? value) || value is null or IReadOnlyList<object?> { Count: 0 })
        {
            return null;
        }

        return role != Role.Assistant ? throw new DatasetException($"{place}: a turn of the {turn.Text("role")} has tool_calls, which only the assistant makes. Correct or remove the row.")
            : value is IReadOnlyList<object?> calls && calls.All(c => c is Row) ? [.. calls.Select(RowJson.ToElement)]
            : throw new DatasetException($"{place}: tool_calls holds {Row.Kind(value)}; it must be a list of {{\"function\": {{\"name\": …, \"arguments\": …}}}}.");
    }

    private static Dictionary<string, JsonElement>? ReadExtra(Row turn)
    {
        Dictionary<string, JsonElement>? extra = null;
        foreach (string column in turn.Columns)
        {
            if (column is not ("role" or "content" or "tool_calls") && turn[column] is { } value)
            {
                (extra ??= new(StringComparer.Ordinal))[column] = RowJson.ToElement(value);
            }
        }

        return extra;
    }

    private static string ReadContent(Row turn, string place, bool mayBeEmpty)
    {
        if (mayBeEmpty && (!turn.TryGet("content", out object? content) || content is null))
        {
            return "";
        }

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
