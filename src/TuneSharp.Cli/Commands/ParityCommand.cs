using System.CommandLine;
using System.Globalization;
using TuneSharp.Evaluation;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune parity</c>: does a model folder compute what a reference says it should?</summary>
internal static class ParityCommand
{
    public static Command Create(Terminal terminal)
    {
        Argument<string> model = new("model_dir") { Description = "A Hugging Face folder." };
        Argument<string> reference = new("reference") { Description = "A safetensors file with input_ids and what should come out (logits, loss, grad.*, greedy …)." };
        Option<string?> adapter = new("--adapter") { Description = "A PEFT folder to put on the model." };
        Option<double?> tolerance = new("--tolerance")
        {
            Description = "One bound for logits, loss and gradients. By default 2e-4 (absolute), 1e-5 and 1e-3 (relative).",
        };
        Command command = new("parity", "Compare a model with reference values, in fp32 on the CPU.") { model, reference, adapter, tolerance };
        command.SetAction(result =>
        {
            ParityTolerance bounds = result.GetValue(tolerance) is { } bound ? ParityTolerance.Uniform(bound) : new();
            IReadOnlyList<ParityRow> rows = Parity.Compare(
                result.GetRequiredValue(model), result.GetRequiredValue(reference), result.GetValue(adapter), bounds);
            Print(rows, terminal);
            return rows.Count > 0 && rows.All(r => r.Passed) ? Failure.Ok : Failure.Failed;
        });
        return command;
    }

    private static void Print(IReadOnlyList<ParityRow> rows, Terminal terminal)
    {
        int width = rows.Select(r => r.Name.Length).Append("tensor".Length).Max();
        terminal.Out.WriteLine($"{"tensor".PadRight(width)}  {"max abs",10}  {"relative",10}  {"",4}  passes if");
        foreach (ParityRow row in rows)
        {
            terminal.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{row.Name.PadRight(width)}  {row.MaxAbs,10:0.000E+0}  {row.Relative,10:0.000E+0}  {(row.Passed ? "pass" : "FAIL")}  {row.Bound}"));
        }

        terminal.Out.WriteLine(rows.Count == 0
            ? "The reference holds nothing to compare: no logits, loss, grad.* or greedy."
            : $"{rows.Count(r => r.Passed)} of {rows.Count} pass.");
    }
}
