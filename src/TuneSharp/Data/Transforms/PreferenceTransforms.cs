namespace TuneSharp.Data;

/// <summary>Makes two conversations of a row: the preferred one and the other. Thread-safe.</summary>
public interface IPreferenceTransform
{
    /// <summary>Both conversations, masked as training wants them.</summary>
    /// <param name="row">One record of the data set.</param>
    /// <exception cref="DatasetException">A column is missing or holds the wrong thing.</exception>
    (IReadOnlyList<Message> Chosen, IReadOnlyList<Message> Rejected) Apply(Row row);
}

/// <summary>Two columns, each with a list of <c>{"role": …, "content": …}</c>.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/data/_messages.py</c>, <c>ChosenRejectedToMessages</c>.</remarks>
public sealed class ChosenRejectedToMessages : IPreferenceTransform
{
    private readonly OpenAIToMessages _chosen;
    private readonly OpenAIToMessages _rejected;

    /// <summary>Creates the transform.</summary>
    /// <param name="columnMap">The file's names of the columns <c>chosen</c> and <c>rejected</c>; null when they are called so.</param>
    /// <param name="newSystemPrompt">A system turn that replaces those of the data set, or null.</param>
    /// <param name="masking">Which turns are learned.</param>
    public ChosenRejectedToMessages(
        IReadOnlyDictionary<string, string>? columnMap = null,
        string? newSystemPrompt = null,
        MaskingStrategy masking = MaskingStrategy.TrainOnAssistant)
    {
        Func<string, string> column = ColumnMap.Of(columnMap, ["chosen", "rejected"]);
        OpenAIToMessages Reader(string name) => new(new Dictionary<string, string>(StringComparer.Ordinal) { ["messages"] = column(name) }, newSystemPrompt, masking);
        (_chosen, _rejected) = (Reader("chosen"), Reader("rejected"));
    }

    /// <inheritdoc/>
    public (IReadOnlyList<Message> Chosen, IReadOnlyList<Message> Rejected) Apply(Row row) => (_chosen.Apply(row), _rejected.Apply(row));
}

/// <summary>Three columns: a question, the answer that was preferred, another answer.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/datasets/_stack_exchange_paired.py</c>, <c>StackExchangePairedToMessages</c>.</remarks>
public sealed class StackExchangePairedToMessages : IPreferenceTransform
{
    private readonly Func<string, string> _column;
    private readonly string? _systemPrompt;
    private readonly MaskingStrategy _masking;

    /// <summary>Creates the transform.</summary>
    /// <param name="columnMap">The file's names of the columns <c>prompt</c>, <c>chosen</c> and <c>rejected</c>.</param>
    /// <param name="newSystemPrompt">A system turn to begin with, or null.</param>
    /// <param name="masking">Which turns are learned.</param>
    public StackExchangePairedToMessages(
        IReadOnlyDictionary<string, string>? columnMap = null,
        string? newSystemPrompt = null,
        MaskingStrategy masking = MaskingStrategy.TrainOnAssistant)
    {
        _column = ColumnMap.Of(columnMap, ["prompt", "chosen", "rejected"]);
        _systemPrompt = newSystemPrompt;
        _masking = masking;
    }

    /// <inheritdoc/>
    public (IReadOnlyList<Message> Chosen, IReadOnlyList<Message> Rejected) Apply(Row row)
    {
        string prompt = row.Text(_column("prompt"));
        return (Conversation(prompt, row.Text(_column("chosen"))), Conversation(prompt, row.Text(_column("rejected"))));
    }

    private IReadOnlyList<Message> Conversation(string prompt, string answer)
    {
        List<Message> messages = _systemPrompt is null ? [] : [new Message(Role.System, _systemPrompt)];
        messages.Add(new Message(Role.User, prompt));
        messages.Add(new Message(Role.Assistant, answer));
        return Masking.Apply(messages, _masking);
    }
}
