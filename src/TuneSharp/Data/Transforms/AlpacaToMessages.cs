namespace TuneSharp.Data;

/// <summary>Alpaca's columns (instruction, an optional input, output) as a user's and an assistant's turn.</summary>
/// <remarks>
/// The prompt is Alpaca's own, in two forms: with and without an input. https://github.com/tatsu-lab/stanford_alpaca#data-release
/// torchtune counterpart: <c>torchtune/data/_messages.py</c>, <c>AlpacaToMessages</c>.
/// </remarks>
public sealed class AlpacaToMessages : IMessageTransform
{
    private readonly Func<string, string> _column;
    private readonly MaskingStrategy _masking;

    /// <summary>Creates the transform.</summary>
    /// <param name="columnMap">The file's names of the columns <c>instruction</c>, <c>output</c> and, if any, <c>input</c>.</param>
    /// <param name="masking">Which turns are learned; as in Alpaca, the prompt is learned too unless told otherwise.</param>
    public AlpacaToMessages(
        IReadOnlyDictionary<string, string>? columnMap = null,
        MaskingStrategy masking = MaskingStrategy.TrainOnAll)
    {
        _column = ColumnMap.Of(columnMap, ["instruction", "output"], "input");
        _masking = masking;
    }

    /// <inheritdoc/>
    public IReadOnlyList<Message> Apply(Row row)
    {
        string instruction = row.Text(_column("instruction"));
        string? input = row.TryGet(_column("input"), out object? value) && value is not (null or "") ? row.Text(_column("input")) : null;
        string prompt = input is null
            ? "Below is an instruction that describes a task. " +
                $"Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Response:\n"
            : "Below is an instruction that describes a task, paired with an input that provides further context. " +
                "Write a response that appropriately completes the request.\n\n" +
                $"### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n";
        return Masking.Apply(
            [new Message(Role.User, prompt), new Message(Role.Assistant, row.Text(_column("output")))],
            _masking);
    }
}
