using System.CommandLine;
using System.Text.Json;
using TuneSharp.Data;
using TuneSharp.Templates;
using TuneSharp.Tokenizers;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune tokenize</c>: JSON lines in, JSON lines out, through a tokenizer and a chat template.</summary>
internal static class TokenizeCommand
{
    public static Command Create(Terminal terminal, CancellationToken stop)
    {
        Argument<string> path = new("path") { Description = "A tokenizer file (tokenizer.json, tokenizer.model) or the folder of a model." };
        Option<bool> special = new("--special") { Description = "Add special tokens when encoding, keep them when decoding." };
        Option<string?> template = new("--chat-template")
        {
            Description = "The Jinja template that writes messages; the one of the model's folder when not given.",
        };
        Command command = new(
            "tokenize",
            "Encode, decode, and write chats: reads {\"text\": …}, {\"ids\": […]} or {\"messages\": […], …} a line, and writes " +
            "{\"ids\", \"tokens\", \"decoded\"}, {\"rendered\"} or {\"error\"} a line.")
        {
            path, special, template,
        };
        command.SetAction(result =>
        {
            string from = result.GetRequiredValue(path);
            ITokenizer tokenizer = TokenizerLoader.Load(from);
            Func<JsonElement, string>? render = Renderer(from, result.GetValue(template));
            TokenizeSession session = new(tokenizer, result.GetValue(special), render);
            using TextReader input = terminal.OpenIn();
            while (!stop.IsCancellationRequested && input.ReadLine() is string line)
            {
                if (line.Length > 0)
                {
                    terminal.Out.WriteLine(Answer(session, line));
                }
            }

            return Failure.Ok;
        });
        return command;
    }

    private static string Answer(TokenizeSession session, string line)
    {
        try
        {
            return session.Answer(line);
        }
        catch (Exception e) when (e is TemplateException or Config.ConfigException)
        {
            return TokenizeSession.Failed(e.Message);
        }
    }

    /// <summary>A template that cannot be read answers every line with its error, as one that fails does.</summary>
    private static Func<JsonElement, string>? Renderer(string path, string? template)
    {
        string? folder = Directory.Exists(path) ? path : null;
        try
        {
            ChatTemplate? found = template is not null ? ChatTemplate.Load(template, folder) : folder is null ? null : ChatTemplate.Find(folder);
            return found is null ? null : request => found.Render(request).Text;
        }
        catch (TemplateException e)
        {
            return _ => throw new TemplateException(e.Kind, e.Message, e.Line);
        }
    }
}
