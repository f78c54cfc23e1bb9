namespace TuneSharp.Data;

/// <summary>Two columns, a prompt and its answer, as a user's and an assistant's turn.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/data/_messages.py</c>, <c>InputOutputToMessages</c>.</remarks>
public sealed class InputOutputToMessages : IMessageTransform
{
    private readonly Func<string, string> _column;
    private readonly string? _systemPrompt;
    private readonly MaskingStrategy _masking;

    /// <summary>Creates the transform.</summary>
    /// <param name="columnMap">The file's names of the columns <c>input</c> and <c>output</c>; null when they are called so.</param>
    /// <param name="newSystemPrompt">A system turn to begin with, or null.</param>
    /// <param name="masking">Which turns are learned.</param>
    public InputOutputToMessages(
        IReadOnlyDictionary<string, string>? columnMap = null,
        string? newSystemPrompt = null,
        MaskingStrategy masking = MaskingStrategy.TrainOnAssistant)
    {
        _column = ColumnMap.Of(columnMap, ["input", "output"]);
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

        messages.Add(new Message(Role.User, row.Text(_column("input"))));
        messages.Add(new Message(Role.Assistant, row.Text(_column("output"))));
        return Masking.Apply(messages, _masking);
    }
}
