using System.CommandLine;
using TuneSharp.Tokenizers;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune tokenize</c>: JSON lines in, JSON lines out, through a tokenizer.</summary>
internal static class TokenizeCommand
{
    public static Command Create(Terminal terminal, CancellationToken stop)
    {
        Argument<string> path = new("path") { Description = "A tokenizer file (tokenizer.json, tokenizer.model) or the folder of a model." };
        Option<bool> special = new("--special") { Description = "Add special tokens when encoding, keep them when decoding." };
        Command command = new(
            "tokenize",
            "Encode and decode: reads {\"text\": …} or {\"ids\": […]} a line, writes {\"ids\", \"tokens\", \"decoded\"} or {\"error\"} a line.")
        {
            path, special,
        };
        command.SetAction(result =>
        {
            TokenizeSession session = new(TokenizerLoader.Load(result.GetRequiredValue(path)), result.GetValue(special));
            using TextReader input = terminal.OpenIn();
            while (!stop.IsCancellationRequested && input.ReadLine() is string line)
            {
                if (line.Length > 0)
                {
                    terminal.Out.WriteLine(session.Answer(line));
                }
            }

            return Failure.Ok;
        });
        return command;
    }
}
