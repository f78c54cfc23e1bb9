namespace TuneSharp.Data;

/// <summary>A column with a list of <c>{"from": "human" | "gpt" | "system", "value": …}</c> as a conversation.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/data/_messages.py</c>, <c>ShareGPTToMessages</c>.</remarks>
public sealed class ShareGptToMessages : IMessageTransform
{
    private readonly Func<string, string> _column;
    private readonly string? _systemPrompt;
    private readonly MaskingStrategy _masking;

    /// <summary>Creates the transform.</summary>
    /// <param name="columnMap">The file's name of the column <c>conversations</c>; null when it is called so.</param>
    /// <param name="newSystemPrompt">A system turn that replaces those of the data set, or null.</param>
    /// <param name="masking">Which turns are learned.</param>
    public ShareGptToMessages(
        IReadOnlyDictionary<string, string>? columnMap = null,
        string? newSystemPrompt = null,
        MaskingStrategy masking = MaskingStrategy.TrainOnAssistant)
    {
        _column = ColumnMap.Of(columnMap, ["conversations"], "image");
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

        foreach (object? item in row.Items(_column("conversations")))
        {
            Row turn = item as Row ?? throw new DatasetException(
                $"{row.Place}: '{_column("conversations")}' holds {Row.Kind(item)}; each turn must be {{\"from\": …, \"value\": …}}.");
            string from = turn.Text("from");
            Role role = from switch
            {
                "system" => Role.System,
                "human" or "user" => Role.User,
                "gpt" or "assistant" => Role.Assistant,
                _ => throw new DatasetException(
                    $"{row.Place}: a turn is from '{from}'. ShareGPT knows human, gpt and system; for roles such as tool use conversation_style openai."),
            };
            if (role != Role.System || _systemPrompt is null)
            {
                messages.Add(new Message(role, turn.Text("value")));
            }
        }

        return Masking.Apply(messages, _masking);
    }
}
